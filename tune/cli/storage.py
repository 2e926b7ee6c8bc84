"""Where experiments lie."""

from pathlib import Path

from tune.paths import DEFAULT_STORAGE


def storage_of(given: str | None) -> Path:
    """Return the folder of all experiments, absolute."""
    return Path(given or DEFAULT_STORAGE).expanduser().absolute()

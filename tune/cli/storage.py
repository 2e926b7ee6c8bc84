"""Where experiments lie."""

from pathlib import Path

from tune.paths import DEFAULT_STORAGE
from tune.places import place


def storage_of(given: str | None) -> Path:
    """Return the folder of all experiments, absolute; of a URL the folder where they are worked on."""
    return place(given or DEFAULT_STORAGE)

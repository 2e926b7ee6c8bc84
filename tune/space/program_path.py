"""Which file the `system:` or `script:` line of a space file means."""

import os
from pathlib import Path

from tune.errors import SpaceError
from tune.space.place import shown


def find_program_file(key: str, name: str, space_file: Path, where: str) -> Path:
    """Return the file, absolute, of a path or a dotted module.

    It is looked up from the space file's folder and its parents, then from the working directory. Raise SpaceError,
    which starts with ``where`` and lists what was tried.
    """
    folders = dict.fromkeys((*space_file.parents, Path.cwd()))
    tried = list(dict.fromkeys(path for folder in folders for path in _candidates(name, folder)))
    for path in tried:
        if is_file(path):
            return path
    listing = ", ".join(shown(path) for path in tried)
    raise SpaceError(
        where, f"{key}: no such program, got {name!r}; tried {listing}", "Write its path, such as `lit/digits.py`."
    )


def is_file(path: Path) -> bool:
    """Tell whether a file is there; a name that no file could have, or that we may not look at, is not."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def split_class(written: str) -> tuple[str, str | None]:
    """Return ``lit/digits.py`` and ``LitModel`` of ``lit/digits.py:LitModel``; None where no class is named."""
    name, colon, class_name = written.rpartition(":")
    return (name, class_name) if colon and class_name.isidentifier() else (written, None)


def _candidates(name: str, folder: Path) -> list[Path]:
    """Return the paths that a name could mean below a folder: itself, or a dotted module's file or package."""
    if name.endswith(".py") or "/" in name or os.sep in name:
        return [_below(folder, name)]
    module = name.replace(".", "/")
    return [_below(folder, f"{module}.py"), _below(folder, f"{module}/__init__.py")]


def _below(folder: Path, name: str) -> Path:
    return Path(os.path.normpath(folder / os.path.expanduser(name)))  # noqa: PTH111  Path.expanduser raises on `~nobody`

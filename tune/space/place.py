"""How a place in a file is shown to people."""

import os
from pathlib import Path


def shown(path: Path) -> str:
    """Return the path as the working directory sees it where that is shorter, else whole."""
    whole = str(path)
    return min(os.path.relpath(path), whole, key=len)


def place(path: Path, line: int | None) -> str:
    """Return ``file:line``, or the file where no line is meant."""
    return shown(path) if line is None else f"{shown(path)}:{line}"

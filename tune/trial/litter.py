"""What a program writes into the working directory, which all trials of a search share."""

import os
from pathlib import Path

MOST = 5_000
"""Files beyond which a working directory is not looked through: it would take longer than it is worth."""


EXPERIMENT = {".lock", "space.yaml"}
"""What each experiment's folder has: other searches may write while this one looks."""


def files_below(folder: Path, but: Path) -> frozenset[str] | None:
    """Return the files below ``folder``, less hidden ones, experiments, and ``but``; None where there are too many."""
    found: set[str] = set()
    for place, folders, names in os.walk(folder):
        if {*names} >= EXPERIMENT:
            folders.clear()
            continue
        folders[:] = [
            name for name in folders if not name.startswith((".", "__pycache__")) and Path(place, name) != but
        ]
        found.update(os.path.relpath(os.path.join(place, name), folder) for name in names)  # noqa: PTH118 - thousands
        if len(found) > MOST:
            return None
    return frozenset(found)


def new_files(before: frozenset[str] | None, after: frozenset[str] | None) -> list[str]:
    """Return what was written, in order; nothing where one of the looks was given up."""
    return [] if before is None or after is None else sorted(after - before)

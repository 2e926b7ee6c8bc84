"""Marks a temporary folder as ours: a later search removes one that is marked, and nothing else."""

import contextlib
import os
import shutil
import stat
from pathlib import Path

from filelock import FileLock, Timeout

from tune.paths import read_regular

MARKER, LOCK = ".promotune", ".lock"
TEXT = b"Promotune made this folder for temporary files. A search removes it once the process that made it is gone.\n"


def mark_folder(folder: Path) -> None:
    """Say in a new folder that it is ours."""
    (folder / MARKER).write_bytes(TEXT)


def is_marked(folder: Path) -> bool:
    """Return whether this user's process marked a folder. A name alone proves nothing: the user may have given it."""
    with contextlib.suppress(OSError):
        found = folder.lstat()
        owners = {found.st_uid, (folder / MARKER).lstat().st_uid}
        return stat.S_ISDIR(found.st_mode) and owners == {os.getuid()} and read_regular(folder / MARKER) == TEXT
    return False


def remove_stale_folder(folder: Path) -> None:
    """Remove a marked folder if the process that made it has ended: the system has freed its lock."""
    if is_marked(folder):
        with contextlib.suppress(OSError, Timeout), FileLock(folder / LOCK, timeout=0):
            shutil.rmtree(folder)

"""Marks a temporary folder as ours: a later search removes one that is marked, and nothing else."""

import contextlib
import os
import stat
from pathlib import Path

from tune.paths import read_regular

MARKER = ".promotune"
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

"""Folders for files that nobody needs once a driver is gone."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

SCRATCH, SCRATCH_LOCK = "promotune-", ".lock"
LONGEST, SHORT = 24, "/tmp"  # noqa: S108 - the folder in it has a name that nobody guesses, and is its owner's alone
"""Characters of a place for it: Ray makes sockets some 80 deeper, and the path of a socket may have 107."""
SCRATCH_AGE_S = 60
"""A younger folder may be one that is not locked yet."""


@contextlib.contextmanager
def ray_scratch() -> Iterator[str]:
    """Give a folder for Ray's own files, its owner's alone: nothing of them belongs into the experiment."""
    place = tempfile.gettempdir()
    place = place if len(place) <= LONGEST else SHORT
    sweep(Path(place))
    with (
        tempfile.TemporaryDirectory(prefix=SCRATCH, dir=place, ignore_cleanup_errors=True) as folder,
        FileLock(Path(folder) / SCRATCH_LOCK),
    ):
        yield folder


def sweep(folder: Path) -> None:
    """Take away what drivers that were killed left of their scratch: nobody holds its lock, for the system frees it."""
    for left in folder.glob(f"{SCRATCH}*"):
        with contextlib.suppress(OSError, Timeout):
            if time.time() - left.stat().st_mtime < SCRATCH_AGE_S or left.is_symlink():
                continue
            with FileLock(left / SCRATCH_LOCK, timeout=0):
                shutil.rmtree(left)

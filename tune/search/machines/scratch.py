"""Folders for files that nobody needs once a driver is gone."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tune.trial.process.marker import is_marked, mark_folder

SCRATCH, SCRATCH_LOCK = "promotune.ray-", ".lock"
LONGEST, SHORT = 20, "/tmp"  # noqa: S108 - the folder in it has a name that nobody guesses, and is its owner's alone
"""Characters of a place for it: Ray makes sockets some 85 deeper, and the path of a socket may have 107."""


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
        mark_folder(Path(folder))  # behind the lock: a folder that is marked and not locked has no driver
        yield folder


def sweep(folder: Path) -> None:
    """Take away what drivers that were killed left of their scratch: nobody holds its lock, for the system frees it."""
    for left in filter(is_marked, folder.glob(f"{SCRATCH}*")):
        with contextlib.suppress(OSError, Timeout), FileLock(left / SCRATCH_LOCK, timeout=0):
            shutil.rmtree(left)

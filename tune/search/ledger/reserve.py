"""Room on the disk that a search keeps to itself, to write down how it ended where all other room is gone."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tune.trial.room import folder_told

RESERVE_BYTES = 2**20
"""Some records of every trial that runs, and enough to see that there is room to go on."""


@contextlib.contextmanager
def reserved(path: Path) -> Iterator[None]:
    """Hold the room for as long as this is entered; raise NoRoomError where there is not even that much.

    The bytes are random: a file system that compresses would keep no room for zeros.
    """
    try:
        with folder_told(path.parent, ours=True):
            path.write_bytes(os.urandom(RESERVE_BYTES))
        yield
    finally:
        with contextlib.suppress(OSError):  # the folder may be gone, or read-only
            path.unlink(missing_ok=True)

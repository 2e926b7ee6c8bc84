"""A full disk is told from every other error; room that a search keeps, to write down how it ended."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tune.errors import LostFolderError, NoRoomError
from tune.paths import display_path

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
TORCH_WRITES = "PytorchStreamWriter failed writing file"
"""What torch says of it: a RuntimeError without a number."""
LITTLE_BYTES = 2**20
"""With less than this on the disk, a write that failed is taken to have failed for that."""


LOST = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EIO, errno.ESTALE})
"""What a folder makes a write raise that was removed, renamed, made read-only, or whose server is gone."""


@contextlib.contextmanager
def translate_folder_errors(folder: Path, *, ours: bool = False) -> Iterator[None]:
    """Raise NoRoomError as ``translate_disk_full`` does, and LostFolderError where ``folder`` cannot be written.

    For the driver: in a trial it may be the program that looks for a file of its own.
    """
    try:
        with translate_disk_full(folder, ours=ours):
            yield
    except (OSError, RuntimeError) as error:  # the latter by Optuna, whose lock file went with the folder
        writes = [each for each in walk_exception_chain(error) if isinstance(each, OSError) and each.errno in LOST]
        lost = next((each for each in writes if ours or _is_below(each, folder)), None)
        if lost is None:
            raise
        hint = "Put it back, or let it be written again: `resume` goes on then."
        raise LostFolderError(display_path(folder), f"it cannot be written any more: {lost.strerror}", hint) from error


@contextlib.contextmanager
def translate_disk_full(folder: Path, *, ours: bool = False) -> Iterator[None]:
    """Raise NoRoomError in the place of whatever a full disk under ``folder`` makes a write raise.

    With ``ours`` nothing else writes meanwhile: it is that disk, however much another process has freed since.
    """
    full = None
    try:
        yield
    except Exception as error:
        full = find_disk_full_error(error, folder, ours=ours)
        if full is None:
            raise
    if full is not None:  # raised here, it holds no frame of the program
        raise full


def find_disk_full_error(error: BaseException, folder: Path, *, ours: bool = False) -> NoRoomError | None:
    """Return what to raise for an error, if it comes of a full disk under ``folder``; None: of something else."""
    chain = list(walk_exception_chain(error))
    told = next((each for each in chain if isinstance(each, NoRoomError)), None)
    if told is not None:
        return NoRoomError(*told.args)
    writes = [each for each in chain if _is_disk_full(each)]
    if not writes:
        return None
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(there).free
    if not ours and free >= LITTLE_BYTES and not any(_is_below(each, folder) for each in writes):
        return None  # another disk is full, such as that of the program's data
    return NoRoomError(
        display_path(folder), f"no room is left on its disk: {_format_size(free)} free", "Make room there."
    )


def _is_disk_full(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno in NO_ROOM) or TORCH_WRITES in str(error.args)


def _is_below(error: BaseException, folder: Path) -> bool:
    names = (getattr(error, "filename", None), getattr(error, "filename2", None))
    return any(isinstance(name, str) and Path(name).is_relative_to(folder) for name in names)


def walk_exception_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and those that it was raised from or beside."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _format_size(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:.1f} MB" if n_bytes >= LITTLE_BYTES else f"{n_bytes // 2**10} KB"


RESERVE_BYTES = 2**20
"""Some records of every trial that runs, and enough to see that there is room to go on."""


@contextlib.contextmanager
def hold_disk_reserve(path: Path) -> Iterator[None]:
    """Hold the room for as long as this is entered; raise NoRoomError where there is not even that much.

    The bytes are random: a file system that compresses would keep no room for zeros.
    """
    try:
        with translate_folder_errors(path.parent, ours=True):
            path.write_bytes(os.urandom(RESERVE_BYTES))
        yield
    finally:
        with contextlib.suppress(OSError):  # the folder may be gone, or read-only
            path.unlink(missing_ok=True)

"""A user's file gets another content: whole or not at all, and nothing is left beside it."""

import contextlib
import glob
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ASIDE = ".promotune"
"""How the name of a file ends that is being written beside one of the user's."""
LEFT_S = 60.0
"""A file that was being written for so long was left."""


@contextlib.contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Let an OSError say which file it is about: that of a write, of a full disk, does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def replace_files(contents: Mapping[Path, bytes]) -> None:
    """Replace files that are there, each whole or not at all, with their modes; none where one cannot be written.

    Beside them nothing is left, of a process that is killed neither: where the file system can, what is written has no
    name until it is whole; what an earlier process left elsewhere is removed.
    """
    with contextlib.ExitStack() as stack:
        written = [stack.enter_context(_written_aside(path, raw)) for path, raw in contents.items()]
        for put_in_place in written:
            put_in_place()


@contextlib.contextmanager
def _written_aside(path: Path, raw: bytes) -> Iterator[Callable[[], None]]:
    """Write what is to take a file's place, on the same file system; give what puts it there."""
    _remove_left_asides(path)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{ASIDE}")
    with named_errors(path):
        nameless = _open_nameless(path.parent)
        opened = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600) if nameless is None else nameless
        try:
            with os.fdopen(opened, "wb") as file:
                file.write(raw)
                file.flush()
                os.fchmod(opened, stat.S_IMODE(path.stat().st_mode))
                os.fsync(opened)

                def put_in_place() -> None:
                    if nameless is not None and not _give_name(opened, aside):
                        aside.write_bytes(raw)
                        aside.chmod(stat.S_IMODE(path.stat().st_mode))
                    aside.replace(path)

                yield put_in_place
        finally:
            aside.unlink(missing_ok=True)


def _open_nameless(folder: Path) -> int | None:
    """Open a new file without a name; None where the system or the file system has none."""
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
    except (OSError, AttributeError):
        return None


def _give_name(opened: int, path: Path) -> bool:
    """Give a file without a name one; tell whether the system lets us: some containers have no ``/proc``."""
    try:  # `src_dir_fd` is not used, but lets Python call what follows a link
        os.link(f"/proc/self/fd/{opened}", path, src_dir_fd=opened, follow_symlinks=True)
    except OSError:
        return False
    return True


def _remove_left_asides(path: Path) -> None:
    """Remove what a process that was killed wrote aside; another one may be writing now."""
    with contextlib.suppress(OSError):
        for left in path.parent.glob(f".{glob.escape(path.name)}.*{ASIDE}"):
            if time.time() - left.stat().st_mtime > LEFT_S:
                left.unlink()

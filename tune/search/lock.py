"""One process writes an experiment. The operating system holds the lock, so that a dead process cannot."""

import contextlib
import os
import socket
from collections.abc import Iterator

from filelock import FileLock, Timeout

from tune.errors import ExperimentError
from tune.paths import ExperimentPaths, short


@contextlib.contextmanager
def locked(paths: ExperimentPaths) -> Iterator[None]:
    """Hold an experiment; raise ExperimentError when another process does."""
    lock = FileLock(paths.lock, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        holder = _holder(paths)
        hint = "Wait for it, or end it with Ctrl-C."
        raise ExperimentError(short(paths.folder), f"this search is running{holder}", hint) from error
    try:
        paths.holder.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        paths.holder.unlink(missing_ok=True)
        lock.release()


def _holder(paths: ExperimentPaths) -> str:
    with contextlib.suppress(OSError):
        return f" ({paths.holder.read_text(encoding='utf-8').strip()})"
    return ""

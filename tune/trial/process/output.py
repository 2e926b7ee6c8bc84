"""Everything that the driver prints meanwhile goes to a log: Python, C and forked children alike."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

STDOUT, STDERR = 1, 2
_behind_log: list[dict[int, int]] = []


@contextlib.contextmanager
def redirect_output(path: Path) -> Iterator[None]:
    """Point the process's standard output and error at a file, appending."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    kept = {descriptor: os.dup(descriptor) for descriptor in (STDOUT, STDERR)}
    _behind_log.append(kept)
    try:
        _flush_streams()
        for descriptor in kept:
            os.dup2(log, descriptor)
        yield
    finally:
        _behind_log.remove(kept)
        _flush_streams()
        for descriptor, copy in kept.items():
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(log)


def write_to_log(text: str) -> None:
    """Write text to the file that standard error goes to; nothing where it is the user's own."""
    if _behind_log:
        with contextlib.suppress(OSError):
            os.write(STDERR, f"{text}\n".encode(errors="replace"))


@contextlib.contextmanager
def restore_output() -> Iterator[None]:
    """Point standard output and error at the user's own meanwhile, where they are logged."""
    if not _behind_log:
        yield
        return
    logged = {descriptor: os.dup(descriptor) for descriptor in (STDOUT, STDERR)}
    try:
        for descriptor, copy in _behind_log[0].items():
            os.dup2(copy, descriptor)
        yield
    finally:
        _flush_streams()
        for descriptor, copy in logged.items():
            os.dup2(copy, descriptor)
            os.close(copy)


def user_streams() -> tuple[int, int]:
    """Return the descriptors of the user's standard output and error, be they logged or not."""
    kept = _behind_log[0] if _behind_log else {}
    return kept.get(STDOUT, STDOUT), kept.get(STDERR, STDERR)


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()

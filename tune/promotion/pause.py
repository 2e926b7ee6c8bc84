"""Pauses of the cyclic collector: it would look again and again through millions of objects that stay.

Parsing and importing make them. Pauses may overlap, in several threads: it is on again when the last one is over.
"""

import contextlib
import gc
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_n_pauses = 0
_was_on = False
"""Before the first of them."""


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's cyclic collector, if it was on."""
    _pause()
    try:
        yield
    finally:
        _end_pause()


@contextlib.contextmanager
def collector_resumed() -> Iterator[None]:
    """Let it work within a pause, but not on what there is by now."""
    if not _n_pauses:
        yield
        return
    gc.freeze()
    _end_pause()
    try:
        yield
    finally:
        _pause()


def _pause() -> None:
    global _n_pauses, _was_on
    with _lock:
        if not _n_pauses:
            _was_on = gc.isenabled()
            gc.disable()
        _n_pauses += 1


def _end_pause() -> None:
    global _n_pauses
    with _lock:
        _n_pauses -= 1
        if not _n_pauses and _was_on:
            gc.enable()

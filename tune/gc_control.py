"""Pauses of the cyclic collector: it would look again and again through millions of objects that stay.

Parsing and importing make them. Pauses may overlap, in several threads: it is on again when the last one is over.
"""

import contextlib
import gc
import sys
import threading
from collections.abc import Iterator

DEEP = 20_000
"""Calls within each other, for a few thousand expressions within each other."""
_lock = threading.Lock()
_n_pauses = 0
_was_on = False
"""Before the first of them."""
_n_long = 0
"""Of the pauses, those that may be interrupted."""


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's cyclic collector, if it was on."""
    _pause_collector()
    try:
        yield
    finally:
        _end_pause()


@contextlib.contextmanager
def deep_recursion() -> Iterator[None]:
    """Let functions that follow a syntax tree go as deep as Python's own parser does."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEEP))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


@contextlib.contextmanager
def collector_paused_for_long() -> Iterator[None]:
    """Pause it for as long as a process lives, but for the parts that let it work again."""
    global _n_long
    _n_long += 1
    try:
        with collector_paused():
            yield
    finally:
        _n_long -= 1


@contextlib.contextmanager
def collector_resumed() -> Iterator[None]:
    """Let it work within a pause for long, on what is made from now on; without such a pause all stays as it is."""
    if not _n_long:
        yield
        return
    gc.freeze()
    _end_pause()
    try:
        yield
    finally:
        _pause_collector()


def _pause_collector() -> None:
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

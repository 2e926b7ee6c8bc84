"""The cyclic collector's pauses."""

import gc
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tune.gc_control import collector_paused, collector_paused_for_long, collector_resumed


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    """Have the collector on before and after, and as much out of its sight as before.

    Nothing is collected: behind other tests that looks through millions of objects, for seconds.
    """
    was_frozen = gc.get_freeze_count() > 0
    gc.enable()
    yield
    gc.enable()
    if was_frozen:
        gc.freeze()
    else:
        gc.unfreeze()


class Node:
    """May be part of a cycle."""

    me: "Node"


def test_pauses_that_overlap_end_with_the_last() -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(collector_paused())
    second.enter_context(collector_paused())
    first.close()
    assert not gc.isenabled()
    second.close()
    assert gc.isenabled()


def test_who_has_the_collector_off_keeps_it_off() -> None:
    gc.disable()
    with collector_paused_for_long(), collector_resumed():
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_resumed_within_a_pause_it_leaves_what_was_there() -> None:
    with collector_paused_for_long():
        kept = [Node() for _ in range(10)]
        with collector_resumed():
            assert gc.isenabled()
            seen = {id(each) for each in gc.get_objects()}
            assert not seen & {id(each) for each in kept}
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_short_pause_is_not_interrupted() -> None:
    """One in another thread, say: it is on nobody's way."""
    with collector_paused(), collector_resumed():
        assert not gc.isenabled()


MOST_ENDED = 100
"""Objects that other tests have frozen may end meanwhile, one by one."""


def test_without_a_pause_nothing_is_kept_from_it() -> None:
    """A program of the user's that searches in its own process keeps its collector as it is."""
    before = gc.get_freeze_count()
    with collector_resumed():
        assert 0 <= before - gc.get_freeze_count() < MOST_ENDED
        assert gc.isenabled()
    assert gc.isenabled()


def test_a_pause_in_another_that_was_resumed_ends_on_its_own() -> None:
    """As the report's imports do, while trials run."""
    with collector_paused_for_long(), collector_resumed():
        with collector_paused():
            assert not gc.isenabled()
        assert gc.isenabled()

"""A rank that is through while rank 0 waits for it in a call that never returns, as one of NCCL's does."""

import contextlib
import os
import threading
from types import SimpleNamespace

import pytest

from tune.experiment.records import HUNG
from tune.trial.distributed import ranks
from tune.trial.distributed.ranks import RankGroup, RankResult
from tune.trial.process.channel import SAID


class ExitError(Exception):
    """In the place of the process's end."""


def leave(status):
    raise ExitError(status)


@pytest.fixture
def watch(monkeypatch):
    """Return what watches a rank 1 that could not evaluate, and gives what is told of it; then rank 0 is ended."""
    monkeypatch.setattr(ranks, "LAST_S", 0.5)
    result = RankResult(rank=1, pid=0, taken={}, in_force={}, not_evaluated="the test failed: ValueError: broken")

    def watched(*, ends_itself):
        group, told, over = RankGroup.__new__(RankGroup), [], threading.Event()
        group._ranks = {1: SimpleNamespace(poll=lambda timeout_s: True, how_it_died=None, result=result)}
        if ends_itself:
            threading.Timer(0.3, over.set).start()
        with monkeypatch.context() as patch:
            patch.setattr(os, "_exit", leave)
            expected = contextlib.nullcontext() if ends_itself else pytest.raises(ExitError, match=str(SAID))
            with expected:
                group._watch_ranks(told.append, over)
        return [each.failure for each in told]

    return watched


def test_rank_0_that_waits_for_one_whose_test_failed_alone_is_ended(watch):
    (failure,) = watch(ends_itself=False)

    assert failure.kind == HUNG
    assert failure.message == (
        "the test failed: ValueError: broken (rank 1), and rank 0 did not come to its end 0.5 s later"
    )


def test_rank_0_that_comes_to_its_end_is_not_ended(watch):
    assert watch(ends_itself=True) == []

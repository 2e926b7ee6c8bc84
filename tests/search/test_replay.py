"""A search that goes on decides as it would have done without the interruption."""

import math

import pytest

from tests.search.test_ledger import ledger, reopened  # noqa: F401 - fixtures
from tune.paths import ExperimentPaths
from tune.search.scheduler_runner import add_trial, judge_epoch, replay_history
from tune.search.schedulers.asha import Asha
from tune.search.schedulers.hyperband import HyperBand
from tune.search.schedulers.median import MedianStopping
from tune.search.study.study import open_search_study
from tune.trial.messages import EpochReport

RULES = {
    "asha": lambda: Asha("max"),
    "median": lambda: MedianStopping("max", min_samples_required=1),
    "hyperband": lambda: HyperBand("max", max_t=9),
}


def rehearsed(make, book, tmp_path):
    """Return a scheduler that was called by a search, and another one that the search's journal was replayed to."""
    live = make()
    for number in range(4):
        book.ask_baseline() if number == 0 else book.ask_trial()
        add_trial(live, number)
        for epoch in (1, 2):
            book.write_epochs(number, [EpochReport(epoch, 9.0 - number)])
            judge_epoch(live, number, epoch, 9.0 - number)
    book.complete_trial(0)
    live.on_trial_end(0)
    book.fail_trial(1, "ValueError: no")
    live.on_trial_end(1, failed=True)
    book.write_epochs(2, [EpochReport(3, math.nan)])
    live.on_trial_result(2, 3, math.nan)
    book.fail_trial(2, "the metric is nan in epoch 3")
    live.on_trial_end(2, failed=True)
    book.suspend_trials()

    replayed = make()
    again = open_search_study(ExperimentPaths(tmp_path / "exp"), book._space, ())
    replay_history(replayed, again.history, {}, lambda *_: False, lambda _: None)
    return live, replayed


@pytest.mark.parametrize("make", RULES.values(), ids=RULES)
def test_a_replayed_scheduler_has_forgotten_the_same_failed_trials(ledger, tmp_path, make):  # noqa: F811
    live, replayed = rehearsed(make, ledger(), tmp_path)

    for rule in (live, replayed):
        for number in range(4, 8):
            rule.on_trial_add(number)
    calls = [(number, epoch, 10.0 - number) for number in range(4, 8) for epoch in (1, 2, 4)]
    assert [replayed.on_trial_result(*call) for call in calls] == [live.on_trial_result(*call) for call in calls]
    assert list(replayed.take_moves()) == list(live.take_moves())


def test_after_a_replay_failed_trials_are_in_no_rung(ledger, tmp_path):  # noqa: F811
    _, replayed = rehearsed(RULES["asha"], ledger(), tmp_path)

    assert [set(rung.rewards) for rung in replayed._rungs.values()] == [{0, 3}]

"""What a trial takes beside its epochs is measured, told to the scheduler once, and known to a search that goes on."""

import math

import pytest
from optuna.trial import TrialState

from tests.search.test_ledger import ledger, reopened  # noqa: F401 - fixtures
from tests.search.test_stopped import PROGRAM as SCORED
from tune.paths import ExperimentPaths
from tune.search.scheduler_runner import StartupTimes, replay_history
from tune.search.schedulers.asha import Asha
from tune.search.study.journal import read_events
from tune.search.study.study import open_search_study
from tune.trial.messages import EpochReport

PROGRAM = (
    SCORED.replace("import torch\n", "import time\n\nimport torch\n", 1)
    .replace("        loss = ", "        time.sleep(0.1)\n        loss = ", 1)
    .replace("def dataloaders():\n", "def dataloaders():\n    time.sleep(0.25)\n", 1)
)
SPACE = """
metric: Score/Val
mode: max
constants:
  SCORE: {uniform: [0.0, 0.8]}
sampler: random
trials: 24
concurrency: 2
trainer: {max_epochs: 10}
"""


class Told(Asha):
    def __init__(self):
        super().__init__("max", latest=4)
        self.starts = []

    def set_startup_epochs(self, n_epochs):
        self.starts.append(n_epochs)
        super().set_startup_epochs(n_epochs)


def trial(starts, number, before, *ends, step=1):
    """Let a trial's epochs be heard: one that validates in each ``step``th."""
    for epoch, at in enumerate(ends, 1):
        starts.record_epoch(number, EpochReport(step * epoch, 0.5, at=at, before=before))


def test_what_is_left_of_the_gaps_between_trials_is_told_once(ledger):  # noqa: F811
    rule = Told()
    starts = StartupTimes(ledger(), rule)
    trial(starts, 0, None, 100.0, 102.0, 104.0)  # epochs of 2 s
    trial(starts, 7, None, 100.0, 102.0)
    trial(starts, 1, 0.0, 8.0)  # so this is 3 epochs and one
    trial(starts, 2, 8.0, 12.0)
    trial(starts, 3, 20.0, 28.0)
    starts.record_epoch(3, EpochReport(3, 0.5, at=36.0, before=20.0))  # its own take 4 s: this is one and one
    trial(starts, 4, 40.0, 90.0)
    assert rule.starts == []

    trial(starts, 5, 40.0, 48.0)
    trial(starts, 6, 0.0, 500.0)
    assert rule.starts == [pytest.approx(3.0)]  # of 3, 1, 1, 24 and 3


def test_trials_that_validate_seldom_have_a_start_in_epochs_all_the_same(ledger):  # noqa: F811
    rule = Told()
    starts = StartupTimes(ledger(), rule)
    trial(starts, 0, None, 10.0, 20.0, step=5)  # 2 s an epoch
    for number in range(1, 6):
        trial(starts, number, 100.0 * number, 100.0 * number + 16.0, step=5)

    assert rule.starts == [pytest.approx(3.0)]


@pytest.mark.parametrize("ends", [(10.0,), (10.0, 10.0)], ids=["one epoch", "all at one moment"])
def test_where_no_epoch_takes_a_time_nothing_is_told(ledger, ends):  # noqa: F811
    rule = Told()
    starts = StartupTimes(ledger(), rule)
    for number in range(10):
        trial(starts, number, 1.0, *ends)
        starts.record_epoch(number, EpochReport(1, 0.5))

    assert rule.starts == []


def test_trials_that_train_faster_than_others_have_no_negative_start(ledger):  # noqa: F811
    rule = Told()
    starts = StartupTimes(ledger(), rule)
    trial(starts, 0, None, 10.0, 20.0)
    for number in range(1, 6):
        trial(starts, number, 100.0, 101.0)

    assert rule.starts == [0.0]


def test_a_search_that_goes_on_hears_it_where_it_was_told(ledger, tmp_path):  # noqa: F811
    book = ledger()
    live = Told()
    for number in range(4):
        book.ask_baseline() if number == 0 else book.ask_trial()
        live.on_trial_add(number)
        if number == 2:
            book.notes.set_startup_epochs(1.5)
            live.set_startup_epochs(1.5)

    again, heard = open_search_study(ExperimentPaths(tmp_path / "exp"), book._space, ()), Told()
    replay_history(heard, again.history, {}, lambda *_: False, lambda _: None)
    assert heard.starts == [1.5]
    assert [heard.decision_epochs(number) for number in range(4)] == [
        live.decision_epochs(number) for number in range(4)
    ]
    assert [heard.decision_epochs(number)[0] for number in range(4)] == [1, 1, 1, 3]


@pytest.mark.parametrize("noted", ["long", None, [1], True, 10**400, math.nan, math.inf, -1.0])
def test_what_somebody_else_wrote_there_is_not_heard(ledger, reopened, tmp_path, noted):  # noqa: F811
    ledger()
    reopened().set_user_attr("start", noted)

    assert list(read_events(tmp_path / "exp" / "study.journal", {})) == []


@pytest.mark.slow
def test_a_search_whose_trials_take_long_to_start_judges_them_later(search, programs):
    searched = search(programs("slow_start", PROGRAM), SPACE)
    assert searched.error is None
    start = searched.study.user_attrs["start"]
    stopped = [trial for trial in searched.study.trials if trial.state is TrialState.PRUNED]
    # 0.25 s and what Lightning takes to begin, beside epochs of 0.1 s and what it takes for them
    assert 0.75 < start < 8
    late = min(round(2 * start), 4)
    assert late >= 2
    assert min(len(trial.intermediate_values) for trial in stopped[-4:]) >= late

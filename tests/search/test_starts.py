"""What a trial takes beside its epochs is measured, told to the scheduler once, and known to a search that goes on."""

import pytest
from optuna.trial import TrialState

from tests.search.test_ledger import ledger, reopened  # noqa: F401 - fixtures
from tune.paths import ExperimentPaths
from tune.search.ledger.ledger import open_ledger
from tune.search.scheduling.asha import Asha
from tune.search.starts import Starts

PROGRAM = """
import time

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

SCORE = 0.9
START_S = 0.25


class Scored(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(2, 1)

    def training_step(self, batch, idx):
        time.sleep(0.1)
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, idx):
        self.log("Score/Val", SCORE + 0.001 * self.current_epoch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloaders():
    time.sleep(START_S)
    data = TensorDataset(torch.zeros(4, 2))
    return DataLoader(data, batch_size=4), DataLoader(data, batch_size=4)
"""
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

    def start_takes(self, n_epochs):
        self.starts.append(n_epochs)
        super().start_takes(n_epochs)


def test_the_median_of_three_trials_is_told_once_each_trial_by_its_latest_epoch(ledger):  # noqa: F811
    rule, book = Told(), ledger()
    starts = Starts(book, rule)
    for number, start in [(0, None), (2, 9.0), (2, 1.0), (3, None), (4, 3.0)]:
        starts.hear(number, start)
    assert rule.starts == []

    starts.hear(5, 2.0)
    starts.hear(6, 50.0)
    assert rule.starts == [2.0]
    assert book.start == 2.0


def test_a_search_that_goes_on_knows_it_from_the_start(ledger, tmp_path):  # noqa: F811
    book = ledger()
    book.note_start(2.5)
    rule = Told()
    again = open_ledger(ExperimentPaths(tmp_path / "exp"), book._space, ())

    Starts(again, rule).hear(0, 9.0)
    assert rule.starts == [2.5]


@pytest.mark.parametrize("noted", ["long", None, [1]])
def test_what_somebody_else_wrote_there_is_no_number_of_epochs(ledger, reopened, noted):  # noqa: F811
    book = ledger()
    reopened().set_user_attr("start", noted)

    assert book.start is None


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


def test_a_grace_period_in_the_space_stays(search, programs):
    searched = search(programs("slow_start", PROGRAM), f"{SPACE}scheduler_args: {{grace_period: 1}}\n")
    assert searched.error is None
    stopped = [trial for trial in searched.study.trials if trial.state is TrialState.PRUNED]
    assert min(len(trial.intermediate_values) for trial in stopped[-4:]) == 1

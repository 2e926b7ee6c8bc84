"""What a trial that the scheduler stopped leaves in its event file: every epoch that was reported, and its end."""

from optuna.trial import TrialState

from tests.events import by_epoch, session

PROGRAM = """
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

SCORE = 0.9


class Scored(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(2, 1)

    def training_step(self, batch, idx):
        loss = self.net(batch[0]).square().mean()
        self.log("Loss/Train", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, idx):
        self.log("Score/Val", SCORE + 0.001 * self.current_epoch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloaders():
    data = TensorDataset(torch.zeros(4, 2))
    return DataLoader(data, batch_size=4), DataLoader(data, batch_size=4)
"""
SPACE = """
metric: Score/Val
mode: max
constants:
  SCORE: {uniform: [0.0, 0.8]}
sampler: random
trials: 16
concurrency: 2
trainer: {max_epochs: 8}
"""


def test_stopped_trials_when_the_search_is_through_then_hold_every_epoch_that_was_reported(search, programs):
    searched = search(programs("scored", PROGRAM), SPACE)
    assert searched.error is None
    stopped = [trial for trial in searched.study.trials if trial.state == TrialState.PRUNED]

    assert len(stopped) >= 8
    for trial in stopped:
        folder = searched.version(trial).folder
        reported = {epoch: round(value, 4) for epoch, value in trial.intermediate_values.items()}
        curves = by_epoch(folder)
        assert {epoch: round(value, 4) for epoch, value in curves["Score/Val"].items()} == reported
        assert curves["Loss/Train"].keys() == reported.keys()
        assert session(folder).status == "STATUS_SUCCESS"

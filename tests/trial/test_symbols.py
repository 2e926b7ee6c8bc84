"""A trial whose values are names of the source: what they stand for is in force, and is proven to be."""

import pytest

from tests.searched import Worker

PROGRAM = """\
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

ACT = nn.Identity


class Net(pl.LightningModule):
    def __init__(self, loss=nn.functional.mse_loss):
        super().__init__()
        self.act, self.loss = ACT(), loss
        self.weight = nn.Parameter(torch.ones(1))

    def training_step(self, batch, index):
        return self.weight * batch.sum()

    def validation_step(self, batch, index):
        self.log("score", self.loss(self.act(batch), torch.zeros_like(batch)))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


trainer = pl.Trainer(max_epochs=1, enable_progress_bar=False, logger=False, enable_checkpointing=False)
{before}trainer.fit(Net(), DataLoader(torch.ones(2, 1)), DataLoader(torch.full((1, 1), -3.0)))
"""
SPACE = """\
script: train.py
metric: score
mode: min
constants:
  ACT: {choice: [nn.Identity, nn.ReLU, {other}]}
  Net.loss: {choice: [nn.functional.mse_loss, nn.functional.l1_loss]}
"""
HARDCODED = {"ACT": "nn.Identity", "Net.loss": "nn.functional.mse_loss"}


@pytest.fixture
def worker(tmp_path, server):
    def start(before="", other="nn.GELU"):
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "pyproject.toml").touch()
        (folder / "train.py").write_text(PROGRAM.replace("{before}", before))
        (folder / "space.yaml").write_text(SPACE.replace("{other}", other))
        return Worker(folder / "space.yaml", tmp_path / "trials", server)

    return start


def test_the_names_of_a_trial_are_in_force(worker):
    start = worker()
    hardcoded = start.run(HARDCODED, preflight=True)
    other = start.run({**HARDCODED, "Net.loss": "nn.functional.l1_loss"})
    flat = start.run({**HARDCODED, "ACT": "nn.ReLU"})

    assert [trial.reports for trial in (hardcoded, other, flat)] == [[(1, 9.0)], [(1, 3.0)], [(1, 0.0)]]
    assert flat.record.in_force["ACT"] == {"value": "nn.ReLU", "where": "__main__ when training began"}
    assert other.record.in_force["Net.loss"]["value"] == "nn.functional.l1_loss"


@pytest.mark.parametrize(
    ("other", "message", "hint"),
    [
        ("nn.Relu", "ACT: nn.Relu is not known there: module 'torch.nn' has no attribute 'Relu'", "mean nn.ReLU?"),
        ("nn.zz.Relu", "ACT: nn.zz.Relu is not known there: module 'torch.nn' has no attribute 'zz'", "Write a name"),
    ],
)
def test_a_name_that_the_library_lacks_is_refused_in_the_pre_flight(worker, other, message, hint):
    failure = worker(other=other).run(HARDCODED, preflight=True).record.failure

    assert failure.kind == "ProgramError"
    assert failure.message == f"train.py:6: {message}"
    assert hint in str(failure.hint)


def test_a_trial_of_a_search_that_began_before_names_were_checked_fails_at_its_line(worker):
    failure = worker(other="nn.Relu").run({**HARDCODED, "ACT": "nn.Relu"}).record.failure

    assert (failure.kind, failure.place) == ("AttributeError", "train.py:6")
    assert "has no attribute 'Relu'" in failure.message


def test_a_program_that_holds_another_object_when_training_begins_is_told(worker):
    failure = worker("globals().update(ACT=nn.Tanh)\n").run(HARDCODED, preflight=True).record.failure

    assert failure.kind == "ProgramError"
    assert "ACT is not in force" in failure.message

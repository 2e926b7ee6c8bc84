"""PBT where the best learning rate drifts: no fixed rate is right for long, and a mutated one has to be real."""

import statistics

import pytest

from tests.events import scalars

PROGRAM = '''
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

LR = 0.05
GAMMA = 0.98
MAX_EPOCHS = 12
N_STEPS = 16  # in an epoch
SPEED = 0.1  # of the target in the first epoch, in each step
DRIFT = 0.6  # of the speed from epoch to epoch


class Chase(pl.LightningModule):
    """A weight that runs after a target on a line.

    The law: in epoch e, from 0, the target moves SPEED * DRIFT**e a step. The loss is the distance, so its gradient is
    1 or -1 and a step of Adam about as long as its learning rate. A rate below the target's speed falls behind, one far
    above it swings around the target; so the best rate drifts with the speed, here to a 275th in 12 epochs.
    """

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer("target", torch.zeros(()))
        self.register_buffer("won", torch.zeros(()))  # over all epochs: what was lost early stays lost

    @property
    def speed(self):
        return SPEED * DRIFT**self.current_epoch

    def on_train_epoch_start(self):
        self.far = 0.0

    def training_step(self, batch, index):
        self.log("Rate", self.optimizers().param_groups[0]["lr"], on_step=True, on_epoch=False)
        self.target += self.speed
        loss = (self.weight - self.target).abs()
        self.far += loss.item() / N_STEPS
        return loss

    def validation_step(self, batch, index):
        self.won += 1 / (1 + self.far / self.speed / 4)
        self.log("Won/Val", self.won)

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=LR)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, GAMMA)]


def dataloaders():
    return DataLoader(TensorDataset(torch.zeros(N_STEPS))), DataLoader(TensorDataset(torch.zeros(1)))
'''
HEAD = "metric: Won/Val\nmode: max\nconcurrency: 2\ntrainer: {log_every_n_steps: 1}\n"
FIXED = [0.001, 0.0027, 0.0072, 0.019, 0.052, 0.14, 0.37, 1.0]
"""Eight rates over the range that PBT has."""
PBT = (
    "constants: {LR: {loguniform: [0.001, 1]}}\nsampler: random\nscheduler: pbt\n"
    "scheduler_args: {perturbation_interval: 2}\n"
)
N_SEEDS = 10


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "project" / "chase.py"
    path.parent.mkdir()
    path.write_text(PROGRAM)
    return path


def best(searched):
    assert searched.error is None
    assert {trial.state.name for trial in searched.study.trials} == {"COMPLETE"}
    return max(max(trial.intermediate_values.values()) for trial in searched.study.trials)


@pytest.mark.slow
def test_the_step_after_a_mutation_is_made_with_the_mutated_rate(search, program):
    text = HEAD.replace("trainer: {", "trainer: {max_epochs: 6, ")
    searched = search(program, text + PBT + "trials: 5\n")

    n_mutations = 0
    for trial in searched.study.trials:
        steps = dict(scalars(searched.version(trial).folder)["Rate"])
        mutations = trial.user_attrs.get("mutations", [])
        n_mutations += len(mutations)
        for mutation in mutations:
            epoch, rate = mutation["epoch"], mutation["constants"]["LR"]
            assert steps[16 * epoch] == pytest.approx(rate * 0.98**epoch, rel=1e-5)
            assert steps[16 * epoch - 1] != pytest.approx(steps[16 * epoch], rel=1e-2)
    assert n_mutations >= 2


@pytest.mark.slow
def test_where_the_best_rate_drifts_pbt_is_better_than_the_best_of_eight_fixed_rates(search, program, record_property):
    grid = f"constants: {{LR: {{choice: {FIXED}}}}}\nsampler: grid\nscheduler: none\ntrials: 9\n"
    fixed = best(search(program, HEAD + grid))  # nothing in the program is random: one search is all seeds
    found = [best(search(program, f"{HEAD}{PBT}trials: 8\nseed: {seed}\n")) for seed in range(N_SEEDS)]

    record_property("fixed", fixed)
    record_property("pbt", found)
    assert statistics.median(found) > fixed, (fixed, found)

"""Each scheduler in a real search: who paused goes on from its checkpoint, mutations reach the next step."""

import pytest
import torch

from tests.search.conftest import Searched
from tune.errors import MutationError, SpaceError
from tune.paths import ExperimentPaths
from tune.trial.checkpoints.checkpoint_state import read_checkpoint_state

PROGRAM = '''
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

LR = 0.1
WIDTH = 1
BATCH = 4
MAX_EPOCHS = 9


class Net(pl.LightningModule):
    """One weight that walks to 1."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(WIDTH))

    def training_step(self, batch, index):
        return (self.weight - 1).pow(2).sum()

    def validation_step(self, batch, index):
        self.log("Far/Val", (self.weight - 1).abs().sum())

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=LR)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def dataloaders():
    data = DataLoader(TensorDataset(torch.zeros(8)), batch_size=BATCH)
    return data, data
'''
SPACE = """
metric: Far/Val
mode: min
constants:
  LR: {loguniform: [1e-3, 0.4]}
sampler: random
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "project" / "walk.py"
    path.parent.mkdir()
    path.write_text(PROGRAM)
    return path


def states(searched):
    return [trial.state.name for trial in searched.study.trials]


def test_hyperband_pauses_trials_and_lets_the_best_go_on_from_their_checkpoints_interrupted_or_not(
    search, resume, program
):
    def interrupt(outcome):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(program, SPACE + "trials: 10\nscheduler: hyperband\nconcurrency: 1\n", on_end=interrupt)
    paths = ExperimentPaths(next((program.parent.parent / "storage").iterdir()))
    assert "COMPLETE" not in {trial.state.name for trial in Searched(paths).study.trials[1:]}

    searched = resume(paths)

    assert searched.error is None
    trials = searched.study.trials
    assert states(searched)[0] == "COMPLETE"
    curves = {trial.number: sorted(trial.intermediate_values) for trial in trials}
    assert all(epochs == list(range(1, len(epochs) + 1)) for epochs in curves.values())
    # the baseline is in no bracket; nine trials from 1 epoch: six end there, two after 3, one goes to its end
    assert sorted(len(curves[number]) for number in range(1, 10)) == [1] * 6 + [3] * 2 + [9]
    assert sorted(states(searched)[1:]) == ["COMPLETE"] + ["PRUNED"] * 8
    whole = next(trial for trial in trials[1:] if trial.state.name == "COMPLETE")
    assert searched.record(whole).attempt >= 2  # it waited, and went on
    assert whole.intermediate_values[1] <= sorted(trial.intermediate_values[1] for trial in trials[1:])[2]


def test_median_stops_those_that_are_behind(search, program):
    searched = search(program, SPACE + "trials: 8\nscheduler: median\nconcurrency: 1\n")

    assert {*states(searched)} == {"COMPLETE", "PRUNED"}
    assert all(len(trial.intermediate_values) == 9 for trial in searched.study.trials if trial.state.name == "COMPLETE")


def test_a_mutation_is_in_force_in_the_program_and_in_the_next_step_and_no_donors_checkpoint_is_left(search, program):
    arguments = "scheduler_args: {perturbation_interval: 3, resample_probability: 0}\n"
    searched = search(program, SPACE + "trials: 5\nscheduler: pbt\nconcurrency: 2\n" + arguments)

    assert searched.error is None
    exploiting = [trial for trial in searched.study.trials if "mutations" in trial.user_attrs]
    assert exploiting
    for heir in exploiting:
        assert sorted(heir.intermediate_values) == list(range(1, 10))
        *_, mutation = heir.user_attrs["mutations"]
        rate = mutation["constants"]["LR"]
        mark = read_checkpoint_state(searched.version(heir).last_checkpoint)
        assert mark.n_mutations == len(heir.user_attrs["mutations"])
        group = torch.load(searched.version(heir).last_checkpoint, weights_only=True)["optimizer_states"][0][
            "param_groups"
        ][0]
        assert group["initial_lr"] == pytest.approx(rate)
        assert group["lr"] == pytest.approx(rate * 0.9**9)  # the schedule goes on where it was
        assert searched.record(heir).constants == {"LR": rate}
        donor = searched.study.trials[mutation["donor"]]
        assert donor.number != 0
    assert [path.name for path in searched.paths.folder.rglob("after-*.ckpt")] == []


def test_a_constant_that_changes_shapes_is_refused_before_any_training(search, program):
    text = SPACE.replace("  LR:", "  WIDTH: {randint: [1, 4]}\n  LR:") + "trials: 5\nscheduler: pbt\n"

    error = search(program, text).error

    assert isinstance(error, MutationError)
    assert str(error).endswith(
        "/space.yaml:6: pbt changes constants while a trial trains, and WIDTH = 4 "
        "changes the shapes of the weights\n  Take it out of the space, or take another scheduler."
    )


def test_pbt_refuses_conditions(search, program):
    text = SPACE.replace("0.4]}", "0.4]}\n  BATCH: {choice: [2, 4], when: {LR: 0.1}}")
    with pytest.raises(SpaceError):
        search(program, text + "scheduler: pbt\n")


FAILING = PROGRAM.replace(
    "        return (self",
    """        if LR > 0.35 and self.current_epoch == 4:
            raise RuntimeError("diverged")
        return (self""",
)


def test_after_a_fast_trial_failed_others_are_not_stopped_for_its_values(search, tmp_path):
    program = tmp_path / "project" / "fails.py"
    program.parent.mkdir()
    program.write_text(FAILING)
    grid = SPACE.replace("{loguniform: [1e-3, 0.4]}", "{choice: [0.1, 0.4, 0.2]}").replace("random", "grid")

    searched = search(program, grid + "trials: 3\nconcurrency: 1\n")

    assert searched.error is None
    assert [(trial.params["LR"], trial.state.name) for trial in searched.study.trials] == [
        (0.1, "COMPLETE"),
        (0.4, "FAIL"),
        (0.2, "COMPLETE"),
    ]

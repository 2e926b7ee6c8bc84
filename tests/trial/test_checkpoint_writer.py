"""When a trial writes its checkpoints, and what it goes on from."""

import json
import time
from types import SimpleNamespace

import pytest
import torch

from tests.searched import Worker
from tests.trial.test_scores import PROGRAM
from tune.errors import SpaceError
from tune.paths import VersionPaths
from tune.space.space_file import read_space
from tune.trial.checkpoints.checkpoint_writer import CheckpointWriter

SPACE = "script: program.py\nmetric: score\nmode: max\nconstants:\n  LR: {uniform: [0.0, 1.0]}\n"
FIT = "def main(): fit(5)\n"  # worth 0.5, 0.75, 0.625, 0.6875, 0.375


@pytest.fixture
def worker(tmp_path, server):
    def make(checkpoints, more=""):
        (tmp_path / "program.py").write_text(PROGRAM.replace("CHANGES", FIT))
        space = tmp_path / "space.yaml"
        space.write_text(f"{SPACE}checkpoints: {json.dumps(checkpoints)}\n{more}")
        return Worker(space, tmp_path / "experiment", server)

    return make


def epochs_of(trial):
    """Return the epochs, from 0, of the last and the best checkpoint; None where there is none."""
    files = (trial.files.last_checkpoint, trial.files.best_checkpoint)
    return tuple(torch.load(file, weights_only=False)["epoch"] if file.exists() else None for file in files)


@pytest.mark.parametrize(
    ("checkpoints", "epochs"),
    [("auto", (4, 1)), ("epoch", (4, 1)), ("best", (1, 1)), ("none", (None, None)), ("1h", (4, 1)), (0.001, (4, 1))],
)
def test_a_trial_leaves_the_checkpoints_that_were_asked_for(worker, checkpoints, epochs):
    trial = worker(checkpoints).run({"LR": 0.5})

    assert trial.failure is None
    assert [value for _, value in trial.reports] == [0.5, 0.75, 0.625, 0.6875, 0.375]
    assert epochs_of(trial) == epochs


@pytest.mark.parametrize("checkpoints", ["auto", "1h"])
def test_a_trial_that_pauses_goes_on_where_it_was_though_no_checkpoint_was_due(worker, checkpoints):
    made = worker(checkpoints)
    whole, paused = made.run({"LR": 0.5}), made.run_interrupted({"LR": 0.5}, [3, 4])

    assert paused.failure is None
    assert paused.reports == whole.reports
    assert epochs_of(paused) == epochs_of(whole)
    weights = [torch.load(each.files.last_checkpoint, weights_only=False)["state_dict"] for each in (whole, paused)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize(
    ("takes_s", "since_s", "is_due"),
    [(0.2, 0.3, True), (2.0, 10.0, False), (2.0, 41.0, True), (60.0, 590.0, False), (60.0, 610.0, True)],
)
def test_by_itself_a_trial_writes_where_that_is_cheap_or_ten_minutes_would_be_lost(tmp_path, takes_s, since_s, is_due):
    writer = CheckpointWriter(VersionPaths(tmp_path), "auto")
    writer._takes_s, writer._written_at = takes_s, time.monotonic() - since_s
    trainer = SimpleNamespace(strategy=SimpleNamespace(broadcast=lambda value: value))

    assert writer._is_due(trainer, SimpleNamespace(last=False)) is is_due
    assert writer._is_due(trainer, SimpleNamespace(last=True)) is True


@pytest.mark.parametrize("scheduler", ["hyperband", "pbt"])
@pytest.mark.parametrize("checkpoints", ["best", "none"])
def test_a_scheduler_that_pauses_trials_needs_the_last_checkpoint(worker, tmp_path, scheduler, checkpoints):
    with pytest.raises(SpaceError) as refused:
        worker(checkpoints, f"scheduler: {scheduler}\n")
    assert f": {scheduler} pauses trials, which go on from their last checkpoint, got {checkpoints}\n" in str(
        refused.value
    )


@pytest.mark.parametrize("written", ["never", "0", "-5m", "true", "null", "[epoch]"])
def test_what_says_no_time_and_no_word_is_refused(tmp_path, written):
    (tmp_path / "program.py").write_text("LR = 0.5\n")
    (tmp_path / "space.yaml").write_text(f"{SPACE}checkpoints: {written}\n")

    with pytest.raises(SpaceError, match="checkpoints: must be auto, epoch, best, none or a time, got "):
        read_space(tmp_path / "space.yaml")

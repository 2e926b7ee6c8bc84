"""What machines read: strict JSON, and rows whose columns do not move."""

import json
import math

import pytest

from tests.experiments import SPACE, Trial, write_experiment
from tune.experiment.records import Failure
from tune.results.results_as_json import as_object, as_rows

TRIALS = [
    Trial(curve=[0.1, 1 / 3]),
    Trial(curve=[0.25], values={"LR": 0.05, "OPTIMIZER": "sgd"}, state="PRUNED"),
    Trial(state="FAIL", curve=[math.nan], failure=Failure(kind="NaN", message="Score/Val is nan in epoch 1")),
    Trial(state="WAITING"),
]


def test_an_object_is_strict_json_with_every_trial_and_floats_as_they_are(tmp_path):
    experiment = write_experiment(tmp_path, TRIALS)
    found = json.loads(json.dumps(as_object(experiment, experiment.trials), allow_nan=False))

    assert {name: found[name] for name in ("experiment", "folder", "best", "n_trials", "metrics", "hints")} == {
        "experiment": "exp",
        "folder": str(tmp_path / "storage" / "exp"),
        "best": 0,
        "n_trials": 20,
        "metrics": [{"metric": "Score/Val", "mode": "max"}],
        "hints": [],
    }
    assert found["trials"][0] == {
        "experiment": "exp",
        "number": 0,
        "version": "000,baseline",
        "state": "complete",
        "score": 1 / 3,
        "best_epoch": 2,
        "n_epochs": 2,
        "repeat_of": None,
        "reason": None,
        "standard_error": None,
        "n_fits": None,
        "scores": {"Score/Val": 1 / 3},
        "constants": {"LR": 0.01, "BATCH_SIZE": 64, "DROPOUT": 0.1, "OPTIMIZER": "adam"},
        "curve": [[1, 0.1], [2, 1 / 3]],
    }
    assert [trial["state"] for trial in found["trials"]] == ["complete", "pruned", "failed", "waiting"]
    assert (found["trials"][2]["curve"], found["trials"][2]["score"]) == ([[1, None]], None)
    (failure,) = found["failures"]
    assert (failure["cause"], failure["trials"], failure["region"]) == ("Score/Val is not finite", [2], None)


HEAD = ["experiment", "number", "version", "state", "score", "best_epoch", "n_epochs", "repeat_of", "reason"]
HEAD += ["standard_error", "n_fits"]


def test_rows_of_several_experiments_have_the_same_columns(tmp_path):
    one = write_experiment(tmp_path, TRIALS[:2])
    short = SPACE.replace("  OPTIMIZER: {choice: [adam, sgd, rmsprop]}\n", "").replace("Score/Val", "Other")
    two = write_experiment(tmp_path, [Trial(curve=[0.5])], short, name="two")
    header, *rows = as_rows([(one, one.trials), (two, two.trials)])

    scores = ["scores.Score/Val", "scores.Other"]
    constants = ["constants.LR", "constants.BATCH_SIZE", "constants.DROPOUT", "constants.OPTIMIZER"]
    assert header == [*HEAD, *scores, *constants]
    assert rows[0] == [
        *("exp", 0, "000,baseline", "complete", 1 / 3, 2, 2, *[None] * 4),
        *(1 / 3, None, 0.01, 64, 0.1, "adam"),
    ]
    assert rows[2] == [
        *("two", 0, "000,baseline", "complete", 0.5, 1, 1, *[None] * 4),
        *(None, 0.5, 0.01, 64, 0.1, None),
    ]


@pytest.mark.parametrize("trials", [[], [Trial(state="WAITING")]])
def test_an_experiment_without_results_is_read_too(tmp_path, trials):
    experiment = write_experiment(tmp_path, trials)
    found = as_object(experiment, experiment.trials)
    assert (found["best"], len(found["trials"]), found["failures"]) == (None, len(trials), [])
    assert next(as_rows([(experiment, ())])) == HEAD

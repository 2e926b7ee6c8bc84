"""The golden experiment: made once, and opened by every version since, by each command and from Python.

``tests/golden`` holds a project and an experiment as a search of 2026-11 left it. The formats on disk and of ``--json``
are promises: where a test here fails, they have changed.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from tune import load
from tune.cli import main

GOLDEN = Path(__file__).parent / "golden"
BEST, BASELINE = "003,LR=0.0846,HIDDEN=4", "000,baseline"


@pytest.fixture
def storage(tmp_path, monkeypatch):
    shutil.copytree(GOLDEN, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr("sys.argv", ["run_search.py"])
    return tmp_path / "storage"


@pytest.fixture
def run(storage, capfd):
    def call(*words):
        capfd.readouterr()
        status = main([*words, "--storage", str(storage)])
        told = capfd.readouterr()
        assert status == 0, told.out + told.err
        return told.out

    return call


def test_results_are_those_that_were_written(run, storage, tmp_path):
    (experiment,) = json.loads(run("results", "golden", "--json"))["experiments"]

    assert experiment.pop("folder") == str(storage / "golden")
    assert experiment.pop("program") == str(tmp_path / "project" / "net.py")
    assert experiment.pop("confirmation") is None  # it is newer than the golden experiment
    assert experiment == json.loads((GOLDEN / "results.json").read_text())


def test_the_report_shows_every_trial(run, storage):
    run("report", "golden")

    text = (storage / "golden" / "report.html").read_text()
    assert all(version.name in text for version in storage.glob("golden/0*"))


def test_apply_writes_the_best_values_and_puts_the_hardcoded_ones_back(run, storage):
    source = Path("net.py").read_text()
    run("apply", "golden", "--write")
    assert Path("net.py").read_text() == source.replace("LR = 0.01", "LR = 0.08459126528049378")
    run("apply", "golden", "--trial", "0", "--write")
    assert Path("net.py").read_text() == source


def test_load_gives_the_best_epochs_model(storage):
    model = load(storage / "golden")

    held = torch.load(storage / "golden" / BEST / "checkpoints" / "best.ckpt", weights_only=False)
    assert held["epoch"] == 1
    assert all(torch.equal(model.state_dict()[name], held["state_dict"][name]) for name in held["state_dict"])


def test_resume_adds_a_trial_and_retrain_trains_the_best_again(run, storage):
    before = json.loads(run("results", "golden", "--json", "--sort", "number"))["experiments"][0]["trials"]
    run("resume", "golden", "--trials", "+1", "--no-report", "--quiet")
    after = json.loads(run("results", "golden", "--json", "--sort", "number"))["experiments"][0]["trials"]
    run("retrain", "golden", "--trial", "3", "--quiet")

    assert after[:4] == before
    assert [trial["state"] in ("complete", "pruned") for trial in after] == [True] * 5
    (new,) = (each for each in storage.glob("golden/004*"))
    assert keys_of(new / "trial.json") == with_later_keys(keys_of(storage / "golden" / BASELINE / "trial.json"))
    assert names_in(new) == names_in(storage / "golden" / BEST)
    retrained = storage / "golden" / "retrain" / f"000,{BEST.partition(',')[2]}"
    assert names_in(retrained) == {*names_in(storage / "golden" / BEST), "retrain.json"}


def keys_of(file):
    return [*json.loads(file.read_text())]


def with_later_keys(golden):
    """Return the names in a file of today: those of the golden one, and those that were added to it since."""
    place = golden.index("logged")
    held_out = ("weights", "test", "holdout", "held_out_parts", "holdout_of")
    return [*golden[:place], *held_out, "logged", "logged_in", *golden[place + 1 :]]


def names_in(folder):
    """Return all names below a folder, but for numbers in those of event files."""
    names = {file.relative_to(folder).as_posix() for file in folder.rglob("*")}
    return {re.sub(r"tfevents\..*", "tfevents", name) for name in names}


def test_the_names_on_disk_are_these():
    folder = GOLDEN / "storage" / "golden"
    of_a_trial = ["checkpoints", "checkpoints/best.ckpt", "checkpoints/last.ckpt", "events.out.tfevents"]
    of_a_trial += ["hparams.yaml", "log.txt", "trial.json"]

    assert names_in(folder / BEST) == {*of_a_trial}
    assert {each.name for each in folder.iterdir()} == {
        *(BASELINE, "001,LR=0.0125,HIDDEN=2", "002,LR=0.00704,HIDDEN=8", BEST),
        *("driver.log", "source", "space.yaml", "study.journal", "surroundings.json"),
    }
    assert names_in(folder / "source") == {"net.py", "snapshot.json"}
    assert keys_of(folder / "source" / "snapshot.json") == ["program", "root", "search_path"]
    assert keys_of(folder / BEST / "trial.json") == [
        *(
            "number",
            "version",
            "constants",
            "seed",
            "stage",
            "pid",
            "host",
            "worker",
            "log_start",
            "attempt",
            "devices",
        ),
        *("started", "ended", "fit_s", "curve", "ready", "counted", "fits", "standard_error", "warnings", "logged"),
        *("wrote", "n_workers", "taken", "in_force", "ranks", "mutations", "surroundings", "laps", "failure"),
    ]


def test_a_search_of_today_writes_the_same_names(storage, monkeypatch):
    golden = storage / "golden"
    status = main(["--space", "golden.yaml", "--name", "new", "--storage", str(storage), "--no-report", "--quiet"])

    assert status == 0
    assert names_in(storage / "new" / BASELINE) == names_in(golden / BASELINE)
    golden_keys = keys_of(golden / BASELINE / "trial.json")
    assert keys_of(storage / "new" / BASELINE / "trial.json") == with_later_keys(golden_keys)
    written = {each.name for each in (storage / "new").iterdir()}
    assert written - {".lock"} >= {"driver.log", "source", "space.yaml", "study.journal", "surroundings.json"}
    assert keys_of(storage / "new" / "source" / "snapshot.json") == keys_of(golden / "source" / "snapshot.json")

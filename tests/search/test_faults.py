"""Each way in which a trial can go wrong becomes a failure with its reason; the search goes on, or gives up."""

import contextlib
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.projects import write_program
from tune.errors import SearchError

SPACE = """
metric: Score/Val
mode: max
constants:
  FAULT: {{choice: {faults}}}
sampler: grid
scheduler: none
concurrency: {width}
{rest}
"""
FAULTS = [
    "diverges",
    "raises",
    "exits",
    "crashes",
    "is killed",
    "is killed once",
    "takes memory",
    "loops",
    "holds the interpreter",
    "better",
]


def run(search, folder, faults, rest, width=2):
    program = write_program(folder / "project", "faults")
    return search(program, SPACE.format(faults=["none", *faults], rest=rest, width=width))


def by_fault(searched):
    return {trial.user_attrs["constants"]["FAULT"]: trial for trial in searched.study.trials}


@pytest.mark.slow
def test_each_fault_has_its_reason_and_the_best_of_the_rest_is_found(search, tmp_path):
    searched = run(search, tmp_path, FAULTS, "trials: 20\nhang_after: 20\ngive_up_after: 20\nown_folder: true\n")

    assert searched.error is None
    trials = by_fault(searched)
    source = (searched.paths.source / "faults.py").read_text().splitlines()
    raises = 1 + source.index('        raise RuntimeError("no second epoch")')
    exits, crashes = 1 + source.index("        os._exit(3)"), 1 + source.index("        ctypes.string_at(0)")
    reasons = {fault: trial.user_attrs["reason"] for fault, trial in trials.items() if trial.state.name == "FAIL"}
    assert "DefaultCPUAllocator: can't allocate memory" in reasons.pop("takes memory")
    for fault in ("loops", "holds the interpreter"):
        assert re.fullmatch(r"hang: no epoch ended for \d+ s; its stacks are in log\.txt", reasons.pop(fault))
    assert reasons == {
        "diverges": "the metric is nan in epoch 3",
        "raises": f"RuntimeError: no second epoch (faults.py:{raises})",
        "exits": f"the worker died: the program called os._exit(3) (faults.py:{exits})",
        "crashes": f"the worker died: Segmentation fault (faults.py:{crashes})",
        "is killed": "the worker died: killed by SIGKILL",
    }
    attempts = {fault: trial.user_attrs.get("attempt", 1) for fault, trial in trials.items()}
    retried = {"exits", "crashes", "is killed", "is killed once"}
    assert attempts == {fault: 2 if fault in retried else 1 for fault in trials}
    assert trials["is killed once"].state.name == "COMPLETE"
    assert sorted(trials["is killed once"].intermediate_values) == [1, 2, 3, 4]
    for fault in ("loops", "holds the interpreter"):
        assert "in go_wrong" in searched.version(trials[fault]).log.read_text()
        assert searched.record(trials[fault]).failure.kind == "hang"
        assert sorted(trials[fault].intermediate_values) == [1]
    best = max(searched.finished.outcomes, key=lambda outcome: outcome.score or 0)
    assert best.values == {"FAULT": "better"}


def test_a_failure_costs_no_actor_and_each_trial_has_a_process_of_its_own(search, tmp_path):
    searched = run(search, tmp_path, ["raises", "diverges", "raises MemoryError", "better"], "trials: 5\n", width=1)

    records = [searched.record(trial) for trial in searched.study.trials]
    assert len({record.worker for record in records}) == 1
    assert len({record.pid for record in records}) == 5
    assert {fault: trial.state.name for fault, trial in by_fault(searched).items()} == {
        "none": "COMPLETE",
        "raises": "FAIL",
        "diverges": "FAIL",
        "raises MemoryError": "FAIL",
        "better": "COMPLETE",
    }


def test_a_search_gives_up_after_failures_in_a_row_with_one_cause(search, tmp_path):
    program = write_program(tmp_path / "project", "faults")
    program.write_text(program.read_text().replace('FAULT == "raises" and epoch == 2', 'FAULT != "none"'))
    searched = search(program, SPACE.format(faults=["none", *"abcdef"], rest="trials: 20\ngive_up_after: 2\n", width=2))

    assert type(searched.finished.fault) is SearchError
    assert searched.finished.fault.what.startswith(
        "2 trials in a row failed with one cause: RuntimeError: no second epoch"
    )
    states = [trial.state.name for trial in searched.study.trials]
    assert 2 <= states.count("FAIL") <= 4  # one may be over before the baseline is, another runs beside the last
    assert len(searched.study.trials) < 7


SHORT = """
import os, signal, time
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

TRIAL = 0
MAX_EPOCHS = 1


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, index):
        if TRIAL == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.weight.sum()

    def validation_step(self, batch, index):
        self.log("Far/Val", self.weight.sum())

    def configure_optimizers(self):
        time.sleep(0.2)  # long for a trial, short for the start of a worker
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloaders():
    data = DataLoader(TensorDataset(torch.zeros(2)))
    return data, data
"""


@pytest.mark.slow
def test_a_process_that_dies_costs_its_place_nothing_however_short_the_trials_are(search, tmp_path):
    program = tmp_path / "project" / "short.py"
    program.parent.mkdir()
    program.write_text(SHORT)
    text = "metric: Far/Val\nmode: min\nconstants:\n  TRIAL: {randint: [0, 149]}\n"
    searched = search(program, f"{text}sampler: grid\nscheduler: none\nconcurrency: 2\ntrials: 150\nmax_failures: 0\n")

    trials = searched.study.trials
    assert [trial.params["TRIAL"] for trial in trials if trial.state.name == "FAIL"] == [1]
    assert len({searched.record(trial).worker for trial in trials}) == 2


DIES_LATE = """
import atexit, os, signal
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

LR = 0.5
MAX_EPOCHS = 3


def end():
    print("ends by a signal", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, index):
        return self.weight.sum()

    def validation_step(self, batch, index):
        self.log("Far/Val", LR + 0.1 / (1 + self.current_epoch))

    def on_fit_end(self):
        if LR == 0.25 and self.current_epoch == MAX_EPOCHS:
            atexit.register(end)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)


def dataloaders():
    data = DataLoader(TensorDataset(torch.zeros(2)))
    return data, data
"""


def test_a_worker_that_dies_behind_the_end_of_a_trial_loses_none_of_its_epochs(search, tmp_path):
    program = tmp_path / "project" / "late.py"
    program.parent.mkdir()
    program.write_text(DIES_LATE)
    text = (
        "metric: Far/Val\nmode: min\nconstants:\n  LR: {choice: [0.5, 0.25, 0.125]}\nsampler: grid\nscheduler: none\n"
    )
    searched = search(program, f"{text}trials: 3\nconcurrency: 1\n")

    assert searched.error is None
    trials = searched.study.trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    assert [sorted(trial.intermediate_values) for trial in trials] == [[1, 2, 3]] * 3
    assert ["ends by a signal" in searched.version(trial).log.read_text() for trial in trials].count(True) == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the actors are found by the titles of their processes")
def test_actors_that_are_killed_before_the_preflight_end_the_search_with_how_to_begin_again(tmp_path):
    space = SPACE.format(faults=["none", "better"], rest="trials: 2\nsystem: faults.py", width=1)
    write_program(tmp_path / "project", "faults").with_name("s.yaml").write_text(space)
    script, storage = Path(__file__).parents[2] / "run_search.py", ["--storage", str(tmp_path / "storage")]
    words = [sys.executable, script, "--space", "s.yaml", "--quiet", *storage]
    with subprocess.Popen(words, cwd=tmp_path / "project", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as driver:
        kill_actors(psutil.Process(driver.pid))
        _, told = driver.communicate(timeout=60)
    assert driver.returncode == 1
    assert "the worker died before the pre-flight\n" in told.decode()
    assert f"  To begin again: python run_search.py resume {tmp_path / 'storage' / 's'}\n" in told.decode()

    resume = [sys.executable, script, "resume", "s", "--quiet", *storage]
    assert subprocess.run(resume, check=False, cwd=tmp_path / "project", stdout=subprocess.DEVNULL).returncode == 0


def kill_actors(driver):
    """Kill each actor as soon as it is there, until the driver is at its end."""
    until = time.monotonic() + 60
    while driver.is_running() and driver.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        for each in driver.children(recursive=True):
            with contextlib.suppress(psutil.Error, IndexError):
                if "TrialTrainable" in each.cmdline()[0]:
                    each.kill()
        time.sleep(0.05)  # a look at all processes takes CPU from the search; until a pre-flight an actor imports

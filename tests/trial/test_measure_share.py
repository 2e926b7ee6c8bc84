"""What a pre-flight measures of a GPU, with a reader in the place of the GPU."""

import time
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path

import pytest
import torch

from tests.searched import Worker
from tune.experiment.gpu_records import GpuMemoryReport, MemoryFootprint
from tune.promotion.execute import Executor
from tune.promotion.snapshot import Snapshot
from tune.trial.gpu import measure_share
from tune.trial.gpu.gpu_reader import GpuReader
from tune.trial.gpu.measure_share import StepTimer
from tune.trial.lightning.model_signature import StopBeforeTraining
from tune.trial.messages import TrialTask
from tune.trial.process.channel import Channel
from tune.trial.program_run import ignore_report
from tune.trial.trial_runner import TrialRunner

PROGRAM = """
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

BATCH_SIZE = 4
WIDTH = 8
MAX_EPOCHS = 3


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(2, WIDTH)

    def training_step(self, batch, idx):
        if WIDTH > 100:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        torch.held_by_the_test = max(torch.held_by_the_test, WIDTH * len(batch[0]))
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, idx):
        self.log("Loss/Val", self.net(batch[0]).mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloaders():
    data = TensorDataset(torch.zeros(64, 2))
    return DataLoader(data, batch_size=BATCH_SIZE), DataLoader(data, batch_size=BATCH_SIZE)
"""
SPACE = """
system: net.py
metric: Loss/Val
mode: min
constants: {BATCH_SIZE: {choice: [4, 16]}, WIDTH: {choice: [8, 32, 128]}}
"""


class Scale(GpuReader):
    """A reader that the program above moves."""

    def __init__(self):
        torch.held_by_the_test = 0
        self.total_bytes, self.free_bytes = 1000, 900

    def read_peak(self):
        return torch.held_by_the_test

    def read_context_bytes(self):
        return 50


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """Return what runs the pre-flight of a program that measures these loads, and returns its record."""
    monkeypatch.setattr(torch, "held_by_the_test", 0, raising=False)
    monkeypatch.setattr("tune.trial.trial_runner.GpuReader", Scale)
    monkeypatch.setattr("tune.trial.trial_runner.CAN_FORK", False)  # it is measured in this process
    monkeypatch.setattr("tune.trial.trainer_setup.read_utilization", lambda: 0.25)
    monkeypatch.setattr(measure_share, "WARM_UP_S", 0)
    monkeypatch.setattr(measure_share, "SAMPLE_S", 0)

    def measure(loads, program=PROGRAM, more=""):
        (tmp_path / "project").mkdir()
        (tmp_path / "project" / "net.py").write_text(program)
        path = tmp_path / "project" / "s.yaml"
        path.write_text(SPACE + more)
        job = replace(Worker(path, tmp_path / "storage", server=None).job, loads=loads)
        sites = {key: constant.sites for key, constant in job.constants.items()}
        task = TrialTask(
            number=0,
            version=str(tmp_path / "storage" / "000"),
            seed=0,
            values={"BATCH_SIZE": 4, "WIDTH": 8},
            hardcoded=True,
            preflight=True,
            rehearsal=True,
            weighs=True,
        )
        theirs, ours = Pipe()
        with theirs, ours:
            runner = TrialRunner(job, task, Executor(Snapshot(job.snapshot, job.program), sites), Channel(ours))
            return runner.run_trial(ignore_report, lambda *_: None)

    return measure


def test_each_configuration_is_trained_and_nothing_of_it_stays(measure, tmp_path):
    record = measure({"as it is": {}, "the corner": {"BATCH_SIZE": 16, "WIDTH": 32}})

    expected = GpuMemoryReport(
        total_bytes=1000,
        free_bytes=900,
        context_bytes=50,
        footprints=(
            MemoryFootprint(what="as it is", peak_bytes=4 * 8),
            MemoryFootprint(what="the corner", peak_bytes=16 * 32),
        ),
        utilization=0.25,
    )
    assert record.gpu_memory == expected.as_json()
    assert record.failure is None
    assert {entry.name for entry in Path(tmp_path / "storage" / "000").iterdir()} == {"trial.json"}


def test_one_that_wants_more_than_there_is_says_so_and_costs_the_others_nothing(measure):
    record = measure({"as it is": {}, "too wide": {"WIDTH": 128}, "wide": {"WIDTH": 32}})

    assert [(each["what"], each["overflows"]) for each in record.gpu_memory["footprints"]] == [
        ("as it is", False),
        ("too wide", True),
        ("wide", False),
    ]
    assert record.gpu_memory["footprints"][1]["failure"].startswith("OutOfMemoryError: CUDA out of memory.")
    assert record.gpu_memory["footprints"][2]["peak_bytes"] == 4 * 32


@pytest.mark.parametrize("text", ["CUDA error: CUBLAS_STATUS_ALLOC_FAILED", "unable to find an engine to execute this"])
def test_memory_that_a_library_of_cuda_has_none_of_is_an_overflow(measure, text):
    program = PROGRAM.replace('torch.OutOfMemoryError("CUDA out of memory.")', f'RuntimeError("{text}")')

    assert measure({"too wide": {"WIDTH": 128}}, program).gpu_memory["footprints"][0]["overflows"]


@pytest.mark.parametrize("n_batches", [1, 1000])
def test_a_forward_is_measured_beside_the_optimizers_state_whenever_it_steps(measure, n_batches):
    program = PROGRAM.replace("WIDTH * len(batch[0])", "len(self.optimizers().optimizer.state)")
    loads = {"as it is": {}, "the corner": {"WIDTH": 32}}
    record = measure(loads, program, f"trainer: {{accumulate_grad_batches: {n_batches}}}\n")

    assert [each["peak_bytes"] for each in record.gpu_memory["footprints"]] == [2, 2]  # weight and bias


ACCUMULATES = {  # where a program says how many batches a step has, beside the Trainer's arguments
    "a callback": """
    def configure_callbacks(self):
        return [pl.callbacks.GradientAccumulationScheduler({0: 8})]
""",
    "the model, as an epoch starts": """
    def on_train_epoch_start(self):
        self.trainer.accumulate_grad_batches = 8
""",
}


@pytest.mark.parametrize("more", ACCUMULATES.values(), ids=ACCUMULATES)
def test_a_forward_is_measured_beside_the_optimizers_state_whatever_else_says_when_it_steps(measure, more):
    program = PROGRAM.replace("WIDTH * len(batch[0])", "len(self.optimizers().optimizer.state)")
    program = program.replace("\n\n\ndef dataloaders", f"\n{more}\n\ndef dataloaders")
    record = measure({"as it is": {}, "the corner": {"BATCH_SIZE": 16, "WIDTH": 32}}, program)

    assert [each["peak_bytes"] for each in record.gpu_memory["footprints"]] == [2, 2]


def test_a_training_is_measured_for_some_seconds_of_steps_and_no_longer(measure, monkeypatch):
    monkeypatch.setattr(measure_share, "STEPS_S", 0.5)
    program = PROGRAM.replace("MAX_EPOCHS = 3", "MAX_EPOCHS = 100_000")
    began = time.monotonic()
    record = measure({"as it is": {}}, program)

    assert record.gpu_memory["utilization"] == 0.25
    assert 0.5 <= time.monotonic() - began < 60


@pytest.fixture
def clock(monkeypatch):
    """Return what the seconds are of a clock that stands still: a list of one."""
    seconds = [100.0]
    monkeypatch.setattr(measure_share.time, "monotonic", lambda: seconds[0])
    return seconds


def read_at(clock, timer, *seconds):
    for each in seconds:
        clock[0] = 100 + each
        timer.on_train_batch_end(None, None)


def test_the_first_second_of_steps_does_not_count(clock):
    read = iter([0.9, 0.8, 0.5, 0.7])
    timer = StepTimer(lambda: next(read))
    read_at(clock, timer, 0, 0.1, 0.3, 0.6, 1.0, 1.1)
    with pytest.raises(StopBeforeTraining):
        read_at(clock, timer, 4.0)

    assert timer.utilization == 0.6


def test_of_a_training_that_is_over_by_then_the_last_reading_counts(clock):
    read = iter([0.9, 0.8])
    timer = StepTimer(lambda: next(read))
    read_at(clock, timer, 0, 0.3, 0.6)

    assert timer.utilization == 0.8


def test_where_nvml_does_not_tell_how_busy_the_gpu_is_nothing_is_known(clock):
    timer = StepTimer(lambda: None)
    read_at(clock, timer, 0, 0.3, 2.0)

    assert timer.utilization is None

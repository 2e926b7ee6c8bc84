"""What configurations take of a GPU's memory, with a gauge in the place of the GPU."""

import os

import pytest
import torch

from tests.searched import Worker
from tune.cluster.gpu_sharing import _measure_in_process
from tune.trial.measure_memory import measure_configs
from tune.trial.messages import GpuMemoryReport, MemoryFootprint

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


class Scale:
    """A gauge that the program above moves."""

    def read_total_and_free(self):
        return 1000, 900

    def reset_peak(self):
        torch.held_by_the_test = 0

    def read_peak(self):
        return torch.held_by_the_test

    def read_context_bytes(self):
        return 50


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Return what makes the job of a program and its space."""
    monkeypatch.setattr(torch, "held_by_the_test", 0, raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def build(program, space):
        (tmp_path / "project").mkdir()
        (tmp_path / "project" / "net.py").write_text(program)
        path = tmp_path / "project" / "s.yaml"
        path.write_text(space)
        return Worker(path, tmp_path / "storage", server=None).job

    return build


@pytest.fixture
def job(build):
    return build(PROGRAM, SPACE)


def test_each_configuration_is_trained_for_a_batch_or_two_and_nothing_of_it_stays(job, tmp_path):
    loads = {"as it is": {}, "the corner": {"BATCH_SIZE": 16, "WIDTH": 32}}

    assert measure_configs(job, 0, loads, Scale()) == GpuMemoryReport(
        total_bytes=1000,
        free_bytes=900,
        context_bytes=50,
        footprints=(
            MemoryFootprint(what="as it is", peak_bytes=4 * 8),
            MemoryFootprint(what="the corner", peak_bytes=16 * 32),
        ),
    )
    assert {entry.name for entry in tmp_path.iterdir()} == {"project", "storage"}


@pytest.mark.parametrize("text", ["CUDA error: CUBLAS_STATUS_ALLOC_FAILED", "unable to find an engine to execute this"])
def test_memory_that_a_library_of_cuda_has_none_of_is_an_overflow(build, text):
    job = build(PROGRAM.replace('torch.OutOfMemoryError("CUDA out of memory.")', f'RuntimeError("{text}")'), SPACE)

    assert measure_configs(job, 0, {"too wide": {"WIDTH": 128}}, Scale()).footprints[0].overflows


def test_one_that_wants_more_than_there_is_says_so_and_costs_the_others_nothing(job):
    found = measure_configs(
        job, 0, {"as it is": {"WIDTH": 8}, "too wide": {"WIDTH": 128}, "wide": {"WIDTH": 32}}, Scale()
    )

    assert [(each.what, each.overflows) for each in found.footprints] == [
        ("as it is", False),
        ("too wide", True),
        ("wide", False),
    ]
    assert found.footprints[1].failure.startswith("OutOfMemoryError: CUDA out of memory.")
    assert found.footprints[2].peak_bytes == 4 * 32


def test_the_process_that_measures_is_no_task_of_slurm_s(job, monkeypatch):
    monkeypatch.setattr("tune.trial.measure_memory.CudaMemoryReader", Scale)
    for name, text in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "search", "RANK": "1"}.items():
        monkeypatch.setenv(name, text)

    assert _measure_in_process(job, 0, {"as it is": {}}).footprints == (
        MemoryFootprint(what="as it is", peak_bytes=4 * 8),
    )
    assert "RANK" not in os.environ


@pytest.mark.parametrize("n_batches", [1, 4])
def test_a_forward_is_measured_beside_the_optimizers_state_whenever_it_steps(build, n_batches):
    program = PROGRAM.replace("WIDTH * len(batch[0])", "len(self.optimizers().optimizer.state)")
    job = build(program, f"{SPACE}trainer: {{accumulate_grad_batches: {n_batches}}}\n")

    assert [each.peak_bytes for each in measure_configs(job, 0, {"as it is": {}}, Scale()).footprints] == [
        2
    ]  # weight and bias

"""What a process reads of its GPU, with NVML and torch told what to say: no GPU is needed."""

import pynvml
import pytest
import torch

from tests.nvml import fake_nvml
from tune.experiment.gpu_records import CONTEXT_BYTES
from tune.trial.gpu.gpu_reader import GpuReader, read_utilization

GIB = 2**30


class Nvml:
    """A GPU of 16 GiB with some in use, by its name."""

    def __init__(self, monkeypatch):
        self.used, self.asked = GIB, []
        for name in ("nvmlInit", "nvmlShutdown"):
            monkeypatch.setattr(pynvml, name, lambda: None)
        for name in ("nvmlDeviceGetHandleByIndex", "nvmlDeviceGetHandleByUUID"):
            monkeypatch.setattr(pynvml, name, self.asked.append)
        monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda handle: self)

    total = 16 * GIB

    @property
    def free(self):
        return self.total - self.used


@pytest.fixture
def nvml(monkeypatch):
    return Nvml(monkeypatch)


def test_what_others_took_before_is_not_free_and_not_ours(nvml, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 2 * GIB)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 3 * GIB)
    reader = GpuReader()

    assert (reader.total_bytes, reader.free_bytes) == (16 * GIB, 15 * GIB)
    assert reader.read_peak() == 3 * GIB
    nvml.used = int(3.75 * GIB)
    assert reader.read_context_bytes() == int(0.75 * GIB)
    nvml.used = 3 * GIB  # nothing beside torch's own: it was another GPU's, or somebody gave some back
    assert reader.read_context_bytes() == CONTEXT_BYTES


@pytest.mark.parametrize(("visible", "asked"), [(None, 0), ("3", 3), ("2,0", 2), ("GPU-5ebe", "GPU-5ebe")])
def test_the_gpu_that_is_asked_is_the_first_that_may_be_seen(nvml, monkeypatch, visible, asked):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    GpuReader()

    assert nvml.asked == [asked]


def test_where_nvml_does_not_tell_cuda_does(nvml, monkeypatch):
    def refuse():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_PERMISSION)

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (5 * GIB, 16 * GIB))
    reader = GpuReader()

    assert (reader.total_bytes, reader.free_bytes) == (16 * GIB, 5 * GIB)
    assert reader.read_context_bytes() == CONTEXT_BYTES


@pytest.mark.parametrize(("visible", "gib"), [("0", 10), ("1", 80), ("MIG-a2", 20), (None, 10)])
def test_a_sliced_gpu_has_the_memory_of_its_slice(monkeypatch, visible, gib):
    slices = [{"uuid": "MIG-a1", "gib": 10}, {"uuid": "MIG-a2", "gib": 20}]
    fake_nvml(monkeypatch, [{"uuid": "GPU-5ebe", "gib": 80, "slices": slices}, {"uuid": "GPU-77", "gib": 80}])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    reader = GpuReader()
    assert (reader.total_bytes, reader.free_bytes) == (gib * GIB, gib * GIB)


def test_of_a_program_that_does_not_use_cuda_by_torch_what_the_gpu_gave_out_since_counts(nvml):
    reader = GpuReader()
    nvml.used = 5 * GIB

    assert (reader.read_peak(), reader.read_context_bytes()) == (4 * GIB, CONTEXT_BYTES)


def test_where_nobody_can_tell_nothing_is_known(nvml, monkeypatch):
    def refuse():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_PERMISSION)

    monkeypatch.setattr(pynvml, "nvmlInit", refuse)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    reader = GpuReader()
    assert (reader.total_bytes, reader.free_bytes) == (0, 0)
    assert read_utilization() is None


@pytest.mark.parametrize(("gpu", "busy"), [({"busy": 37}, 0.37), ({}, None)])
def test_how_busy_the_gpu_is_nvml_tells_where_it_can(monkeypatch, gpu, busy):
    fake_nvml(monkeypatch, [{"uuid": "GPU-5ebe", **gpu}])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    assert read_utilization() == busy

"""What a trial used of its GPU: the node's sampler, and what trials read of it."""

import os
import time
from dataclasses import replace

import pytest
import torch

from tests.events import scalars
from tests.nvml import fake_nvml
from tests.trial.test_own_process import program
from tune.experiment.gpu_records import GpuUsage, read_gpu_usage
from tune.trial.gpu import gpu_sampler as sampler
from tune.trial.gpu.gpu_sampler import GpuSampler, read_samples
from tune.trial.gpu.usage_meter import GpuUsageMeter

GIB = 2**30
GPUS = [{"uuid": "GPU-1", "name": "NVIDIA T4", "gib": 16, "busy": 20}, {"uuid": "GPU-2", "gib": 16, "busy": 90}]


@pytest.fixture
def sample(monkeypatch, tmp_path):
    """Return what starts a sampler of the node; all end with the test."""
    fake_nvml(monkeypatch, GPUS)
    monkeypatch.setattr(sampler, "PERIOD_S", 0.01)
    monkeypatch.setattr(sampler, "LOOK_S", 0.01)
    started = []

    def start():
        started.append(GpuSampler(tmp_path))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.close()
        each._thread.join()


def wait_for(condition):
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    assert condition()


def count(file):
    return read_samples(file).get("GPU-1", (0, 0.0))[0]


def test_all_gpus_of_a_node_are_sampled(sample):
    file = sample().file
    wait_for(lambda: count(file) > 5)

    means = {uuid: total / n for uuid, (n, total) in read_samples(file).items()}
    assert means == {"GPU-1": pytest.approx(0.2), "GPU-2": pytest.approx(0.9)}


def test_one_samples_and_another_one_goes_on_when_it_has_ended(sample):
    first = sample()
    wait_for(lambda: count(first.file) > 3)
    second = sample()
    first.close()
    first._thread.join()
    n = count(first.file)
    wait_for(lambda: count(second.file) > n + 3)


def test_a_sampler_ends_with_the_folder_of_its_node_and_makes_none(sample, tmp_path):
    one = sample()
    wait_for(lambda: count(one.file) > 1)
    tmp_path.rename(tmp_path.with_name("removed"))
    one._thread.join(20)

    assert not one._thread.is_alive()
    assert not tmp_path.exists()


def test_a_trial_knows_how_busy_its_own_gpu_was_since_it_began(sample, monkeypatch, tmp_path):
    file = tmp_path / sampler.SAMPLES
    file.write_text('{"GPU-1": [10, 10.0], "GPU-2": [10, 10.0]}')
    meter = GpuUsageMeter("1", file)
    file.write_text('{"GPU-1": [12, 10.0], "GPU-2": [14, 11.0]}')

    assert meter.read_usage() == GpuUsage(uuid="GPU-2", name="NVIDIA H200", total_bytes=16 * GIB, utilization=0.25)
    assert meter.read_epoch() == {"GPU/Utilization": 0.25}
    file.write_text('{"GPU-1": [12, 10.0], "GPU-2": [16, 13.0]}')
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 3 * GIB)
    assert meter.read_epoch() == {"GPU/PeakMemoryGiB": 3.0, "GPU/Utilization": 1.0}
    assert meter.read_usage().utilization == 0.5
    assert meter.read_usage().peak_bytes == 3 * GIB


TAKEN = [  # GPUs of the trial, whether it uses CUDA, what NVML says of the GPU; what others have, in GiB
    ("1", False, {"used": 12}, 12),
    ("1", True, {"used": 12}, 12 - 10 - 0.5),  # less what torch has reserved, and CUDA keeps
    ("1", True, {"used": 4}, 0),
    ("1", False, {"slices": [{"uuid": "MIG-1", "gib": 8, "used": 4}]}, 0),
    ("", False, {"used": 12}, 0),
    ("0,1", False, {"used": 12}, 0),
]


@pytest.mark.parametrize(("visible", "uses_cuda", "gpu", "taken"), TAKEN)
def test_what_others_have_of_a_trials_gpu_as_it_ends_is_known(monkeypatch, visible, uses_cuda, gpu, taken):
    fake_nvml(monkeypatch, GPUS)
    meter = GpuUsageMeter(visible, None, n_ranks=len(visible.split(",")))
    fake_nvml(monkeypatch, [GPUS[0], {**GPUS[1], **gpu}])
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: uses_cuda)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 10 * GIB)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 10 * GIB)

    assert meter.read_usage().taken_bytes == taken * GIB


def test_of_a_trial_of_several_processes_the_gpu_of_each_counts(monkeypatch, tmp_path):
    fake_nvml(monkeypatch, GPUS)
    file = tmp_path / sampler.SAMPLES
    meter = GpuUsageMeter("0,1", file, n_ranks=2)
    file.write_text('{"GPU-1": [2, 0.5], "GPU-2": [4, 3.0]}')
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: (2 + 3 * meter.rank) * GIB)
    if (other := os.fork()) == 0:
        meter.rank = 1
        meter.note_peak()
        os._exit(0)
    os.waitpid(other, 0)

    assert meter.read_epoch() == {"GPU/PeakMemoryGiB": 5.0, "GPU/Utilization": 0.5}
    assert meter.read_usage() == GpuUsage(
        uuid="GPU-2", name="NVIDIA H200", total_bytes=16 * GIB, peak_bytes=5 * GIB, utilization=0.5
    )


def test_what_another_process_of_a_trial_reserves_is_in_its_record_and_in_tensorboard(worker):
    reserves = "torch.cuda.max_memory_reserved = lambda: (1 + int(os.environ['RANK'])) * 2**30"
    begun = worker("program", program(at_import=reserves), metric="Loss/Val", mode="min")
    begun.job = replace(begun.job, n_ranks=2, gpu_share=2.0)
    trial = begun.run()

    assert trial.failure is None
    assert trial.record.gpu["peak_bytes"] == 2 * GIB
    assert scalars(trial.files.folder)["GPU/PeakMemoryGiB"][-1][1] == 2.0


def test_behind_a_cuda_error_what_was_told_before_counts(monkeypatch):
    def fail():
        raise RuntimeError("CUDA error: device-side assert triggered")

    fake_nvml(monkeypatch, GPUS)
    meter = GpuUsageMeter("0", None)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 3 * GIB)
    meter.note_peak()
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", fail)

    assert meter.read_usage().peak_bytes == 3 * GIB


def test_where_nothing_is_sampled_nothing_is_said(monkeypatch, tmp_path):
    fake_nvml(monkeypatch, "Driver/library version mismatch")
    meter = GpuUsageMeter("0", tmp_path / "nothing")

    assert (meter.read_usage(), meter.read_epoch()) == (GpuUsage(), {})


@pytest.mark.parametrize("text", ["", "[]", '{"GPU-1": 3}', '{"GPU-1": ["a", 1]}'])
def test_a_file_that_we_did_not_write_says_nothing(tmp_path, text):
    file = tmp_path / "samples"
    file.write_text(text)

    assert read_samples(file) == {}


@pytest.mark.parametrize("data", [None, {}, {"peak": 1}, {"peak_bytes": "all"}])
def test_a_usage_that_we_did_not_write_is_none(data):
    assert read_gpu_usage(data) is None

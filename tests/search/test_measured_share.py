"""How many trials share a GPU where the pre-flight measures it: in whole searches, with a GPU that NVML makes up."""

import json

import pytest

from tests.events import scalars
from tests.gpu_search import GPU, SPACE, TAKES, search
from tests.nvml import fake_nvml
from tune.cluster.resources import plan_resources
from tune.space.settings import Settings


def at_a_time(records):
    """Return how many trials ran at the same time, at the most."""
    return max(sum(each["started"] <= at["started"] < each["ended"] for each in records) for at in records)


MEASURED = (
    "a GPU has room for 4 trials in the 24.0 of 24.0 GiB that are free; measured: the hardcoded values 1.0 GiB, "
    "MAX_EPOCHS=6 5.0 GiB, CUDA itself 0.5 GiB in each; one trial keeps it 20% busy\n"
)


def test_small_trials_share_a_gpu_though_nobody_said_so(tmp_path):
    ran, records = search(tmp_path, "--cpus-per-trial", "0.25", "--no-report")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "\n5 trials, as many at a time as a GPU has room for; sampler" in ran.stdout
    assert f"gpus_per_trial: 0.25 as measured, 4 at a time: {MEASURED}" in ran.stdout
    assert [each["stage"] for each in records] == ["complete"] * 5
    assert [each["devices"] for each in records] == ["0"] * 5
    assert at_a_time(records[1:]) >= 3
    assert not any("threads" in each["surroundings"] for each in records)
    assert "gpus_per_trial: null\n" in (tmp_path / "storage" / "s" / "space.yaml").read_text()


@pytest.mark.slow
def test_a_search_that_goes_on_and_a_retraining_have_the_share_that_was_measured(tmp_path):
    search(tmp_path, "--cpus-per-trial", "0.25", "--no-report", "--trials", "3")
    words = ["--cpus-per-trial", "0.25", "--trials", "6"]
    ran, records = search(tmp_path, *words, "--no-report", command=("resume", "s"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 at a time with 0.25 GPU and 25% of its memory each; " in ran.stdout
    assert [each["stage"] for each in records] == ["complete"] * 6

    ran, _ = search(tmp_path, command=("retrain", "s"))
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gpu", "space", "told"),
    [
        ({**GPU, "busy": 96}, SPACE, "a GPU has room for 1 trial in the 24.0 of 24.0 GiB that are free"),
        ({**GPU, "gib": 8}, SPACE, "a GPU has room for 1 trial in the 8.0 of 8.0 GiB that are free"),
    ],
)
def test_trials_that_fill_a_gpu_do_not_share_it(tmp_path, gpu, space, told):
    ran, records = search(tmp_path, "--cpus-per-trial", "0.25", "--no-report", gpus=[gpu], space=space)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"gpus_per_trial: 1 as measured, 1 at a time: {told}" in ran.stdout
    assert at_a_time(records) == 1


@pytest.mark.slow
def test_the_share_that_auto_measures_is_told_and_the_space_holds_it(tmp_path):
    ran, records = search(tmp_path, "--cpus-per-trial", "0.25", "--no-report", "--gpus-per-trial", "auto", "--gpu", "0")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"gpus_per_trial: 0.25 as measured, 4 at a time: {MEASURED}" in ran.stdout
    assert [each["stage"] for each in records] == ["complete"] * 5
    assert "gpus_per_trial: 0.25\n" in (tmp_path / "storage" / "s" / "space.yaml").read_text()


@pytest.mark.slow
def test_a_pre_flight_that_fails_says_what_it_ever_said(tmp_path):
    ran, _ = search(tmp_path, takes=TAKES + 'raise ValueError("broken")\n')

    assert ran.returncode == 1
    assert "the baseline failed in the pre-flight: ValueError: broken\n" in ran.stderr


@pytest.mark.slow
def test_what_trials_used_of_a_gpu_is_in_their_records_the_tables_tensorboard_and_the_report(tmp_path):
    takes = f"{TAKES}\nPACE_S = 1.2\n"
    words = ["--gpus-per-trial", "1", "--trials", "3", "--sampler", "random", "--no-report"]
    ran, records = search(tmp_path, *words, takes=takes)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 CPU cores, 1 GPU (NVIDIA T4 with 24 GiB)\n" in ran.stdout
    usage = {"uuid": "GPU-1", "name": "NVIDIA T4", "total_bytes": 24 * 2**30, "peak_bytes": 0, "utilization": 0.2}
    assert min(each["gpu"].pop("taken_bytes") for each in records) >= 2**30  # what the program takes is not torch's
    assert [each["gpu"] for each in records] == [{**usage, "utilization": pytest.approx(0.2)}] * 3
    assert [each["gpu_share"] for each in records] == [1.0] * 3
    assert "hint: the GPUs were busy 20% of the time while trials ran: " in ran.stdout

    curves = [scalars(version) for version in (tmp_path / "storage" / "s").glob("0*")]
    busy = [value for each in curves for _, value in each.get("GPU/Utilization", [])]
    assert busy == [pytest.approx(0.2)] * len(busy)
    assert busy

    ran, _ = search(tmp_path, "--json", command=("results", "s"))
    trials = json.loads(ran.stdout)["experiments"][0]["trials"]
    assert [each["gpu"]["name"] for each in trials] == ["NVIDIA T4"] * 3
    ran, _ = search(tmp_path, command=("results", "s"))
    assert "GPU GiB   GPU busy" in ran.stdout
    ran, _ = search(tmp_path, command=("report", "s"))
    assert "busy 20% of the time" in (tmp_path / "storage" / "s" / "report.html").read_text()


MEASURES = [  # GPUs, settings; whether the pre-flight measures how many trials share one
    (1, {}, True),
    (8, {}, True),
    (8, {"concurrency": 4}, False),  # each has one of its own anyway
    (8, {"trials": 8}, False),
    (1, {"trials": 1}, False),
    (1, {"concurrency": 4}, True),
    (1, {"gpus_per_trial": 1}, False),
    (1, {"gpus_per_trial": 0.5}, False),
    (1, {"gpus_per_trial": "auto"}, True),
    (4, {"workers_per_trial": 2}, False),
    (1, {"trainer": {"accelerator": "cpu"}}, False),
    (0, {}, False),
]


@pytest.mark.parametrize(("n_gpus", "asked", "measures"), MEASURES)
def test_it_is_measured_where_nobody_said_and_trials_are_more_than_gpus(monkeypatch, n_gpus, asked, measures):
    fake_nvml(monkeypatch, [{"uuid": f"GPU-{number}", "gib": 24} for number in range(n_gpus)])
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.13.0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("PROMOTUNE_LOGICAL_GPUS", raising=False)

    assert plan_resources(Settings(**asked), None).is_measured is measures


def test_of_a_gpu_whose_memory_nvml_does_not_tell_nothing_is_measured(monkeypatch):
    fake_nvml(monkeypatch, [{"uuid": "GPU-1"}])
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.13.0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    assert not plan_resources(Settings(), None).is_measured

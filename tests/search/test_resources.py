"""What a trial gets of this machine, and what is refused."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.projects import write_program
from tune.errors import OptionError
from tune.search.resources import plan_resources
from tune.space.settings import Settings

ROOT = Path(__file__).parents[2]
SPACE = """
system: paced.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-3, 1]}
trials: 8
scheduler: none
"""


@pytest.fixture(autouse=True)
def four_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))


SLOTS = [(None, 4), (1, 4), (2, 2), (3, 1), (4, 1), (0.5, 8), (0.6, 4), (0.1, 20), (1 / 3, 12), (0, 8)]


@pytest.mark.parametrize(("share", "slots"), SLOTS)
def test_as_many_trials_run_at_a_time_as_fit_on_whole_gpus(share, slots):
    assert plan_resources(Settings(gpus_per_trial=share), None).concurrency == slots


REFUSED = [
    ({"gpus_per_trial": 5}, "gpus_per_trial: a trial asks for 5 GPUs, there are 4\n  Ask for fewer."),
    ({"cpus_per_trial": 9}, "cpus_per_trial: a trial asks for 9 CPU cores, there are 8\n  Ask for fewer."),
    (
        {"gpus_per_trial": 0.6, "concurrency": 5},
        (
            "concurrency: 5 trials at a time with 0.6 GPU each do not fit on 4: 4 do\n"
            "  Ask for fewer, or give each a smaller share of a GPU."
        ),
    ),
]


@pytest.mark.parametrize(("asked", "message"), REFUSED)
def test_what_can_never_be_met_is_refused(asked, message):
    with pytest.raises(OptionError) as refused:
        plan_resources(replace(Settings(), **asked), None)
    assert str(refused.value) == message


def searched(folder, *words):
    """Search with four logical GPUs on the CPU; return what was told, and the records."""
    program = write_program(folder / "project", "paced")
    program.with_name("s.yaml").write_text(SPACE)
    ran = subprocess.run(
        [
            sys.executable,
            ROOT / "run_search.py",
            "--space",
            "s.yaml",
            "--storage",
            str(folder / "storage"),
            "--trainer.accelerator",
            "cpu",
            *words,
        ],
        cwd=program.parent,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "0,1,2,3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout, [json.loads(file.read_text()) for file in sorted(folder.glob("storage/s/*/trial.json"))]


def at_a_time(records):
    """Return how many trials ran at the same time, at the most."""
    return max(sum(each["started"] <= at["started"] < each["ended"] for each in records) for at in records)


@pytest.mark.slow
def test_eight_trials_of_half_a_gpu_run_at_a_time_and_see_the_device_that_they_were_given(tmp_path):
    told, records = searched(tmp_path, "--gpus-per-trial", "0.5", "--trainer.max_epochs", "20")

    assert "8 trials, 8 at a time with 0.5 GPU and 50% of its memory each; " in told
    assert at_a_time(records) == 8
    assert sorted(each["devices"] for each in records) == ["0", "0", "1", "1", "2", "2", "3", "3"]


@pytest.mark.slow
def test_the_gpus_that_are_named_are_used_and_no_others(tmp_path):
    _, records = searched(tmp_path, "--gpu", "1", "3", "--trials", "4")

    assert {each["devices"] for each in records} == {"1", "3"}
    assert at_a_time(records) == 2

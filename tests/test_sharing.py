"""The benchmark of trials that share a GPU, as far as a machine without one can tell."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.sharing import NO_GPU, _rate

ROOT = Path(__file__).parent.parent


def measured(*words, n_gpus):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.sharing", *words],
        cwd=ROOT,
        env={**os.environ, "PROMOTUNE_LOGICAL_GPUS": n_gpus},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_gpu_it_says_that_nothing_was_measured():
    ran = measured(n_gpus="0")

    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"{NO_GPU}\n")


def test_trials_are_counted_from_when_every_worker_is_warm():
    ended = [(1, 10.0), (2, 30.0), (1, 20.0), (1, 40.0), (2, 50.0), (1, 60.0)]

    assert _rate([{"worker": pid, "ended": at} for pid, at in ended]) == 60 * 3 / 30
    assert math.isnan(_rate([{"worker": "a", "ended": 1.0}]))


@pytest.mark.slow
def test_a_rehearsal_searches_and_says_that_it_is_one():
    ran = measured(
        *["--spaces", "lr_bs", "--at-a-time", "1", "2", "--trials", "4", "--repeats", "1", "--epochs", "1"],
        n_gpus="1",
    )

    assert ran.returncode == 0, ran.stderr
    first, _, one, two = ran.stdout.splitlines()
    assert first == "a rehearsal on the CPU: these figures say nothing of a GPU"
    assert (one.split()[:2], two.split()[:2]) == (["lr_bs", "1"], ["lr_bs", "2"])

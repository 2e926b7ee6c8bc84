"""``benchmarks.gpu_day``, as far as it goes without a GPU."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.gpu_day.__main__ import NO_GPU, run_check
from benchmarks.gpu_day.checks import CHECKS, NEED_A_GPU
from benchmarks.gpu_day.searches import Bench

ROOT = Path(__file__).parents[1]


def rehearse(*words, rehearses=True):
    command = [sys.executable, "-m", "benchmarks.gpu_day", *(["--rehearse"] if rehearses else []), *words]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_without_a_gpu_nothing_is_checked_and_that_is_said():
    ran = rehearse(rehearses=False)

    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", f"{NO_GPU}\n")


def test_the_checks_that_need_a_gpu_are_named_and_not_run():
    ran = rehearse("--only", *NEED_A_GPU)

    assert ran.stdout.splitlines() == [
        "a rehearsal on the CPU: it says nothing of a GPU",
        "not run without a GPU: context, packed, after",
        "0 of 0 passed in 0 s",
    ]


def test_checks_that_there_is_no_time_for_are_named_and_have_not_passed():
    ran = rehearse("--minutes", "0", "--only", "rng", "tf32")

    assert ran.stdout.splitlines()[1:] == ["not run for want of time: rng, tf32", "0 of 2 passed in 0 s"]
    assert ran.returncode == 1


def test_no_part_of_a_check_takes_longer_than_there_is_time(tmp_path):
    bench = Bench(tmp_path, is_rehearsal=True, ends_at=time.monotonic() + 2)

    assert 0 < bench.limit_time(300) <= 2
    with pytest.raises(subprocess.TimeoutExpired):
        bench.run_python("import time; time.sleep(60)")


def test_a_check_that_the_time_ends_has_not_failed(tmp_path, monkeypatch):
    monkeypatch.setitem(CHECKS, "rng", lambda bench: bench.run_python("import time; time.sleep(60)", timeout_s=2))

    assert run_check("rng", Bench(tmp_path, is_rehearsal=True, ends_at=time.monotonic() + 1)) is None
    verdict = run_check("rng", Bench(tmp_path, is_rehearsal=True))  # one that takes longer than it should
    assert not verdict.passed
    assert verdict.told.startswith("TimeoutExpired: ")


def test_a_check_that_breaks_has_failed(tmp_path, monkeypatch):
    monkeypatch.setitem(CHECKS, "rng", lambda bench: 1 / 0)

    verdict = run_check("rng", Bench(tmp_path, is_rehearsal=True))
    assert (verdict.passed, verdict.told) == (False, "ZeroDivisionError: division by zero")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CHECKS if name not in (*NEED_A_GPU, "start")])
def test_a_check_that_can_be_rehearsed_passes_on_the_cpu(name):
    ran = rehearse("--only", name)

    assert f"{name:<8} PASS" in ran.stdout, ran.stdout + ran.stderr
    assert ran.returncode == 0


@pytest.mark.slow
def test_the_start_is_measured_on_the_cpu_as_on_a_gpu():
    ran = rehearse("--only", "start")

    assert "{'gpu': (" in ran.stdout, ran.stdout + ran.stderr  # how fast this machine is says nothing of one with a GPU
    assert "'cores': (" in ran.stdout

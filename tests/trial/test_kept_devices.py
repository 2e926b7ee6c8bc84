"""A program that names its GPU itself trains on the one that its trial was given."""

import os
import subprocess
import sys

import pytest

from tune.trial.gpu.gpu_devices import keep_given_devices

WRITES = {
    "an entry": lambda: os.environ.__setitem__("CUDA_VISIBLE_DEVICES", "0"),
    "bytes": lambda: os.environb.__setitem__(b"CUDA_VISIBLE_DEVICES", b"0"),
    "update": lambda: os.environ.update(CUDA_VISIBLE_DEVICES="0"),
    "setdefault": lambda: os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0"),
    "putenv": lambda: os.putenv("CUDA_VISIBLE_DEVICES", "0"),
    "pop": lambda: os.environ.pop("CUDA_VISIBLE_DEVICES", None),
    "unsetenv": lambda: os.unsetenv("CUDA_VISIBLE_DEVICES"),
}


def as_a_child_sees_it():
    code = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_the_given_gpu_stays(monkeypatch, write):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with keep_given_devices():
        write()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3" or write is WRITES["pop"]
        assert as_a_child_sees_it() == "3"


@pytest.mark.parametrize("word", ["", "-1"])
def test_a_program_that_wants_no_gpu_gets_none(monkeypatch, word):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with keep_given_devices():
        os.environ["CUDA_VISIBLE_DEVICES"] = word
        assert as_a_child_sees_it() == word


def test_other_variables_and_trials_without_a_gpu_are_left_alone(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("OTHER", "1")
    with keep_given_devices():
        os.environ["OTHER"] = "2"
        os.environ["CUDA_VISIBLE_DEVICES"] = "1"
        assert (os.environ["OTHER"], as_a_child_sees_it()) == ("2", "1")

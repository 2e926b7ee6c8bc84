"""Which process a worker belongs to."""

import os
import subprocess
import sys

import pytest

from tune.trial.process.linux import find_raylet, is_alive


@pytest.fixture
def other():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_it_is_the_one_that_ray_tells_of(monkeypatch, other):
    monkeypatch.setenv("RAY_RAYLET_PID", str(other.pid))

    assert find_raylet() == other.pid


@pytest.mark.parametrize("told", ["", "x", "-1", "4194305"])
def test_where_that_is_none_that_can_be_seen_it_is_the_parent(monkeypatch, told):
    monkeypatch.setenv("RAY_RAYLET_PID", told)

    assert find_raylet() == os.getppid()


def test_one_that_ended_is_not_alive_though_nobody_waited_for_it(other):
    assert is_alive(other.pid)
    other.stdin.close()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)

    assert not is_alive(other.pid)

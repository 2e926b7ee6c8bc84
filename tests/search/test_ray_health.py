"""Why a process of Ray's died: its own words, before its logs go with the search."""

import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from tune.cluster import ray_health
from tune.cluster.connection import read_start_limit
from tune.cluster.local_ray import shut_down
from tune.cluster.ray_health import StartLimit, _find_death, expect_ends, forget_loss, forget_processes, watch_ray
from tune.cluster.remote_ray import _end_stuck, _limit_wait
from tune.errors import OptionError, StartError
from tune.trial.process.output import redirect_output

SAID = """\
[2026-11-29 19:18:05,100 I 7628 7652] (raylet) main.cc:1: Raylet started.
[2026-11-29 19:18:06,231 E 7628 7652] (raylet) agent_manager.cc:87: One Ray agent failed, agent_name = dashboard_agent.
The raylet fate shares with the agent.
"""


@pytest.fixture
def end(tmp_path):
    """Return what runs a program that is called like Ray's, and ends with this line of a shell."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "raylet.err").write_text(SAID)
    (tmp_path / "logs" / "dashboard_agent.log").write_text("OSError: no port")

    def run(line, *words):
        program = tmp_path / "raylet"
        program.write_text(f"#!/bin/sh\n{line}\n")
        program.chmod(0o755)
        process = subprocess.Popen([program, *words])
        process.wait()
        return process

    return run


def test_a_process_of_rays_that_ended_by_itself_is_told_with_its_last_error_and_its_logs_are_kept(end, tmp_path):
    process = end("exit 1", f"--log_dir={tmp_path / 'logs'}")
    with redirect_output(tmp_path / "driver.log"):
        told = _find_death({"raylet": process}, set())

    assert told == "Ray's raylet died: exit status 1: One Ray agent failed, agent_name = dashboard_agent."
    kept = (tmp_path / "driver.log").read_text()
    assert kept == f"Ray's raylet.err ends:\n{SAID}\nRay's dashboard_agent.log ends:\nOSError: no port\n"


def test_a_process_of_rays_that_was_killed_is_told_by_its_signal(end, tmp_path, capfd):
    process = end("kill -9 $$", f"--log_dir={tmp_path / 'logs'}")

    assert _find_death({"raylet": process}, set()) == "Ray's raylet died: killed by SIGKILL"
    assert capfd.readouterr() == ("", "")  # nothing of Ray's for the user's own terminal


def test_a_check_of_rays_that_failed_is_told_without_what_ray_says_of_bugs(end, tmp_path):
    logs = tmp_path / "logs"
    (logs / "raylet.err").write_text(
        "[2026-11-30 08:41:21,093 C 18969 18969] (raylet) node_manager.cc:9:  An unexpected system state has occurred. "
        "You have likely discovered a bug in Ray. Please report this issue, and we'll work with you to fix it. "
        "Check failed: status.has_value() Timed out waiting for file /r/agent_port\n*** StackTrace Information ***\n"
    )

    told = _find_death({"raylet": end("exit 1", f"--log_dir={logs}")}, set())
    failed = "Check failed: status.has_value() Timed out waiting for file /r/agent_port"
    assert told == f"Ray's raylet died: exit status 1: {failed}"


@pytest.mark.parametrize("words", [[], ["--log_dir=/there/is/none"]])
def test_a_process_of_rays_without_a_log_is_told_by_its_status(end, words):
    assert _find_death({"raylet": end("exit 1", *words)}, set()) == "Ray's raylet died: exit status 1"


def test_a_limit_counts_time_in_which_something_is_waited_for_and_no_other(monkeypatch):
    monkeypatch.setenv("PROMOTUNE_RAY_START_S", "1")
    limit = StartLimit("answer")

    assert [limit.count_look(0.5) for _ in range(2)] == [None, None]
    limit.is_waiting = False
    assert [limit.count_look(0.5) for _ in range(9)] == [None] * 9
    limit.is_waiting = True
    assert limit.count_look(0.5) == "no answer came from Ray for 1 s"


def test_a_limit_counts_no_time_in_which_its_process_was_stopped(monkeypatch):
    monkeypatch.setenv("PROMOTUNE_RAY_START_S", "60")
    limit = StartLimit("answer")

    assert [limit.count_look(3600.0) for _ in range(20)] == [None] * 20  # a machine that slept


@pytest.mark.parametrize("text", ["", "soon", "0", "-1", "nan", "inf", "5 s"])
def test_a_limit_that_is_no_number_of_seconds_is_refused(monkeypatch, text):
    monkeypatch.setenv("PROMOTUNE_RAY_START_S", text)
    with pytest.raises(OptionError) as error:
        read_start_limit()

    assert str(error.value) == (
        f"PROMOTUNE_RAY_START_S: expected a number of seconds above 0, got {text!r}\n"
        "  Unset the variable: Ray has 300 s then."
    )


@pytest.fixture
def quick(monkeypatch):
    """Look often, and begin and end with a Ray that lost nothing."""
    monkeypatch.setattr(ray_health, "LOOK_S", 0.02)
    monkeypatch.setattr(ray_health, "STUCK_S", 0.1)
    monkeypatch.setenv("PROMOTUNE_RAY_START_S", "0.1")
    yield
    forget_loss()
    forget_processes()


def wait_in_python():
    """Wait so that an interrupt comes through."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        time.sleep(0.01)


def test_what_does_not_come_in_time_interrupts_the_main_thread(quick):
    told, stuck = [], []
    with pytest.raises(KeyboardInterrupt), watch_ray(told.append, stuck.append, StartLimit("answer")):
        wait_in_python()

    assert told == ["no answer came from Ray for 0.1 s"]
    assert stuck == []
    assert ray_health.is_lost()


def test_what_does_not_come_in_time_is_told_where_the_main_thread_does_not_come_back(quick, monkeypatch):
    monkeypatch.setattr("_thread.interrupt_main", lambda number: None)  # as in a call of C++
    is_told, stuck = threading.Event(), []
    with watch_ray(lambda how: None, lambda how: (stuck.append(how), is_told.set()), StartLimit("actor")):
        assert is_told.wait(30)

    assert set(stuck) == {"no actor came from Ray for 0.1 s"}


def test_a_process_that_is_to_end_is_no_death_and_is_not_waited_for_without_end(quick):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.args = ["raylet"]
    process.wait()
    ray_health.note_process(process)
    told = []
    with expect_ends(), watch_ray(told.append, lambda how: None):
        time.sleep(0.3)
    assert told == []

    with pytest.raises(KeyboardInterrupt), expect_ends(), watch_ray(told.append, told.append, StartLimit("end")):
        wait_in_python()
    assert told == ["no end came from Ray for 0.1 s"]


NO_ANSWER = (
    "the cluster at head:6379 could not be joined: no answer came from Ray for 0.1 s\n"
    "  Nothing was searched. On the head node /tmp/ray/session_latest/logs may say more."
)


def test_a_cluster_that_does_not_answer_in_time_is_an_error(quick):
    with pytest.raises(StartError) as error, _limit_wait("head:6379"):
        wait_in_python()

    assert str(error.value) == NO_ANSWER


def test_a_cluster_in_which_ray_waits_all_the_same_ends_the_process_with_the_error(quick, monkeypatch):
    monkeypatch.setattr("_thread.interrupt_main", lambda number: None)
    is_told, told = threading.Event(), []
    monkeypatch.setattr("tune.cluster.remote_ray.end_process", lambda error: (told.append(str(error)), is_told.set()))
    with _limit_wait("head:6379"):
        assert is_told.wait(30)

    assert set(told) == {NO_ANSWER}


def test_an_interrupt_while_a_cluster_is_joined_is_one(quick, monkeypatch):
    monkeypatch.setenv("PROMOTUNE_RAY_START_S", "30")
    with pytest.raises(KeyboardInterrupt), _limit_wait("head:6379"):
        raise KeyboardInterrupt


def test_a_cluster_that_cannot_be_left_ends_the_process_with_an_error(quick, monkeypatch):
    monkeypatch.setattr("_thread.interrupt_main", lambda number: None)
    monkeypatch.setattr("tune.cluster.local_ray.END_S", 0.1)
    is_told, told = threading.Event(), []
    monkeypatch.setattr("tune.cluster.remote_ray.end_process", lambda error: (told.append(str(error)), is_told.set()))
    monkeypatch.setattr("ray.shutdown", lambda: is_told.wait(30))
    shut_down(partial(_end_stuck, "head:6379"))

    what = "the cluster at head:6379 could not be left: no end came from Ray for 0.1 s"
    assert set(told) == {f"{what}\n  What was written is whole."}


def test_a_ray_that_does_not_end_is_killed_and_its_search_is_over(quick, monkeypatch):
    monkeypatch.setattr("tune.cluster.local_ray.END_S", 0.1)
    monkeypatch.setattr("ray.shutdown", wait_in_python)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process.args = ["raylet"]
    ray_health.note_process(process)
    shut_down(lambda how: None)

    assert process.wait(30) == -9
    assert ray_health.is_lost()


HOLDS = """
import ctypes, time
from tune.cluster.ray_health import end_if_stuck

with end_if_stuck():
    pass
time.sleep(1)
with end_if_stuck():
    ctypes.PyDLL(None).sleep(60)  # with Python's lock
"""


def test_a_start_that_holds_pythons_lock_ends_with_its_stack(monkeypatch):
    monkeypatch.setenv("PROMOTUNE_RAY_START_S", "0.3")
    done = subprocess.run([sys.executable, "-c", HOLDS], capture_output=True, text=True, timeout=50, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("Timeout (0:00:00.6")
    assert 'File "<string>", line 9 in <module>' in done.stderr

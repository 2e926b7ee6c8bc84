"""Why a process of Ray's died: its own words, before its logs go with the search."""

import subprocess

import pytest

from tune.cluster.ray_health import _find_death
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


@pytest.mark.parametrize("words", [[], ["--log_dir=/there/is/none"]])
def test_a_process_of_rays_without_a_log_is_told_by_its_status(end, words):
    assert _find_death({"raylet": end("exit 1", *words)}, set()) == "Ray's raylet died: exit status 1"

"""A search that is paused, and in which no trial runs any more, answers as one that runs does."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.projects import write_program
from tune.cli import main

ROOT = Path(__file__).parents[2]
SPACE = """\
system: paced.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-3, 1]}
trials: 30
concurrency: 1
trainer: {max_epochs: 2}
"""


@pytest.fixture
def call(tmp_path, capfd):
    """Return what runs a command on the experiment, and returns its status and output."""

    def run(command, *words):
        status = main([command, "s", *words, "--storage", str(tmp_path / "storage")])
        return status, "".join(capfd.readouterr())

    return run


@pytest.mark.slow
def test_a_pause_in_which_nothing_runs_is_ended_at_once(tmp_path, call):
    write_program(tmp_path / "project", "paced").with_name("s.yaml").write_text(SPACE)
    words = [sys.executable, ROOT / "run_search.py", "--space", "s.yaml", "--quiet", "--no-report"]
    process = subprocess.Popen(
        [*words, "--storage", tmp_path / "storage"], cwd=tmp_path / "project", start_new_session=True
    )
    try:
        wait_until(lambda: counts(call).get("complete", 0) > 0)
        assert call("pause")[0] == 0
        wait_until(lambda: counts(call).get("running", 0) == 0)
        n_ended = sum(counts(call).values())
        time.sleep(2)  # until Ray Tune is in the step that waits for a trial, a minute at most

        assert call("resume") == (0, "the search goes on\n")
        wait_until(lambda: sum(counts(call).values()) > n_ended)
        assert call("stop")[0] == 0
        assert process.wait(timeout=60) == 130
    finally:
        process.kill()
        process.wait()


def counts(call):
    """Return the trials of the search by their states."""
    status, told = call("status", "--json")
    return json.loads(told)["n_trials"] if status == 0 else {}


def wait_until(condition, patience_s=60):
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.2)

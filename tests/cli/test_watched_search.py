"""A search as a person sees it who sits before a terminal, Ctrl-C included."""

import os
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.projects import write_program
from tests.terminal import Terminal, python

ROOT = Path(__file__).parents[2]
SPACE = """\
system: paced.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-3, 1]}
trials: 30
concurrency: 1
"""


@pytest.fixture
def terminal(tmp_path):
    """Return a terminal in which a search of slow epochs has begun."""
    write_program(tmp_path / "project", "paced").with_name("s.yaml").write_text(SPACE)
    words = python(ROOT / "run_search.py", "--space", "s.yaml", "--storage", tmp_path / "storage")
    terminal = Terminal(words, rows=40, cwd=tmp_path / "project", environment={"PYTHONPATH": str(ROOT)})
    yield terminal
    terminal.close()


def test_ctrl_c_in_the_live_view_is_answered_and_the_search_ends_with_its_table(terminal, tmp_path):
    terminal.wait_for(r"so far, starting Ray$")
    terminal.wait_for(r"^TensorBoard ")
    terminal.wait_for(r"^best so far +[\d.]+ +epoch \d of 000,baseline$")
    shown = terminal.wait_for(r"^0\d\d\S* +[1-4]/4 +\d+:\d\d +0\.\d+ +[▁-█]+$")
    assert shown.count("/30 trials") == 1
    family = psutil.Process(terminal.process.pid).children(recursive=True)
    workers = [each for each in family if each.name().startswith("ray::") and "Agent" not in each.name()]
    assert workers

    os.kill(terminal.process.pid, signal.SIGINT)
    terminal.wait_for(r"^ending: the running epochs end first, then all is saved; Ctrl-C again: at once$|^to go on: ")
    assert terminal.end() == 130

    shown = terminal.text
    assert "/30 trials" not in shown
    assert "so far" not in shown
    assert f"to go on: python run_search.py resume s --storage {tmp_path / 'storage'}" in shown.replace("\n", "")
    assert "\ntrial   state " in shown
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []


@pytest.mark.slow
def test_a_retraining_is_looked_on_too_and_ends_with_a_line_for_each_run(tmp_path):
    project, storage = tmp_path / "project", tmp_path / "storage"
    write_program(project, "paced").with_name("s.yaml").write_text(SPACE.replace("trials: 30", "trials: 2"))
    options = ("--storage", storage)
    subprocess.run(
        python(ROOT / "run_search.py", "--space", "s.yaml", "--quiet", *options),
        cwd=project,
        check=True,
        capture_output=True,
    )
    words = python(ROOT / "run_search.py", "retrain", "s", "--trial", "1", "--seeds", "1", *options)
    terminal = Terminal(words, rows=50, columns=120, cwd=project, environment={"PYTHONPATH": str(ROOT)})
    try:
        terminal.wait_for(r"^s again .* 0/3 trials$")
        shown = terminal.wait_for(r"^00\d,\S+ +[1-4]/4 +\d+:\d\d +[01]\.\d+ +[▁-█]+$")
        assert "\nhardcoded  " not in shown
        assert "  retrain/" not in shown
        assert terminal.end() == 0

        shown = terminal.text
        assert "/3 trials" not in shown
        assert len(re.findall(r"^[01]\.\d+ +in epoch 4 of 4  retrain/00[012],", shown, re.MULTILINE)) == 3
        assert "\nthe best run: Score/Val = " in shown
    finally:
        terminal.close()

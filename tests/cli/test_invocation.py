"""The command says its own name as it was typed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tune.invocation import this_command

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("called", "told"),
    [
        ("run_search.py", "python run_search.py"),
        ("/somewhere/run_search.py", "python run_search.py"),
        (str(ROOT / "tune" / "__main__.py"), "python -m tune"),
        ("/site/pytest/__main__.py", "promotune"),
        ("promotune", "promotune"),
        ("", "promotune"),
    ],
)
def test_the_command_is_told_as_it_was_called(called, told, monkeypatch):
    monkeypatch.setattr(sys, "argv", [called])
    assert this_command() == told


def test_a_script_that_the_shell_does_not_find_is_told_by_its_path(tmp_path, monkeypatch):
    script = tmp_path / "bin" / "promotune"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script)])

    monkeypatch.setenv("PATH", "/nowhere")
    assert this_command() == "bin/promotune"
    monkeypatch.setenv("PATH", str(script.parent))
    assert this_command() == "promotune"


def test_the_package_runs_as_the_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tune", "retrain", "a", "b"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        2,
        "one word too many, got 'b'\n  `python -m tune retrain --help` shows what goes where.\n",
    )

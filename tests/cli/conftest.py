"""The command line, as a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.projects import write_program

ROOT = Path(__file__).parent.parent.parent

TELL_MODULES = """
import atexit, os, sys
atexit.register(lambda: open(os.environ["MODULES"], "w").write(" ".join(sys.modules)))
"""

SPACE = """\
system: scripted.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
  BATCH_SIZE: {choice: [8, 16]}
trials: 2
concurrency: 1
"""


@dataclass
class Ran:
    status: int
    out: str
    err: str
    modules: set


@pytest.fixture
def project(tmp_path):
    """Return a project with one system and the space file `s.yaml`."""
    program = write_program(tmp_path / "project", "scripted")
    program.with_name("s.yaml").write_text(SPACE)
    return program.parent


@pytest.fixture
def storage(tmp_path):
    return tmp_path / "storage"


@pytest.fixture
def command(project, storage, tmp_path):
    """Return what runs `run_search.py` with arguments; the storage is the test's own."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(TELL_MODULES)
    modules = tmp_path / "modules"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "MODULES": str(modules)}

    def run(*arguments, with_storage=True):
        options = ["--storage", str(storage)] if with_storage else []
        done = subprocess.run(
            [sys.executable, ROOT / "run_search.py", *arguments, *options],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        loaded = {name.partition(".")[0] for name in modules.read_text().split()}
        return Ran(done.returncode, done.stdout, done.stderr, loaded)

    return run

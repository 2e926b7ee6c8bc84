"""Commands that write on a full disk: a clear error with the path, and no part of a file is left."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments import SPACE, Trial, write_experiment
from tests.search.test_full_disk import fill, small_disk  # noqa: F401 - a fixture
from tune.cli import main

OURS = (".lock", ".applied.lock", ".requests", "answers")
"""Of an experiment: what commands make that lock it, or ask it."""
TRIALS = [Trial(curve=[0.5, 0.6]), Trial(curve=[0.4, 0.9], values={"LR": 0.02})]


@pytest.fixture
def experiment(small_disk):  # noqa: F811 - the fixture
    """An experiment and its project, on a disk without room."""
    experiment = write_experiment(small_disk, TRIALS, SPACE.replace("trials: 20", "trials: 2"))
    fill(small_disk)
    return experiment


def run(capfd, *words):
    status = main([*words])
    told = capfd.readouterr().err
    assert "Traceback" not in told
    return status, told


def list_files(folder):
    return sorted(str(path) for path in folder.rglob("*") if path.name not in OURS)


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (["export", "exp", "--to", "csv", "-o", "project"], "project/trials.csv"),
        (["apply", "exp", "--write"], "project/program.py"),
        (["report", "exp"], "storage/exp/report.html"),
    ],
)
def test_a_command_that_writes_says_which_file_has_no_room(experiment, capfd, monkeypatch, words, file):
    disk = experiment.paths.folder.parents[1]
    monkeypatch.chdir(disk)
    before = list_files(disk)
    source = (disk / "project" / "program.py").read_bytes()

    status, told = run(capfd, *words, "--storage", str(disk / "storage"))
    what, hint = told.splitlines()
    assert status == 2
    assert what.startswith(f"{disk / file}: ")
    assert what.endswith("No space left on device")
    assert hint in ("  Make room there, and give the command again.", "  Give another file with -o.")
    assert list_files(disk) == before
    assert (disk / "project" / "program.py").read_bytes() == source


def test_a_proposal_that_cannot_be_kept_says_so(experiment, capfd):
    disk = experiment.paths.folder.parents[1]
    before = list_files(disk)
    status, told = run(capfd, "propose", "exp", "LR=0.03", "--storage", str(disk / "storage"))

    assert status == 2
    assert "no request can be written" in told
    assert list_files(disk) == before


def test_standard_output_on_a_full_disk_is_told(experiment, capfd):
    words = [sys.executable, "-m", "tune", "results", "exp", "--storage", str(experiment.paths.folder.parent)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert done.stderr == (
        "standard output: not all of it was written: No space left on device\n"
        "  Make room there, and give the command again.\n"
    )
    assert done.returncode == 2

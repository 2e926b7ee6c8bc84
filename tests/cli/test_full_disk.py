"""Commands that write on a full disk: a clear error with the path, and no part of a file is left."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.experiments import SPACE, Trial, write_experiment
from tests.search.test_full_disk import fill, small_disk  # noqa: F401 - a fixture
from tests.steered import SteeredSearch
from tune.cli import main
from tune.cluster.resources import Resources
from tune.errors import NoRoomError
from tune.experiment.verdicts import note_choice, read_verdicts
from tune.retrain.confirm import plan_confirmation_runs
from tune.space.settings import Confirm

OURS = (".lock", ".applied.lock", ".requests", "answers", "claimed")
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


def test_proposals_for_which_the_ledger_has_no_room_wait_and_run_once(small_disk):  # noqa: F811 - the fixture
    search = SteeredSearch(small_disk / "project")
    search.run_baseline()
    why = "a page of a disk is not full at once " * 27
    requests = [search.send("propose", constants={"LR": 0.002 * number + 0.001}, why=why) for number in range(2, 12)]
    fill(small_disk)
    search.poll()

    assert type(search.controller.end.full) is NoRoomError
    assert search.requests.list_requests() == [f"{request}.json" for request in requests]
    assert all(json.loads(line) for line in search.paths.journal.read_bytes().splitlines())

    (small_disk / "filler").unlink()
    search.restart()
    search.controller.handle_kept_requests()
    answers = [search.requests.fetch_answer(request) for request in requests]
    assert [answer.trial for answer in answers] == list(range(1, 11))
    assert [each.number for each in search.ledger.trial_results] == list(range(11))


def test_an_answer_for_which_there_is_no_room_leaves_nothing(small_disk):  # noqa: F811 - the fixture
    search = SteeredSearch(small_disk / "project")
    search.run_baseline()
    request = search.send("pause")
    fill(small_disk)
    search.poll()

    assert search.controller.controls.is_paused
    assert not search.requests.has_request(request)
    assert not any(search.requests.answers.iterdir())


def test_a_confirmation_for_which_there_is_no_room_says_so_and_goes_on_when_there_is(
    small_disk,  # noqa: F811 - the fixture
    monkeypatch,
):
    trials = [*TRIALS, Trial(curve=[0.8], values={"LR": 0.03})]
    experiment = write_experiment(small_disk, trials, SPACE.replace("trials: 20", "trials: 3"))
    experiment.paths.retrain_folder.mkdir()
    resources = Resources(n_cores=2, gpus=(), cpus_per_trial=1, gpus_per_trial=0, concurrency=2)
    fill(small_disk)
    with pytest.raises(NoRoomError, match="no room is left on its disk"):
        plan_confirmation_runs(experiment, resources, Confirm())
    assert not list(experiment.paths.folder.glob("*verdicts*"))

    (small_disk / "filler").unlink()
    plan = plan_confirmation_runs(experiment, resources, Confirm())
    record = plan.confirmation.record
    fill(small_disk)
    choose = lambda paths, record, chosen: note_choice(paths, record, 1)  # noqa: E731 - the race would take minutes
    monkeypatch.setattr("tune.retrain.confirm.note_choice", choose)
    with pytest.raises(NoRoomError, match="no room is left on its disk"):
        replace(plan, retraining=replace(plan.retraining, runs=())).run(lambda run, found: None)
    assert read_verdicts(experiment.paths) == (record,)

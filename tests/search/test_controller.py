"""The controller decides about trials on GPUs, and of dead processes; the test is Ray, and the trials."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.events import session
from tests.experiments import PROGRAM, SPACE
from tune.cluster.resources import Resources
from tune.experiment.records import Failure, TrialRecord, read_record
from tune.paths import ExperimentPaths, VersionPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.search.build_controller import build_controller
from tune.search.controller_api import SearchListener
from tune.search.search_plan import build_job
from tune.search.spec import Search
from tune.search.study.study import create_search_study, open_search_study
from tune.space.space_file import read_space
from tune.trial.messages import EpochReport
from tune.trial.trackers.close_runs import start_closing_runs
from tune.trial.trackers.run_records import RunRecord, read_run_records, write_run_records

OUT = Failure(kind="OutOfMemoryError", message="CUDA out of memory.")
FAULT = Failure(kind="RuntimeError", message="CUDA error: unspecified launch failure")


class Listener(SearchListener):
    def __init__(self):
        self.told = []

    def on_share_outgrown(self, number, share, larger):
        self.told.append((number, share, larger))

    def on_trial_placed(self, number, device):
        self.told.append((number, device))


class Place:
    """Runs the trials of a controller: each ends as the test says."""

    def __init__(self, controller):
        self.controller = controller
        self._n_asked = 0
        self._running = {}  # by number: Ray's id and the task

    def ask(self):
        self._n_asked += 1
        task = self.controller.next_task(str(self._n_asked))
        if task is not None:
            self._running[task.number] = (str(self._n_asked), task)
        return task

    def report_place(self, number, device):
        self.controller.on_trial_placed(self._running[number][0], device)

    def end(self, number, failure=None, **more):
        trial_id, task = self._running.pop(number)
        files = VersionPaths(Path(task.version))
        files.folder.mkdir(parents=True, exist_ok=True)
        curve = [] if failure else [(1, 0.5)]
        record = TrialRecord(
            number=number,
            version=files.folder.name,
            constants=task.values,
            seed=0,
            attempt=task.attempt,
            pid=1,
            host="node",
            started=0.0,
            curve=curve,
            failure=failure,
            **{"devices": "0", "ready": True, "stage": "failed" if failure else "complete", **more},
        )
        record.write_record(files)
        if curve and not task.rehearsal:
            self.controller.receive_epochs(trial_id, [EpochReport(1, 0.5, last=True)])
        self.controller.on_trial_end(trial_id, death=None)
        return files


@pytest.fixture
def search(tmp_path):
    """Return a search of four trials at a time, each with a quarter of one of two GPUs."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "space.yaml").write_text(f"{SPACE}scheduler: none\n")
    space = read_space(tmp_path / "space.yaml")
    program = find_program(space.program)
    paths = ExperimentPaths(tmp_path / "exp")
    paths.folder.mkdir()
    return Search(
        space=space,
        program=program,
        promoted=resolve_constants(space, program),
        resources=Resources(n_cores=4, gpus=("0", "1"), cpus_per_trial=1, gpus_per_trial=0.25, concurrency=4),
        paths=paths,
        listeners=(Listener(),),
    )


def start(search, *, weighs=False):
    job = build_job(search.space, search.program, search.promoted, search.paths.source, search.resources)
    is_new = not search.paths.journal.is_file()
    ledger = (create_search_study if is_new else open_search_study)(search.paths, search.space, search.promoted)
    return Place(build_controller(search, ledger, job, weighs=weighs)), ledger


def test_a_trial_that_runs_out_of_memory_has_a_larger_share_and_the_place_of_two(search):
    place, ledger = start(search)
    first = place.ask()
    place.end(0)
    trials = [place.ask() for _ in range(4)]
    assert place.ask() is None
    place.end(trials[0].number, OUT)
    again = place.ask()

    assert first.gpu_share is None
    assert (again.number, again.gpu_share, again.outgrown, again.attempt) == (trials[0].number, 0.5, (0.25,), 2)
    assert search.listeners[0].told == [(again.number, 0.25, 0.5)]
    place.end(trials[1].number)
    assert place.ask() is None  # three run, and one of them has the place of two
    place.end(again.number, OUT)
    assert place.ask().number > trials[3].number
    assert ledger.trial_results[again.number].state == "failed"
    assert ledger.trial_results[again.number].outgrown_shares == (0.25,)


def test_what_a_trial_used_of_its_gpu_is_in_the_ledger(search):
    place, ledger = start(search)
    place.ask()
    place.end(0, gpu={"name": "NVIDIA T4", "peak_bytes": 7, "utilization": 0.5})

    assert (ledger.trial_results[0].gpu.peak_bytes, ledger.trial_results[0].gpu.utilization) == (7, 0.5)


def test_where_a_trial_runs_is_told(search):
    place, _ = start(search)
    place.ask()
    place.report_place(0, "node:1")

    assert search.listeners[0].told == [(0, "node:1")]


def test_a_pre_flight_that_measures_runs_alone_and_its_trial_trains_afterwards(search):
    place, ledger = start(search, weighs=True)
    task = place.ask()
    assert (task.preflight, task.rehearsal, task.weighs) == (True, True, True)
    assert place.ask() is None
    place.end(0)
    assert place.controller.versions.is_baseline_ready
    assert place.controller.has_finished
    ledger.suspend_trials()

    after, _ = start(search)
    tasks = [after.ask() for _ in range(4)]
    assert [each.number for each in tasks] == [0, 1, 2, 3]
    assert not any(each.preflight or each.gated or each.weighs for each in tasks)


def test_a_gpu_that_fails_the_pre_flight_is_known_and_noted(search, monkeypatch):
    monkeypatch.setattr("tune.search.build_controller.cancel_waiting_trials", lambda gate: None)
    place, ledger = start(search)
    place.ask()
    place.end(0, FAULT, ready=False)

    assert place.controller.failed_on_device.devices == "0"
    assert place.controller.end.is_aborted
    assert ledger.trial_results[0].device_faults == ("node:0",)


def test_the_only_gpu_that_fails_the_pre_flight_is_not_left_out(search, monkeypatch):
    monkeypatch.setattr("tune.search.build_controller.cancel_waiting_trials", lambda gate: None)
    one = replace(search, resources=replace(search.resources, gpus=("0",)))
    place, _ = start(one)
    place.ask()
    place.end(0, FAULT, ready=False)

    assert place.controller.failed_on_device is None
    assert place.controller.end.preflight_failed


@pytest.mark.parametrize(("stage", "is_stopped"), [("running", True), ("stopped", True), ("complete", False)])
def test_a_trial_whose_process_died_behind_its_last_epoch_is_completed_when_no_process_is_left(
    search, tmp_path, monkeypatch, stage, is_stopped
):
    closing = []
    monkeypatch.setattr(
        "tune.search.build_controller.start_closing_runs", lambda *given: closing.append(start_closing_runs(*given))
    )
    place, ledger = start(search)
    place.ask()
    place.end(0)
    task = place.ask()
    if is_stopped:
        place.controller._scheduler_runner.stopped.add(task.number)
    csv = tmp_path / "csv"
    csv.mkdir()
    (csv / "metrics.csv").touch()
    files = VersionPaths(Path(task.version))
    files.folder.mkdir()
    write_run_records(files, [RunRecord(tracker="csv", run=str(csv))])
    place.end(task.number, stage=stage)
    ended = ledger.trial_results[1].ended

    place.controller.complete_dead_trials()

    state = "stopped" if is_stopped else "complete"
    record = read_record(files)
    assert (record.stage, record.failure) == (state, None)
    assert record.ended == (ended if stage == "running" else None)
    assert session(files.folder).status == "STATUS_SUCCESS"
    assert [each.wait() for each in closing] == [0]
    assert [each.state for each in read_run_records(files)] == [state]
    assert json.loads((csv / "promotune.json").read_text())["state"] == state

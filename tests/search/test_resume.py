"""A search goes on from its ledger: in this process, on the one Ray of the test session."""

import json
import os
import random
import shutil
import signal
import threading
import time
from itertools import pairwise

import pytest

from tests.events import scalars, session
from tests.projects import write_program
from tune.paths import ExperimentPaths

SPACE = """
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-3, 1]}
trials: 4
concurrency: 2
scheduler: none
"""


def journal_of(paths):
    return [json.loads(line) for line in paths.journal.read_text().splitlines()]


def reports_of(paths):
    """Return (trial, epoch) of every report in the journal."""
    return [(each["trial_id"], each["step"]) for each in journal_of(paths) if each["op_code"] == 7]


def check_whole(searched, n_trials, n_epochs=4):
    """Each trial ended once, each epoch stands once in the journal and in the event files."""
    trials = searched.study.trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * n_trials
    reports = reports_of(searched.paths)
    assert sorted(reports) == [(trial, epoch) for trial in range(n_trials) for epoch in range(1, n_epochs + 1)]
    for trial in trials:
        version = searched.version(trial)
        assert [step for step, _ in scalars(version.folder)["Score/Val"]] == [3, 7, 11, 15]
        assert [value for _, value in scalars(version.folder)["Score/Val"]] == pytest.approx(
            list(trial.intermediate_values.values())
        )
        found = session(version.folder)
        assert (found.n_starts, found.n_ends, found.status) == (1, 1, "STATUS_SUCCESS")


@pytest.fixture(scope="module")
def cut_short(search, tmp_path_factory):
    """A search that was interrupted while its third trial ran."""
    folder = tmp_path_factory.mktemp("resumed")
    program = write_program(folder / "project", "paced")
    ended = []

    def on_end(outcome):
        ended.append(outcome.number)
        if len(ended) == 2:
            signal.raise_signal(signal.SIGINT)

    searched = search(program, SPACE, on_end=on_end)
    program.write_text("raise SystemExit('edited meanwhile')\n")
    return searched


@pytest.mark.parametrize("left", [pytest.param(None, marks=pytest.mark.slow), "[" * 10_000])
def test_a_search_goes_on_without_the_record_of_a_baseline_that_has_ended(cut_short, resume, tmp_path, left):
    paths = ExperimentPaths(tmp_path / "exp")
    shutil.copytree(cut_short.paths.folder, paths.folder)
    assert cut_short.study.trials[0].state.name == "COMPLETE"
    record = paths.version("000,baseline").record
    record.unlink() if left is None else record.write_text(left)

    resumed = resume(paths)

    assert (resumed.error, resumed.finished.fault) == (None, None)
    check_whole(resumed, 4)


def test_a_search_goes_on_from_a_ledger_that_lost_its_trials_beside_what_they_left(cut_short, resume, tmp_path):
    paths = ExperimentPaths(tmp_path / "exp")
    shutil.copytree(cut_short.paths.folder, paths.folder)
    lines = paths.journal.read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if json.loads(line)["op_code"] == 4)
    paths.journal.write_text("".join(lines[:first]))
    left = {path: path.stat().st_mtime_ns for path in paths.folder.glob("0*/**/*") if path.is_file()}
    assert any(path.name == "trial.json" for path in left)

    resumed = resume(paths)

    assert (resumed.error, resumed.finished.fault) == (None, None)
    check_whole(resumed, 4)
    assert resumed.version(resumed.study.trials[0]).folder.name == "000,baseline-2"
    assert {path: path.stat().st_mtime_ns for path in left} == left


def test_a_search_goes_on_from_its_ledger_to_the_number_that_was_asked_for(cut_short, resume):
    before = cut_short.study.trials
    assert "WAITING" in {trial.state.name for trial in before}
    ended = {trial.number: trial for trial in before if trial.state.is_finished()}

    resumed = resume(cut_short.paths)

    assert resumed.error is None
    check_whole(resumed, 4)
    for number, trial in ended.items():
        assert resumed.study.trials[number] == trial
    waited = [trial for trial in resumed.study.trials if trial.user_attrs.get("attempt", 1) > 1]
    assert waited
    for trial in waited:
        version = resumed.version(trial)
        epochs = [line for line in version.log.read_text().splitlines() if line.startswith("epoch ")]
        preflight = ["epoch 1"] if trial.number == 0 else []
        assert epochs == [*preflight, *(f"epoch {number}" for number in range(1, 5))]  # none was trained twice
    with_more = resume(cut_short.paths, trials=5)
    check_whole(with_more, 5)


@pytest.mark.slow
def test_a_trial_whose_worker_was_killed_goes_on_from_its_last_checkpoint(search, tmp_path):
    program = write_program(tmp_path / "project", "paced")
    storage = tmp_path / "storage"

    def kill():
        while not (files := list(storage.glob("exp/001*/checkpoints/last.ckpt"))):
            time.sleep(0.02)
        record = json.loads((files[0].parents[1] / "trial.json").read_text())
        os.kill(record["pid"], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    searched = search(program, SPACE)
    killer.join()

    check_whole(searched, 4)
    trial = searched.study.trials[1]
    assert (trial.user_attrs["attempt"], trial.user_attrs["deaths"]) == (2, 1)
    epochs = [line for line in searched.version(trial).log.read_text().splitlines() if line.startswith("epoch ")]
    assert len(epochs) < 2 * 4
    assert searched.record(trial).attempt == 2


@pytest.mark.slow
def test_workers_that_are_killed_ten_times_lose_no_trial_and_no_epoch(search, tmp_path):
    program = write_program(tmp_path / "project", "paced")
    folder, over, killed = tmp_path / "storage" / "exp", threading.Event(), []
    rng = random.Random()

    def kill():
        while len(killed) < 10 and not over.is_set():
            time.sleep(rng.uniform(0.2, 1))
            running = [
                record
                for each in folder.glob("*/trial.json")
                if (record := json.loads(each.read_text()))["stage"] == "running" and record["curve"]
            ]
            if running and (record := rng.choice(running))["pid"] not in killed:
                os.kill(record["pid"], signal.SIGKILL)
                killed.append(record["pid"])

    killer = threading.Thread(target=kill)
    killer.start()
    space = SPACE.replace("trials: 4", "trials: 30") + "max_failures: 10\n"
    try:
        searched = search(program, space)
    finally:
        over.set()
        killer.join()

    assert len(killed) == 10
    check_whole(searched, 30)
    restarted = [trial for trial in searched.study.trials if trial.user_attrs.get("attempt", 1) > 1]
    assert sum(trial.user_attrs["deaths"] for trial in restarted) >= 8  # one may die behind its trial's end
    for trial in restarted:
        lines = searched.version(trial).log.read_text().splitlines()
        epochs = [int(line.removeprefix("epoch ")) for line in lines if line.startswith("epoch ")]
        epochs = epochs[trial.number == 0 :]  # of the baseline, without its pre-flight
        assert (epochs[0], epochs[-1]) == (1, 4)
        assert {after - before for before, after in pairwise(epochs)} <= {0, 1}  # at most the epoch that was cut off


def test_a_ledger_of_an_unknown_format_is_refused(cut_short, resume, tmp_path):
    shutil.copytree(cut_short.paths.folder, tmp_path / "exp")
    journal = tmp_path / "exp" / "study.journal"
    journal.write_text(journal.read_text().replace('{"format":1}', '{"format":99}'))

    refused = resume(type(cut_short.paths)(tmp_path / "exp"))

    assert str(refused.error) == (
        f"{journal}: the ledger's format is 99, this version knows 1\n"
        "  Use the version of Promotune that wrote it, or a newer one."
    )

"""Where a search is, and what happens in it, for programs that watch it."""

import json
import subprocess
import sys
import threading

import pytest

from tests.experiments import SPACE, Trial, write_experiment
from tune.cli import main
from tune.experiment.lock import lock_experiment
from tune.experiment.trial_result import TrialResult
from tune.results.status import follow_events, list_events, read_status

TRIALS = [
    Trial(curve=[0.5, 0.6]),
    Trial(curve=[0.7], values={"LR": 0.05}, state="PRUNED"),
    Trial(curve=[0.1], values={"LR": 0.06}, state="RUNNING"),
]
FIELDS = {
    "format": int,
    "experiment": str,
    "folder": str,
    "state": str,
    "metrics": list,
    "n_wanted": int,
    "n_trials": dict,
    "baseline": dict,
    "best": dict,
    "chosen": int,
    "verdict": type(None),
    "running": list,
}
"""A change here is a new STATUS_FORMAT."""
EVENTS = {
    "started": {"event", "trial", "version", "constants"},
    "epoch": {"event", "trial", "epoch", "value"},
    "ended": {"event", "trial", "state", "score", "best_epoch", "reason"},
    "best": {"event", "trial", "score"},
}
"""A change here is a new STATUS_FORMAT."""


def trial(number, state, curve, version=None):
    best = max(curve, key=curve.get, default=None)
    return TrialResult(
        number=number,
        version=version or f"{number:03d}",
        values={"LR": 0.1 * number},
        state=state,
        score=None if best is None else curve[best],
        best_epoch=best,
        curve=curve,
        measures={epoch: (value,) for epoch, value in curve.items()},
        reason="ValueError: no" if state == "failed" else None,
    )


def test_a_status_has_these_fields_and_no_others(tmp_path):
    status = read_status(write_experiment(tmp_path, TRIALS))

    assert {name: type(value) for name, value in status.items()} == FIELDS
    assert status["format"] == 1
    assert status["n_trials"] == {"complete": 1, "pruned": 1, "failed": 0, "running": 1, "waiting": 0}
    assert (status["best"]["number"], status["best"]["score"], status["baseline"]["number"]) == (1, 0.7, 0)
    assert [each["number"] for each in status["running"]] == [2]
    json.dumps(status, allow_nan=False)


def test_events_are_the_start_the_epochs_and_the_end_of_each_trial():
    before = [trial(0, "complete", {1: 0.5}), trial(1, "running", {1: 0.1})]
    after = [trial(0, "complete", {1: 0.5}), trial(1, "complete", {1: 0.1, 2: 0.9}), trial(2, "failed", {1: 0.95})]

    events = list_events(before, after, "max")

    assert [(each["event"], each["trial"]) for each in events] == [
        ("epoch", 1),
        ("ended", 1),
        ("best", 1),
        ("started", 2),
        ("epoch", 2),
        ("ended", 2),
    ]
    assert events[2]["score"] == 0.9
    assert events[5]["reason"] == "ValueError: no"
    assert all(each.keys() == EVENTS[each["event"]] for each in events)


def test_events_when_nothing_happened_are_none():
    trials = [trial(0, "complete", {1: 0.5}), trial(1, "running", {1: 0.1})]

    assert list_events(trials, trials, "max") == []


def test_a_trial_that_goes_on_starts_once_more():
    events = list_events([trial(1, "waiting", {1: 0.1})], [trial(1, "running", {1: 0.1})], "min")

    assert [each["event"] for each in events] == ["started"]


def test_following_ends_with_the_search(tmp_path):
    experiment = write_experiment(tmp_path, TRIALS[:2], SPACE.replace("trials: 20", "trials: 2"))
    found, is_followed = [], threading.Event()

    def follow():
        for event in follow_events(experiment.paths, poll_s=0.01):
            found.append(event)
            is_followed.set()

    with lock_experiment(experiment.paths):
        thread = threading.Thread(target=follow)
        thread.start()
        assert is_followed.wait(30)
        assert found[0]["event"] == "status"
    thread.join(30)

    assert found[-1] == {"event": "end", "state": "finished"}


@pytest.mark.parametrize(
    ("trials", "n_wanted", "exit_status"),
    [
        (TRIALS[:2], 2, 0),
        (TRIALS[:2], 3, 130),
        ([Trial(curve=[0.9]), Trial(curve=[0.5], values={"LR": 0.05})], 2, 3),
        ([Trial(curve=[], state="FAIL")], 1, 1),
    ],
)
def test_the_exit_status_says_what_the_search_came_to(tmp_path, capfd, trials, n_wanted, exit_status):
    write_experiment(tmp_path, trials, SPACE.replace("trials: 20", f"trials: {n_wanted}"))

    assert main(["status", "exp", "--json", "--storage", str(tmp_path / "storage")]) == exit_status
    assert json.loads(capfd.readouterr().out)["n_wanted"] == n_wanted


def test_people_read_a_line_for_each_thing(tmp_path, capfd):
    write_experiment(tmp_path, TRIALS)
    main(["status", "exp", "--storage", str(tmp_path / "storage")])
    lines = capfd.readouterr().out.splitlines()

    assert lines[:2] == ["exp: interrupted", "trials: 1 complete, 1 pruned, 1 running, of 20"]
    assert lines[2].startswith("baseline: Score/Val = 0.6 of 000,baseline")
    assert lines[-1].endswith(", after 1 epoch")


def test_a_reader_of_events_that_goes_away_is_no_error(tmp_path):
    write_experiment(tmp_path, TRIALS[:1])
    command = [sys.executable, "-m", "tune", "status", "exp", "--follow", "--storage", str(tmp_path / "storage")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert json.loads(process.stdout.readline())["event"] == "status"
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()

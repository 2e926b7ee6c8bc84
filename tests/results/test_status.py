"""Where a search is, and what happens in it, for programs that watch it."""

import hashlib
import itertools
import json
import math
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from tests.experiments import SPACE, Trial, write_experiment
from tests.results import test_confirmation as confirmation
from tune.cli import main
from tune.errors import ExperimentError, StorageError
from tune.experiment.lock import lock_experiment
from tune.experiment.proposal_note import PAUSED, ProposalNote, SearchPause
from tune.experiment.trial_result import TrialResult
from tune.paths import ExperimentPaths
from tune.results import status as status_module
from tune.results.status import (
    STATUS_FORMAT,
    choose_outcome,
    follow_events,
    list_changes,
    list_events,
    read_status,
)
from tune.search.study.journal import open_study

TRIALS = [
    Trial(curve=[0.5, 0.6]),
    Trial(curve=[0.7], values={"LR": 0.05}, state="PRUNED"),
    Trial(curve=[0.1], values={"LR": 0.06}, state="RUNNING"),
]
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "reference" / "status.schema.json").read_text())
PAUSE = SearchPause(user="me", time=1.0e9)
NOTE = ProposalNote(request="1", user="me", why="a hunch", time=0.0)
DIGESTS = {1: "712a7260fa317afe", 2: "979b9e345f5f2fdb", 3: "2e1431e6c5cb0f6d"}
"""Of the schema, by the format that it describes: what people parse. A change of the schema is a new STATUS_FORMAT."""


def check(found, what):
    """Raise ValidationError unless it is as the schema says."""
    Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{what}"}).validate(found)


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


def test_the_schema_is_the_one_of_this_format():
    Draft202012Validator.check_schema(SCHEMA)
    digest = hashlib.sha256(json.dumps(SCHEMA, sort_keys=True).encode()).hexdigest()[:16]

    assert {**DIGESTS, STATUS_FORMAT: digest} == DIGESTS, "fields changed: give them a new STATUS_FORMAT"
    assert SCHEMA["$defs"]["status"]["properties"]["format"] == {"const": STATUS_FORMAT}


def every_event(tmp_path):
    """Return one event at least of each kind, as following a search gives them."""
    before = [trial(0, "complete", {1: 0.5}), trial(3, "waiting", {})]
    after = [
        trial(0, "complete", {1: 0.5}),
        trial(1, "complete", {1: 0.1, 2: math.nan, 3: 0.9}),
        trial(2, "failed", {1: 0.95}),
        trial(3, "running", {}),
        replace(trial(4, "waiting", {}), proposal=NOTE),
    ]
    experiment = write_experiment(tmp_path, TRIALS)
    paused = replace(experiment, pause=PAUSE)
    changes = [*list_changes(experiment, paused, is_over=False), *list_changes(paused, experiment, is_over=False)]
    return [*follow_events(experiment.paths), *list_events(before, after, "max"), *changes]


def test_a_status_and_each_event_are_as_the_schema_says(tmp_path):
    events = every_event(tmp_path)
    status = read_status(ExperimentPaths(tmp_path / "storage" / "exp"))
    for event in events:
        check(event, "event")
    check(status, "status")
    check({**status, "best": None, "verdict": "gain"}, "status")

    kinds = {name.removeprefix("event_") for name in SCHEMA["$defs"] if name.startswith("event_")}
    assert {each["event"] for each in events} == kinds
    assert events[0] == {"event": "status", **status}


def test_any_other_field_and_any_that_is_missing_is_not_as_the_schema_says(tmp_path):
    paths = write_experiment(tmp_path, TRIALS).paths
    with lock_experiment(paths):
        status = read_status(paths)
    (tmp_path / "other").mkdir()
    places = [("status", status), *(("event", each) for each in every_event(tmp_path / "other"))]
    places += [("trial", status["best"]), ("trial", status["running"][0])]
    for what, found in places:
        check(found, what)
        for changed in ({**found, "more": 1}, *({k: v for k, v in found.items() if k != name} for name in found)):
            with pytest.raises(ValidationError):
                check(changed, what)


def test_a_status_says_where_the_search_is(tmp_path):
    paths = write_experiment(tmp_path, TRIALS).paths
    with lock_experiment(paths):
        status = read_status(paths)
    assert (status["state"], status["outcome"]) == ("running", "running")
    assert status["n_trials"] == {"complete": 1, "pruned": 1, "failed": 0, "running": 1, "waiting": 0}
    assert (status["best"]["number"], status["best"]["score"], status["baseline"]["number"]) == (1, 0.7, 0)
    assert [each["number"] for each in status["running"]] == [2]
    json.dumps(status, allow_nan=False)


def test_a_trial_that_ran_when_its_driver_was_killed_waits(tmp_path):
    status = read_status(write_experiment(tmp_path, TRIALS).paths)

    assert (status["state"], status["outcome"], status["running"]) == ("interrupted", "interrupted", [])
    assert status["n_trials"] == {"complete": 1, "pruned": 1, "failed": 0, "running": 0, "waiting": 1}


def test_a_paused_search_says_by_whom_and_since_when_while_it_runs(tmp_path, capfd):
    paths = write_experiment(tmp_path, TRIALS).paths
    open_study(paths).set_user_attr(PAUSED, PAUSE.as_json())
    words = [str(paths.folder)]
    with lock_experiment(paths):
        status = read_status(paths)
        check(status, "status")
        assert main(["status", *words]) == 0
        told = capfd.readouterr().out
        assert main(["list", "--storage", str(paths.folder.parent)]) == 0
        listed = capfd.readouterr().out
    ended = read_status(paths)

    assert (status["state"], status["outcome"]) == ("paused", "running")
    assert status["paused"] == {"user": "me", "time": 1e9}
    assert told.splitlines()[0] == f"exp: {PAUSE.description}"
    assert PAUSE.description == time.strftime("paused by me at %Y-%m-%d %H:%M", time.localtime(1e9))
    assert told.splitlines()[-1] == f"to go on: promotune resume {paths.folder}"
    assert "paused" in listed
    assert (ended["state"], ended["paused"]) == ("interrupted", None)


@pytest.mark.parametrize("damaged", ["x", [], {"user": 1}, {"user": "me", "time": "x"}, {"user": "me", "time": 1e300}])
def test_a_damaged_note_of_a_pause_is_none(tmp_path, damaged):
    paths = write_experiment(tmp_path, TRIALS).paths
    open_study(paths).set_user_attr(PAUSED, damaged)
    with lock_experiment(paths):
        assert read_status(paths)["state"] == "running"


def test_following_tells_of_a_pause_and_its_end_but_not_of_the_end_of_a_paused_search(tmp_path):
    before = write_experiment(tmp_path, TRIALS)
    paused = replace(before, pause=PAUSE)

    assert list(list_changes(None, paused, is_over=False))[-1] == {"event": "paused", "user": "me", "time": 1e9}
    assert list(list_changes(paused, paused, is_over=False)) == []
    assert list(list_changes(paused, before, is_over=False)) == [{"event": "resumed"}]
    assert list(list_changes(paused, before, is_over=True)) == []


@pytest.mark.parametrize(("n_errors", "is_given_up"), [(3, False), (10**6, True)])
def test_following_outlives_a_store_that_does_not_answer_for_a_while(tmp_path, monkeypatch, n_errors, is_given_up):
    paths = write_experiment(tmp_path, TRIALS).paths
    monkeypatch.setattr(status_module, "REMOTE_POLL_S", 0.01)
    monkeypatch.setattr(status_module, "STORE_S", 0.3)
    errors = iter(range(n_errors))

    def look(paths):
        if next(errors, None) is not None:
            raise StorageError("s3://bucket", "it cannot be read: timeout", None)
        return False

    read, n_read = status_module._open_ledger, itertools.count()

    def open_late(paths):
        if next(n_read) == 1:  # the first one is of the status
            raise StorageError("s3://bucket", "it cannot be read: timeout", None)
        return read(paths)

    monkeypatch.setattr(status_module, "_open_ledger", open_late)

    with lock_experiment(paths):
        events = follow_events(paths, poll_s=0.01)
        assert next(events)["event"] == "status"
        monkeypatch.setattr(status_module, "is_running", look)
        if is_given_up:
            with pytest.raises(StorageError):
                list(events)
        else:
            assert [each["event"] for each in events] == ["finished"]


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


def test_events_when_nothing_happened_are_none():
    trials = [trial(0, "complete", {1: 0.5}), trial(1, "running", {1: 0.1})]

    assert list_events(trials, trials, "max") == []


def test_a_proposal_is_told_once_and_starts_later():
    proposed = replace(trial(1, "waiting", {}), proposal=NOTE)
    first = list_events([], [proposed], "max")
    then = list_events([proposed], [replace(proposed, state="running")], "max")
    at_once = list_events([], [replace(proposed, state="running", proposal=replace(NOTE, why=""))], "max")

    assert first == [{"event": "proposed", "trial": 1, "constants": {"LR": 0.1}, "why": "a hunch"}]
    assert [each["event"] for each in then] == ["started"]
    assert [(each["event"], each.get("why")) for each in at_once] == [("proposed", None), ("started", None)]


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

    assert found[-1] == {"event": "finished", "state": "finished", "outcome": "better"}


def write_unbegun(folder):
    """Write an experiment whose search has not made its ledger."""
    paths = write_experiment(folder, TRIALS).paths
    paths.journal.unlink()
    return paths


def test_a_search_that_has_no_ledger_yet_runs_while_it_is_held_and_never_began_afterwards(tmp_path, capfd):
    paths = write_unbegun(tmp_path)
    with lock_experiment(paths):
        running = read_status(paths)
    words = ["status", "exp", "--storage", str(tmp_path / "storage")]
    assert main(words) == 130
    told = capfd.readouterr().out
    assert main([*words, "--json"]) == 130
    status = json.loads(capfd.readouterr().out)

    check(status, "status")
    assert (running["state"], running["outcome"], running["n_wanted"]) == ("running", "running", 20)
    assert (status["state"], status["outcome"]) == ("never began", "interrupted")
    assert told.splitlines()[:2] == ["exp: never began", "trials: none, of 20"]


def test_following_a_search_that_has_no_ledger_yet_waits_for_it(tmp_path):
    paths = write_unbegun(tmp_path)
    (tmp_path / "other").mkdir()
    ledger = write_experiment(tmp_path / "other", TRIALS[:2]).paths.journal
    with lock_experiment(paths):
        events = follow_events(paths, poll_s=0.01)
        first = next(events)
        paths.journal.touch()  # an empty one is none yet
        assert read_status(paths)["state"] == "running"
        ledger.replace(paths.journal)
        started = next(events)
    rest = list(events)

    assert (first["state"], first["n_trials"]["complete"]) == ("running", 0)
    assert (started["event"], started["trial"]) == ("started", 0)
    assert [each["event"] for each in rest] == [
        "epoch",
        "epoch",
        "ended",
        "best",
        "started",
        "epoch",
        "ended",
        "best",
        "finished",
    ]
    for each in (first, started, *rest):
        check(each, "event")


HOLD = """
import sys, time
from pathlib import Path
from tune.experiment.lock import lock_experiment
from tune.paths import ExperimentPaths
with lock_experiment(ExperimentPaths(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(600)
"""


def test_following_a_search_whose_driver_is_killed_ends_as_interrupted(tmp_path):
    paths = write_experiment(tmp_path, TRIALS).paths
    with subprocess.Popen([sys.executable, "-c", HOLD, str(paths.folder)], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout.readline() == "held\n"
        command = [sys.executable, "-m", "tune", "status", str(paths.folder), "--follow"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
            first = json.loads(follower.stdout.readline())
            driver.kill()
            last = json.loads(follower.stdout.read().splitlines()[-1])
            status = follower.wait(60)

    assert first["state"] == "running"
    assert (last, status) == ({"event": "finished", "state": "interrupted", "outcome": "interrupted"}, 130)


def test_a_search_that_trains_its_confirmation_says_how_far_it_is(tmp_path, capfd):
    experiment = write_experiment(tmp_path, confirmation.TRIALS)
    assert read_status(experiment.paths)["confirmation"] is None

    confirmation.confirm(experiment, n_runs=5)
    with lock_experiment(experiment.paths):
        status = read_status(experiment.paths)
        main(["status", "exp", "--storage", str(tmp_path / "storage")])

    check(status, "status")
    assert (status["state"], status["confirmation"]) == ("running", {"n_trained": 5, "is_over": False})
    assert "confirmation: 5 trainings ended, and it needs more" in capfd.readouterr().out

    confirmation.confirm(experiment)
    status = read_status(experiment.paths)
    assert status["confirmation"]["is_over"]
    assert status["verdict"] == "gain"


def test_a_damaged_ledger_is_told_and_not_waited_for(tmp_path, capfd):
    paths = write_experiment(tmp_path, TRIALS).paths
    events = follow_events(paths, poll_s=0.01)
    whole = paths.journal.read_bytes()
    with lock_experiment(paths):
        assert next(events)["state"] == "running"
        paths.journal.write_bytes(whole[:200] + b"\0damaged\n" + whole[200:])
        with pytest.raises(ExperimentError, match=r"study\.journal"):
            list(events)
    for words in (["--json"], ["--follow"], []):
        assert main(["status", str(paths.folder), *words]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert "study.journal" in err
        assert "Traceback" not in err


def test_a_record_that_is_being_written_is_read_when_it_is_whole(tmp_path):
    paths = write_experiment(tmp_path, TRIALS).paths
    whole = paths.journal.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    found = []
    with lock_experiment(paths):
        paths.journal.write_bytes(whole[:last])
        events = follow_events(paths, poll_s=0.01)
        assert next(events)["n_trials"]["running"] == 0
        thread = threading.Thread(target=lambda: found.extend(next(events) for _ in range(2)))
        thread.start()
        with paths.journal.open("ab", buffering=0) as file:
            file.write(whole[last : last + 40])
            time.sleep(1)
            assert found == []
            file.write(whole[last + 40 :])
        thread.join(60)

    assert [(each["event"], each["trial"]) for each in found] == [("started", 2), ("epoch", 2)]


def test_an_experiment_that_is_deleted_while_it_is_followed_is_told(tmp_path):
    paths = write_experiment(tmp_path, TRIALS).paths
    with lock_experiment(paths):
        events = follow_events(paths, poll_s=0.01)
        next(events)
        shutil.rmtree(paths.folder)
        with pytest.raises(ExperimentError, match="no experiment"):
            list(events)


def test_a_verdict_counts_more_than_the_scores_of_single_trials():
    better = [trial(0, "complete", {1: 0.5}), trial(1, "complete", {1: 0.7})]
    found = {each: choose_outcome("finished", better[1], better[0], each) for each in (None, "gain", "noise", "loss")}

    assert found == {None: "better", "gain": "better", "noise": "nothing better", "loss": "nothing better"}


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
    paths = write_experiment(tmp_path, TRIALS).paths
    words = ["status", "exp", "--storage", str(tmp_path / "storage")]
    with lock_experiment(paths):
        assert main(words) == 0
    running = capfd.readouterr().out.splitlines()
    assert main(words) == 130
    lines = capfd.readouterr().out.splitlines()

    assert running[:2] == ["exp: running", "trials: 1 complete, 1 pruned, 1 running, of 20"]
    assert running[2].startswith("baseline: Score/Val = 0.6 of 000,baseline")
    assert running[3].startswith("best: Score/Val = 0.7 of 001,")
    assert running[4].startswith("runs: 002,")
    assert running[4].endswith(", after 1 epoch")
    assert lines[:2] == ["exp: interrupted", "trials: 1 complete, 1 pruned, 1 waiting, of 20"]
    assert lines[4] == f"to go on: promotune resume {paths.cli_argument}"


@pytest.mark.parametrize(("curve", "told"), [([0.5], "nothing better"), ([0.7], "better")])
def test_people_read_what_a_finished_search_came_to(tmp_path, capfd, curve, told):
    space = SPACE.replace("trials: 20", "trials: 2")
    write_experiment(tmp_path, [Trial(curve=[0.6]), Trial(curve=curve, values={"LR": 0.05})], space)
    main(["status", "exp", "--storage", str(tmp_path / "storage")])

    assert capfd.readouterr().out.splitlines()[0] == f"exp: finished, {told} than the hardcoded values"


def test_a_reader_of_events_that_goes_away_is_no_error(tmp_path):
    write_experiment(tmp_path, TRIALS[:1])
    command = [sys.executable, "-m", "tune", "status", "exp", "--follow", "--storage", str(tmp_path / "storage")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert json.loads(process.stdout.readline())["event"] == "status"
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()

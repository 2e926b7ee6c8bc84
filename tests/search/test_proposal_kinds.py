"""Proposals of 200 kinds to a driver, and to experiments in every state: each is taken, or refused with the reason."""

import contextlib
import json
import os
import threading
import time

import pytest

from tests.experiments import Trial, write_experiment
from tests.space.proposal_kinds import KINDS
from tests.space.test_proposals import PROGRAM, SPACE
from tests.steered import SteeredSearch
from tune.cli import main
from tune.errors import UserError
from tune.experiment import steer
from tune.experiment.lock import lock_experiment
from tune.experiment.open import open_experiment
from tune.experiment.requests import create_request, decode_request


def can_be_sent(named):
    """Tell whether JSON has a form for what is named."""
    request = create_request("propose", {"constants": named})
    try:
        decode_request(request.encode(), request.id)
        json.dumps(named, allow_nan=False)
    except (UserError, ValueError, TypeError):
        return False
    return all(isinstance(name, str) for name in named)


def test_a_driver_answers_a_proposal_of_each_kind(tmp_path):
    search = SteeredSearch(tmp_path / "project", SPACE, PROGRAM)
    search.run_baseline()
    n_taken = n_refused = 0
    for named, options, expected in KINDS:
        if not can_be_sent(named):
            continue
        others = "sampler" if options.get("sampled") else "hardcoded"
        answer = search.propose(outside=options.get("outside", False), others=others, **named)
        if isinstance(expected, str):
            assert answer.what.startswith(expected[:100]), named
            assert not answer.taken, named
        else:
            repeat = not answer.taken and answer.what.endswith("has this configuration")
            assert answer.taken or repeat, (named, answer)
        n_taken += answer.taken
        n_refused += not answer.taken
    begun = []
    while len(begun) < n_taken and (task := search.begin()) is not None:
        begun.append(task.number)
        search.end(task.number, 0.5)

    assert n_taken > 40
    assert n_refused > 120
    assert begun == list(range(1, n_taken + 1))


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({}, "a proposal has constants"),
        ({"constants": None}, "a proposal has constants"),
        ({"constants": "LR=0.002"}, "a proposal has constants"),
        ({"constants": [["LR", 0.002]]}, "a proposal has constants"),
        ({"constants": {"LR": 0.002}, "outside": "yes"}, "a proposal has constants"),
        ({"constants": {"LR": 0.002}, "others": "nobody"}, "a proposal has constants"),
        ({"constants": {"LR": 0.002}, "others": ["best"]}, "a proposal has constants"),
        ({"constants": {"LR": 0.002}, "why": 3}, "--why: a text of at most 1000 characters, got 3"),
        ({"constants": {"LR": 0.002}, "why": "a" * 1001}, "--why: a text of at most 1000 characters, got 1001"),
        ({"constants": {"LR": 0.002}, "others": "sampler", "outside": True}, "--others sampler draws beside"),
        ({"constants": {"LR": 0.002}, "why": "\x1b]0;x\x07 <b>\u202e"}, None),
        ({"constants": {"LR": 0.003}, "unknown": 1}, None),
        ({"constants": {"LR": 0.004}, "outside": None, "others": None}, None),
    ],
    ids=lambda each: repr(each)[:60],
)
def test_arguments_of_each_kind_are_taken_or_refused(tmp_path, arguments, what):
    search = SteeredSearch(tmp_path / "project")
    search.run_baseline()
    answer = search.ask("propose", **arguments)

    assert answer.taken is (what is None)
    assert answer.what.startswith(what or "trial 001 runs next")


# --- states of the experiment


def running(search):
    search.run_baseline()


def paused(search):
    search.run_baseline()
    search.ask("pause")


def finishing(search):
    search.run_baseline()
    search.begin()
    search.ask("stop", finish=True)


def ending(search):
    search.run_baseline()
    search.begin()
    search.ask("stop")


def has_it(search):
    search.run_baseline()
    search.propose(LR=0.002)


def runs_it(search):
    has_it(search)
    search.begin()


def ended_it(search):
    runs_it(search)
    search.end(1, 0.5)


def stopped_it(search):
    runs_it(search)
    search.report(1, 1, 0.5)
    search.ask("stop", trials=[1])
    search.report(1, 2, 0.5)
    search.stop(1)


def withdrew_it(search):
    has_it(search)
    search.ask("stop", trials=[1])


def failed_it(search):
    runs_it(search)
    trial_id, task = search.running.pop(1)
    search._write_record(task, "failed", [])
    search.controller.on_trial_end(trial_id, death=None)


def finished(search):
    search.run_baseline()
    search.ask("set", trials="1")


RUNNING = {
    "running": (running, "trial 001 runs next"),
    "paused": (paused, "trial 001 runs next, once the search goes on"),
    "finishing": (finishing, "trial 002 is kept: the search ends after the running trials"),
    "ending": (ending, "trial 002 is kept: the search ends after the running trials"),
    "a proposal that waits has it": (has_it, "trial 001 has this configuration"),
    "a trial that runs has it": (runs_it, "trial 001 has this configuration"),
    "a trial that is complete has it": (ended_it, "trial 001 has this configuration"),
    "a trial that was stopped has it": (stopped_it, "trial 001 has this configuration"),
    "a proposal that was withdrawn has it": (withdrew_it, "trial 002 runs next"),
    "a trial that failed has it": (failed_it, "trial 002 runs next"),
    "finished": (finished, "trial 001 runs next"),
}


@pytest.mark.parametrize("state", RUNNING)
def test_a_proposal_to_a_search_in_each_state_is_answered_by_its_driver(tmp_path, state):
    begin, what = RUNNING[state]
    search = SteeredSearch(tmp_path / "project")
    begin(search)
    answer = search.propose(LR=0.002)

    assert answer.what == what
    assert answer.taken is not what.endswith("has this configuration")


def ended(paths):
    pass


def without_ledger(paths):
    paths.journal.unlink()
    paths.lock.touch()


def with_damaged_ledger(paths):
    raw = paths.journal.read_bytes()
    paths.journal.write_bytes(raw[:200] + b"\0x\n" + raw[200:])


def with_damaged_space(paths):
    paths.space.write_text("constants: [")


def without_source(paths):
    for each in paths.source.iterdir():
        each.unlink()


def with_a_file_for_requests(paths):
    paths.requests.write_text("x")


def with_a_link_for_requests(paths):
    (paths.folder.parent / "elsewhere").mkdir()
    paths.requests.symlink_to(paths.folder.parent / "elsewhere")


def with_an_equal_proposal(paths):
    main(["propose", str(paths.folder), "LR=0.002", "--why", "first"])


def moved(paths):
    paths.folder.rename(paths.folder.with_name("other"))


KEPT = "no search runs: it is kept"
NOT_RUNNING = {
    "ended": (ended, 0, KEPT),
    "a search that never began": (without_ledger, 2, "this search never began"),
    "a damaged ledger": (with_damaged_ledger, 2, "study.journal"),
    "a damaged space file": (with_damaged_space, 2, "space.yaml"),
    "no source": (without_source, 2, "source"),
    "a file where requests lie": (with_a_file_for_requests, 2, "requests lie in a folder of the user who searches"),
    "a link where requests lie": (with_a_link_for_requests, 2, "requests lie in a folder of the user who searches"),
    "an equal proposal that waits": (with_an_equal_proposal, 2, "that waits has this configuration"),
    "another name": (moved, 2, "no experiment 'exp'"),
}


@pytest.mark.parametrize("state", NOT_RUNNING)
def test_a_proposal_to_an_experiment_in_each_state_is_kept_or_refused(tmp_path, capfd, state):
    change, status, said = NOT_RUNNING[state]
    experiment = write_experiment(tmp_path, [Trial(curve=[0.5])])
    change(experiment.paths)
    capfd.readouterr()

    assert main(["propose", "exp", "LR=0.002", "--storage", str(tmp_path / "storage")]) == status
    told = capfd.readouterr()
    assert said in (told.out if status == 0 else told.err)
    assert "Traceback" not in told.err


def test_a_proposal_of_another_user_is_refused(tmp_path, capfd, monkeypatch):
    experiment = write_experiment(tmp_path, [Trial(curve=[0.5])])
    main(["propose", "exp", "LR=0.003", "--storage", str(tmp_path / "storage")])
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)

    assert main(["propose", str(experiment.paths.folder), "LR=0.002"]) == 2
    assert "Only the user who started a search can steer it." in capfd.readouterr().err


@pytest.mark.parametrize("ends", [False, True], ids=["being resumed", "ended meanwhile"])
def test_a_proposal_to_a_driver_that_does_not_look_is_kept_and_run_by_the_next(tmp_path, capfd, monkeypatch, ends):
    monkeypatch.setattr(steer, "ANSWER_S", 1.0)
    search = SteeredSearch(tmp_path / "project")
    search.run_baseline()
    experiment = open_experiment(str(search.paths.folder), search.paths.folder.parent)
    with contextlib.ExitStack() as held:
        held.enter_context(lock_experiment(search.paths))
        if ends:
            threading.Timer(1.0, held.close).start()
        began = time.monotonic()
        answer = steer.propose_trial(experiment, {"LR": 0.002}, timeout_s=30.0 if ends else 1.0)
        assert time.monotonic() - began < 20

    why = "the search ended before it answered" if ends else "the search has not answered for 1 s"
    assert (answer.taken, answer.what) == (True, f"{why}: it is kept")
    search.restart()
    search.controller.handle_kept_requests()
    assert search.begin().values["LR"] == 0.002

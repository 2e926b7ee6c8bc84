"""The commands that steer a search, before a driver that runs in this process."""

import contextlib
import getpass
import itertools
import json
import random
import threading
import time

import numpy as np
import pytest

from tests.steered import SteeredSearch
from tune.api import Experiment
from tune.cli import main
from tune.errors import StorageError, UserError
from tune.experiment import steer
from tune.experiment.lock import lock_experiment
from tune.experiment.open import open_experiment
from tune.experiment.proposal_note import SearchPause
from tune.experiment.requests import RequestAnswer
from tune.experiment.steer import LocalMailbox

ONE_SEED = "All trials have one seed, so it would be the same again. With others: promotune retrain"


@pytest.fixture
def search(tmp_path):
    found = SteeredSearch(tmp_path / "project")
    found.run_baseline()
    return found


@pytest.fixture
def driver(search):
    """Let the driver look for requests meanwhile, as between two steps of Ray Tune."""
    over = threading.Event()

    def look():
        while not over.wait(0.02):
            search.poll()

    with lock_experiment(search.paths):
        thread = threading.Thread(target=look)
        thread.start()
        yield search
        over.set()
        thread.join()


@pytest.fixture
def call(search, capfd):
    """Return what runs a command on the experiment, and returns its status, output and errors."""

    def run(command, *words):
        status = main([command, "exp", *words, "--storage", str(search.paths.folder.parent)])
        return (status, *capfd.readouterr())

    return run


def test_a_proposal_is_taken_and_begins_next(driver, call):
    assert call("propose", "LR=3e-3", "BATCH_SIZE=32", "--why", "half") == (0, "trial 001 runs next\n", "")
    values = driver.begin().values
    assert (values["LR"], values["BATCH_SIZE"]) == (3e-3, 32)


def test_a_proposal_that_is_wrong_is_refused_at_once_with_what_to_do(driver, call):
    assert call("propose", "LRR=3e-3") == (2, "", "'LRR' is no constant of this search\n  Did you mean 'LR'?\n")
    assert call("propose", "LR") == (2, "", "a constant and its value, got 'LR'\n  Write `LR=3e-4`.\n")
    assert call("propose", "LR=1", "LR=2") == (2, "", "LR: named twice\n  Keep one of the two.\n")
    assert call("propose")[0] == 2
    assert call("propose", "LR=0.01") == (
        2,
        "",
        f"trial 000 has this configuration\n  {ONE_SEED} {driver.paths.folder} --trial 0 --seeds 5\n",
    )
    assert call("propose", "LR=0.02", "--others", "him")[0] == 2


def test_the_answer_for_machines_is_one_object(driver, call):
    status, told, _ = call("propose", "LR=3e-3", "--json")
    assert (status, json.loads(told)) == (0, {"taken": True, "trial": 1, "what": "trial 001 runs next", "hint": None})
    status, told, _ = call("propose", "LR=3", "--json")
    assert (status, json.loads(told)["taken"]) == (2, False)
    status, told, _ = call("stop", "17", "--json")
    assert (status, json.loads(told)["what"]) == (2, "there are trials 0 to 1, got 17")


def test_options_may_stand_between_the_words(driver, search, capfd):
    storage = ["--storage", str(search.paths.folder.parent)]
    assert main(["propose", "exp", *storage, "LR=3e-3", "--why", "w", "DROPOUT=0.2"]) == 0
    assert main(["stop", *storage, "exp", "--why", "w", "1"]) == 0
    assert main(["set", "exp", *storage, "trials=+1"]) == 0
    assert capfd.readouterr().out.splitlines()[0] == "trial 001 runs next"


def test_a_search_is_stopped_paused_resumed_and_set(driver, call):
    driver.begin()
    hint = f"To let it go on: promotune resume {driver.paths.folder}"
    assert call("pause")[:2] == (0, f"no trial starts until it is resumed; those that run go on\n  {hint}\n")
    assert call("resume")[:2] == (0, "the search goes on\n")
    hint = f"To change how long it runs: promotune set {driver.paths.folder} trials=+20"
    assert call("resume") == (2, "", f"this search is running, and is not paused\n  {hint}\n")
    assert call("set", "trials=+20", "concurrency=1", "time-budget=2h")[:2] == (
        0,
        "trials 40, concurrency 1, time_budget 2 h\n",
    )
    assert call("stop", "1", "--why", "slow")[:2] == (0, "trial 001 stops after its epoch\n")
    assert call("stop", "1", "--finish")[0] == 2
    assert call("stop", "--finish")[:2] == (0, "no further trial begins; the running ones train to their end\n")
    assert call("stop")[:2] == (0, "the search ends: the running epochs end first, then all is saved\n")
    assert driver.controller.end.is_requested


def test_where_no_search_runs_a_proposal_is_kept_and_all_else_is_refused(search, call):
    hint = f"To run it: promotune resume {search.paths.folder}"
    assert call("propose", "LR=3e-3") == (0, f"no search runs: it is kept\n  {hint}\n", "")
    assert call("propose", "LR=0.01")[2].startswith("trial 000 has this configuration\n")
    for words in (["stop"], ["pause"], ["set", "trials=+1"]):
        status, _, error = call(*words)
        assert (status, "no search runs here" in error) == (2, True)
    search.restart()
    search.controller.handle_kept_requests()
    assert search.begin().values["LR"] == 3e-3


def test_where_no_search_runs_a_proposal_that_was_withdrawn_is_kept_again(search, call):
    search.propose(LR=3e-3)
    assert search.ask("stop", trials=[1]).taken

    assert call("propose", "LR=3e-3")[0] == 0


def test_where_no_search_runs_a_proposal_that_its_driver_would_refuse_is_refused(search, call):
    status, _, error = call("propose", "LR=3e-3", "--others", "sampler", "--outside")
    assert (status, "draws beside values inside of their ranges" in error) == (2, True)


def test_the_table_and_the_report_say_who_proposed_a_trial_and_why(driver, call):
    call("propose", "LR=3e-3", "--why", "a <b>hunch</b>")
    driver.begin()
    driver.end(1, 0.7)
    user = driver.ledger.trial_results[1].proposal.user
    _, told, _ = call("results")
    _, found, _ = call("results", "--json")
    call("report")

    assert f"proposed by {user}: a <b>hunch</b>" in told
    assert json.loads(found)["experiments"][0]["trials"][0]["proposal"]["why"] == "a <b>hunch</b>"
    page = driver.paths.report.read_text()
    assert f"proposed by {user}: a &lt;b&gt;hunch&lt;/b&gt;" in page
    assert "<b>hunch" not in page


def test_a_ledger_with_a_damaged_proposal_is_read(driver):
    driver.propose(LR=3e-3)
    for damaged in ("x", [], {"request": 1}, {"request": "a", "user": "b", "why": "c", "outside": "LR"}):
        driver.ledger.set_attributes(1, proposed=damaged)
        experiment = open_experiment(str(driver.paths.folder), driver.paths.folder.parent)
        assert experiment.trials[1].proposal is None


@pytest.mark.parametrize(
    ("constants", "outside"), [({"BATCH_SIZE": np.int64(32)}, False), ({1: 2}, False), ({"OPTIMIZER": "x\udcff"}, True)]
)
def test_a_value_that_cannot_be_sent_is_refused_at_once(search, constants, outside):
    with pytest.raises(UserError):
        Experiment(search.paths.folder).propose(constants, outside=outside)
    assert search.requests.list_requests() == []


def test_where_no_search_runs_an_equal_proposal_that_waits_is_not_kept_twice(search, call):
    assert call("propose", "LR=3e-3")[0] == 0
    assert call("propose", "LR=0.003", "BATCH_SIZE=64")[2].startswith(
        f"a proposal of {getpass.getuser()} that waits has this configuration\n"
    )
    assert call("propose", "LR=3e-3", "BATCH_SIZE=32")[0] == 0
    assert call("propose", "LR=3e-3", "--others", "sampler")[0] == 0  # the others are not known yet


def test_others_of_the_best_trial_are_those_of_the_ledger_where_no_search_runs(search, call):
    search.propose(LR=0.002, DROPOUT=0.3)
    search.begin()
    search.end(1, 0.9)
    assert call("propose", "LR=0.003", "--others", "best")[0] == 0
    search.restart()
    search.controller.handle_kept_requests()
    values = search.begin().values

    assert (values["LR"], values["DROPOUT"]) == (0.003, 0.3)


@pytest.mark.parametrize("is_running", [False, True])
def test_others_of_the_best_trial_are_refused_where_no_trial_has_a_score(tmp_path, capfd, is_running):
    search = SteeredSearch(tmp_path / "project")
    search.begin()
    words = ["propose", "exp", "LR=0.003", "--others", "best", "--storage", str(search.paths.folder.parent)]
    with lock_experiment(search.paths) if is_running else contextlib.nullcontext():
        assert main(words) == 2

    assert capfd.readouterr().err == "--others: no trial has a score yet, got best\n  Leave it out.\n"
    assert search.requests.list_requests() == []


class Mailbox(LocalMailbox):
    """Lets a test do something whenever the client looks whether a search runs."""

    def __init__(self, paths, look):
        super().__init__(paths)
        self.look = look

    @property
    def has_driver(self):
        self.look()
        return True


@pytest.fixture
def ask(search, monkeypatch):
    """Return what asks a search for something while a function is called now and then; the client waits for 1 s."""
    monkeypatch.setattr(steer, "LOOK_S", 0.05)
    monkeypatch.setattr(steer, "AT_WORK_S", 1.0)

    def run(look, verb="pause", **arguments):
        monkeypatch.setattr(steer, "open_mailbox", lambda paths: Mailbox(paths, look))
        return steer.ask_running(search.paths, verb, arguments, timeout_s=0.5)

    return run


def test_a_request_that_nobody_takes_is_taken_back(search, ask):
    answer = ask(lambda: None)
    search.poll()

    assert (answer.taken, answer.is_missing) == (False, True)
    assert answer.what == "the search has not answered for 0 s"
    assert not search.controller.controls.is_paused
    assert search.requests.list_requests() == []


def test_a_request_that_the_driver_takes_as_the_client_gives_up_is_waited_for(search, ask):
    """The driver reads it before the client gives up, and does it afterwards."""
    folder = search.requests
    taken, began = [], time.monotonic()

    def look():
        waiting = [name for name in folder.list_requests() if folder.has_request(name.removesuffix(".json"))]
        taken.extend(folder.read_request(name) for name in waiting)
        if taken and time.monotonic() - began > 1.0:
            folder.answer_request(taken[0].id, RequestAnswer(taken=True, what="paused"))

    answer = ask(look)

    assert (answer.taken, answer.what) == (True, "paused")


def test_of_a_request_that_was_taken_and_never_answered_nobody_says_that_it_was_not_done(search, ask):
    folder = search.requests
    answer = ask(lambda: [folder.read_request(name) for name in folder.list_requests()])

    assert answer.taken
    assert answer.what == "the search has not answered for 1 s, but it has read this: it may have been done"
    assert answer.hint == f"What came of it: promotune status {search.paths.folder}"


def test_whoever_gives_up_while_a_driver_reads_is_told_what_came_of_it(search, monkeypatch):
    """Clients whose patience ends at any moment of a driver's look, and a driver that looks as often."""
    over, pauses = threading.Event(), random.Random(1)
    monkeypatch.setattr(steer, "AT_WORK_S", 30.0)
    monkeypatch.setattr(steer.LocalMailbox, "poll_s", 0.001)
    refused = []

    def look():
        while not over.wait(pauses.random() / 100):
            search.poll()

    with lock_experiment(search.paths):
        thread = threading.Thread(target=look)
        thread.start()
        for number in range(200):
            verb = "pause" if number % 2 == 0 else "resume"
            answer = steer.ask_running(search.paths, verb, timeout_s=random.Random(number).random() / 200)
            is_paused = search.controller.controls.is_paused
            refused.append(answer.is_missing)
            if answer.is_missing:
                assert is_paused is (verb == "resume"), number
                search.controller.controls.change_pause(None if is_paused else SearchPause(user="me", time=0.0))
            else:
                assert answer.taken, answer
        over.set()
        thread.join()

    assert any(refused)
    assert not all(refused)


def test_a_store_that_does_not_answer_for_a_while_is_asked_again(search, monkeypatch, ask):
    looks = itertools.count()

    def look():
        if 1 <= next(looks) <= 3:
            raise StorageError("s3://bucket", "it cannot be read", None)
        search.poll()

    assert ask(look).taken


def test_a_request_to_a_store_that_is_gone_is_neither_done_nor_undone(search, monkeypatch, ask):
    def fail(*_):
        raise StorageError("s3://bucket", "it cannot be read", None)

    monkeypatch.setattr(Mailbox, "withdraw_request", fail)
    with pytest.raises(StorageError) as told:
        ask(lambda: None)
    assert told.value.what == "it cannot be read; whether the search has done this is not known"

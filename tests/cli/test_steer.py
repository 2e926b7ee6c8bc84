"""The commands that steer a search, before a driver that runs in this process."""

import json
import threading

import numpy as np
import pytest

from tests.steered import SteeredSearch
from tune.api import Experiment
from tune.cli import main
from tune.errors import UserError
from tune.experiment.lock import lock_experiment
from tune.experiment.open import open_experiment

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

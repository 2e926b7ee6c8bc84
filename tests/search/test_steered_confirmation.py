"""What is asked of a search while its confirmation trains: it can be stopped and paused, and proposals are kept."""

from dataclasses import replace

import pytest

from tests.steered import SteeredSearch
from tune.experiment.lock import lock_experiment
from tune.experiment.open import open_experiment
from tune.experiment.requests import create_request
from tune.results.confirm.confirmation import build_request
from tune.retrain.confirm import create_plan, plan_confirmation
from tune.retrain.plan import divide_runs, lock_retrained
from tune.search import retrain
from tune.space.settings import Confirm


@pytest.fixture
def confirmed(tmp_path):
    """Return a search that has ended, and the controller of its confirmation, which has four runs to begin."""
    search = SteeredSearch(tmp_path / "project")
    search.run_baseline()
    search.begin()
    search.end(1, 0.9)
    experiment = open_experiment(str(search.paths.folder), search.paths.folder.parent)
    record = plan_confirmation(experiment, Confirm(), 2)
    resources = search.resources
    with lock_experiment(search.paths), lock_retrained(experiment, lambda line: None):
        planned = create_plan(experiment, resources, record)
        requests = [replace(build_request(experiment), seed=seed) for seed in record.seeds[:4]]
        planned = divide_runs(planned, [(experiment.trials[0], each) for each in requests])
        retraining = planned.build_retraining(lambda run: (), is_steered=True)
        yield search, retrain._RetrainController(retraining, search.space.dimensions)


@pytest.fixture
def ask(confirmed):
    """Return what sends a request, and returns the answer to it; None where there is none."""
    search, controller = confirmed

    def send(verb, **arguments):
        request = create_request(verb, arguments)
        search.requests.send_request(request)
        controller._requests._clock._next = 0.0
        controller.handle_requests()
        return search.requests.fetch_answer(request.id)

    return send


def stored_pause(search):
    return open_experiment(str(search.paths.folder), search.paths.folder.parent).pause


def test_a_confirmation_is_stopped_as_a_whole(confirmed, ask):
    _, controller = confirmed
    one = ask("stop", trials=[1])
    whole = ask("stop")

    assert (one.taken, one.what) == (False, "the confirmation trains: no trial runs that could be stopped")
    assert (whole.taken, whole.what) == (
        True,
        "the confirmation trains: it ends after the running epochs, and all is saved",
    )
    assert controller.is_end_requested
    assert controller.is_interrupted
    assert controller.next_task("a") is None


def test_the_running_runs_of_a_confirmation_train_to_their_end(confirmed, ask):
    _, controller = confirmed
    assert controller.next_task("a") is not None
    assert ask("stop", finish=True).taken

    assert controller.next_task("b") is None
    assert not controller.has_finished
    controller.on_trial_end("a", death=None)
    assert controller.has_finished
    assert controller.is_interrupted


def test_a_confirmation_is_paused_and_goes_on_and_the_ledger_says_so(confirmed, ask):
    search, controller = confirmed
    assert not ask("resume").taken
    assert ask("pause").taken
    assert not ask("pause").taken
    assert controller.next_task("a") is None
    assert not controller.has_finished
    assert stored_pause(search) == controller.pause
    assert ask("resume").taken
    assert stored_pause(search) is None
    assert controller.next_task("a") is not None


def test_a_proposal_is_kept_for_resume_and_set_is_refused_at_once(confirmed, ask):
    search, _ = confirmed
    kept = ask("propose", constants={"LR": 0.002})
    hint = f"To run it: promotune resume {search.paths.folder}"
    assert (kept.taken, kept.what, kept.hint) == (True, "the confirmation trains: it is kept", hint)
    assert "waits has this configuration" in ask("propose", constants={"LR": 0.002}).what
    assert ask("propose", constants={"LR": 0.01}).what == "trial 000 has this configuration"
    assert ask("propose", constants={"LR": 7}).what == "LR: outside of loguniform 0.0001 to 0.1, got 7.0"
    assert not ask("propose", constants=3).taken
    refused = ask("set", trials="+20")
    assert (refused.taken, refused.what) == (False, "the confirmation trains: the search has no further trials")

    search.restart()
    search.controller.handle_kept_requests()
    assert search.begin().values["LR"] == 0.002
    assert search.requests.list_requests() == []


def test_what_was_kept_before_and_what_is_no_request_are_as_without_a_confirmation(confirmed):
    search, controller = confirmed
    earlier = replace(create_request("propose", {"constants": {"LR": 0.003}}), time=0.0)
    stop = replace(create_request("stop"), time=0.0)
    for each in (earlier, stop):
        search.requests.send_request(each)
    meanwhile = search.send("pause")  # sent once the experiment was held, before the confirmation began
    search.write_raw("junk.json", b"x")
    controller = retrain._RetrainController(controller._retraining, search.space.dimensions)
    controller.handle_requests()

    assert search.requests.has_request(earlier.id)
    assert search.requests.fetch_answer(earlier.id) is None
    assert not search.requests.fetch_answer(stop.id).taken
    assert search.requests.fetch_answer(meanwhile).taken
    assert not controller.is_end_requested
    assert [each.name for each in search.requests.refused.iterdir()] == ["junk.json"]


def test_a_retraining_that_does_not_hold_its_experiment_answers_nothing(confirmed):
    search, controller = confirmed
    other = retrain._RetrainController(replace(controller._retraining, is_steered=False), search.space.dimensions)
    search.send("stop")
    other.handle_requests()

    assert not other.is_end_requested
    assert len(search.requests.list_requests()) == 1


def test_requests_in_a_folder_that_is_not_the_users_are_not_read(confirmed, tmp_path):
    search, controller = confirmed
    search.send("stop")
    elsewhere = tmp_path / "elsewhere"
    search.paths.requests.rename(elsewhere)
    search.paths.requests.symlink_to(elsewhere)
    controller.handle_requests()

    assert not controller.is_end_requested

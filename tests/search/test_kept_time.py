"""What a search goes on with in the time that it kept for its confirmation."""

import time
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from tests.steered import SteeredSearch
from tune.experiment.open import open_experiment
from tune.retrain import kept_time
from tune.retrain.kept_time import _leave_out_start, update_settings, use_kept_time
from tune.search.run import build_result
from tune.search.spec import Search
from tune.space.settings import Confirm


def search_of(steered):
    space = replace(steered.space, settings=replace(steered.space.settings, confirm=Confirm(), time_budget_s=3600.0))
    return Search(space=space, program=steered.program, promoted=(), resources=None, paths=steered.paths)


def test_a_search_goes_on_with_what_was_set_while_it_ran(tmp_path):
    steered = SteeredSearch(tmp_path / "project")
    search = search_of(steered)
    steered.run_baseline()
    assert steered.ask("set", trials="+20", time_budget="2h", concurrency="1").taken

    experiment = open_experiment(str(steered.paths.folder), steered.paths.folder.parent)
    settings = update_settings(search, experiment).space.settings
    assert (settings.trials, settings.time_budget_s, settings.concurrency) == (40, 7200.0, 1)
    assert settings.confirm == Confirm()


def test_what_follows_a_search_has_as_many_places_as_were_set_while_it_ran(tmp_path):
    steered = SteeredSearch(tmp_path / "project", concurrency=2)
    steered.run_baseline()
    assert steered.ask("set", concurrency="4").taken
    search = replace(search_of(steered), resources=steered.resources)

    assert build_result(search, steered.controller, steered.ledger).resources == replace(
        steered.resources, concurrency=4
    )


def test_a_search_that_somebody_let_finish_does_not_go_on(tmp_path, monkeypatch):
    steered = SteeredSearch(tmp_path / "project")
    steered.run_baseline()
    assert steered.ask("stop", finish=True).taken
    monkeypatch.setattr(kept_time, "plan_confirmation", lambda *_: None)
    monkeypatch.setattr(kept_time, "resume_search", lambda *_: "went on")
    finished = SimpleNamespace(
        outcomes=steered.ledger.trial_results,
        exhausted=False,
        interrupted_by_user=False,
        is_finishing=steered.controller.controls.is_finishing,
        fault=None,
        n_wanted=20,
        resources=SimpleNamespace(concurrency=2),
    )
    search = search_of(steered)
    assert use_kept_time(search, finished, lambda line: None) is finished


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_the_time_that_is_spent_is_not_that_of_a_clock_that_can_be_set(tmp_path, monkeypatch, hours):
    steered = SteeredSearch(tmp_path / "project")
    steered.run_baseline()
    monkeypatch.setattr(kept_time, "plan_confirmation", lambda *_: None)
    monkeypatch.setattr(
        kept_time, "resume_search", lambda search, snapshot: SimpleNamespace(spent_s=search.spent_s, ends_at=1.0)
    )
    finished = SimpleNamespace(
        outcomes=steered.ledger.trial_results,
        exhausted=False,
        interrupted_by_user=False,
        is_finishing=False,
        fault=None,
        n_wanted=20,
        resources=SimpleNamespace(concurrency=2),
        began_s=time.monotonic() - 600,
    )
    steered.ask("set", time_budget="1h")
    now = time.time
    monkeypatch.setattr("time.time", lambda: now() + 3600 * hours)

    again = use_kept_time(search_of(steered), finished, lambda line: None)
    assert 600 <= again.spent_s < 660


@dataclass(frozen=True)
class Finished:
    """What is read of a search that came to its end."""

    ends_at: float | None


def test_a_budget_ends_earlier_by_the_start_of_ray_that_follows():
    finished = Finished(ends_at=1000.0)
    records = [None, SimpleNamespace(started=512.0), SimpleNamespace(started=515.0), SimpleNamespace(started=90.0)]

    assert _leave_out_start(finished, 500.0, records).ends_at == 988.0
    assert _leave_out_start(finished, 500.0, [None]).ends_at == 1000.0

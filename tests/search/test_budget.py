"""The time of a search, and what is kept of it for the confirmation."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tune.experiment.trial_result import TrialResult
from tune.search.search_end import SearchEnd
from tune.search.spec import Budget
from tune.space.settings import Confirm


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("tune.search.spec.time.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(("reserved", "until"), [(0.0, 100.0), (10.0, 90.0), (80.0, 50.0)])
def test_budget_when_time_is_reserved_then_it_is_spent_earlier_and_half_of_it_at_the_earliest(clock, reserved, until):
    budget = Budget(100.0)
    budget.start_clock()
    budget.reserve_time(reserved)

    clock[0] = until - 0.1
    assert not budget.is_spent
    clock[0] = until
    assert budget.is_spent


def test_budget_without_an_end_is_never_spent(clock):
    budget = Budget(None)
    budget.start_clock()
    budget.reserve_time(10.0)
    clock[0] = 1e9

    assert not budget.is_spent


def test_a_budget_ends_at_a_certain_time_once_it_runs(clock):
    clock[0] = 5000.0
    budget = Budget(100.0)
    budget.reserve_time(40.0)
    assert budget.ends_at is None
    budget.start_clock()
    assert budget.ends_at == 5100.0
    budget.budget_s = 300.0
    assert budget.ends_at == 5300.0


def test_a_budget_that_is_set_later_keeps_the_time_that_was_asked_for(clock):
    budget = Budget(None)
    budget.start_clock()
    budget.reserve_time(30.0)
    budget.budget_s = 40.0
    clock[0] = 20.0
    assert budget.is_spent
    budget.budget_s = 100.0
    clock[0] = 69.9
    assert not budget.is_spent
    clock[0] = 70.0
    assert budget.is_spent


@pytest.mark.parametrize(
    ("started", "ended", "duration_s"), [(10.0, 25.0, 15.0), (3610.0, 25.0, None), (10.0, None, None)]
)
def test_a_trial_in_which_the_clock_was_set_back_has_no_duration(started, ended, duration_s):
    """Time that is kept for the confirmation by it would else be added to the budget."""
    trial = TrialResult(
        number=0,
        version="000,baseline",
        values={},
        state="complete",
        score=None,
        best_epoch=None,
        curve={},
        measures={},
        reason=None,
        started=started,
        ended=ended,
    )
    assert trial.duration_s == duration_s


def test_the_time_that_is_reserved_goes_by_the_trials_that_trained_to_their_end(clock):
    controls = SimpleNamespace(budget=Budget(1000.0), limits=SimpleNamespace(n_confirm_rounds=10))
    controls.budget.start_clock()
    end = SearchEnd(Path(), controls, None, None, lambda: None)
    for state, duration_s in (
        ("complete", 10.0),
        ("pruned", 1.0),
        ("failed", 90.0),
        ("complete", 30.0),
        ("complete", None),
    ):
        end.reserve_time(SimpleNamespace(state=state, duration_s=duration_s))

    clock[0] = 799.9
    assert not controls.budget.is_spent
    clock[0] = 800.0  # ten rounds of 20 s are left
    assert controls.budget.is_spent


@pytest.mark.parametrize(("confirm", "n_runs"), [(Confirm(), 25), (Confirm(top=1), 16), (Confirm(top=4, seeds=2), 24)])
def test_a_confirmation_takes_the_runs_of_its_race_and_of_its_verdict(confirm, n_runs):
    assert confirm.count_runs(8) == n_runs

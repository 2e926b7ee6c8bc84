"""The time of a search, and what is kept of it for the confirmation."""

import pytest

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


def test_a_budget_that_is_set_later_keeps_the_time_that_was_asked_for(clock):
    budget = Budget(None)
    budget.start_clock()
    budget.reserve_time(30.0)
    budget.change_budget(40.0)
    clock[0] = 20.0
    assert budget.is_spent
    budget.change_budget(100.0)
    clock[0] = 69.9
    assert not budget.is_spent
    clock[0] = 70.0
    assert budget.is_spent


@pytest.mark.parametrize(("confirm", "n_runs"), [(Confirm(), 25), (Confirm(top=1), 16), (Confirm(top=4, seeds=2), 24)])
def test_a_confirmation_takes_the_runs_of_its_race_and_of_its_verdict(confirm, n_runs):
    assert confirm.count_runs(8) == n_runs

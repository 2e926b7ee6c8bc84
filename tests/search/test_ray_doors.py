"""What Ray Tune keeps of trials, whose scheduler ours is."""

from types import SimpleNamespace

import pytest

from tests.projects import write_program
from tune.search.ray_doors import SchedulerDoor

SPACE = """
metric: Score/Val
mode: max
constants:
  CASE: {choice: [better, raises, weak, steady, nan, dies]}
sampler: grid
trials: 20
concurrency: 2
max_failures: 0
"""
KEPT = ("_trials", "_stopped_trials", "_failed_trials", "_trials_to_cache")


@pytest.fixture
def kept(monkeypatch):
    """Return what fills with the number of trials in each of Ray's records, whenever a trial ends."""
    numbers = []

    def spy(name):
        told = getattr(SchedulerDoor, name)

        def spied(door, controller, *args):
            told(door, controller, *args)
            numbers.append([len(getattr(controller, record)) for record in KEPT])

        monkeypatch.setattr(SchedulerDoor, name, spied)

    spy("on_trial_complete")
    spy("on_trial_error")
    return numbers


def test_ray_forgets_a_trial_once_another_has_ended(search, tmp_path, kept):
    searched = search(write_program(tmp_path / "project", "cases"), SPACE)

    assert searched.error is None
    assert [trial.state.name for trial in searched.study.trials].count("FAIL") == 3
    assert len(kept) == len(searched.study.trials) == 6
    assert max(map(max, kept)) <= 3  # two that run, and the one that has ended


def test_another_ray_that_has_no_such_records_is_let_be():
    SchedulerDoor(None).on_trial_complete(SimpleNamespace(), SimpleNamespace(), {})

"""The size of a race where time is limited: seeds are given up first, then trials, and then the race."""

import pytest

from tune.results.confirm.race_size import RaceSize, choose_race_size, count_affordable_seeds, estimate_time


@pytest.mark.parametrize(
    ("available_s", "size"),
    [
        (150.0, RaceSize(n_trials=5, n_seeds=3, race_s=80.0)),
        (80.0, RaceSize(n_trials=5, n_seeds=3, race_s=80.0)),
        (79.0, RaceSize(n_trials=5, n_seeds=2, race_s=50.0)),
        (49.0, RaceSize(n_trials=4, n_seeds=2, race_s=40.0)),
        (30.0, RaceSize(n_trials=3, n_seeds=2, race_s=30.0)),
        (29.0, None),
    ],
)
def test_less_time_makes_a_smaller_race(available_s, size):
    assert choose_race_size([10.0] * 5, 3, 2, available_s) == size


def test_two_trials_race_where_there_are_no_more_and_one_never_does():
    assert choose_race_size([10.0, 10.0], 3, 2, 25.0) == RaceSize(n_trials=2, n_seeds=2, race_s=20.0)
    assert choose_race_size([10.0], 3, 2, 100.0) is None
    assert choose_race_size([], 3, 2, 100.0) is None


def test_a_run_begins_as_soon_as_a_worker_is_free():
    assert estimate_time([30.0, 10.0, 10.0, 10.0], 2) == 30.0
    assert estimate_time([10.0, 10.0, 30.0], 2) == 40.0


@pytest.mark.parametrize(
    ("available_s", "n_seeds"), [(1000.0, 8), (80.0, 8), (79.0, 7), (50.0, 5), (49.0, 5), (1.0, 5)]
)
def test_less_time_makes_a_smaller_verdict_of_five_seeds_at_least(available_s, n_seeds):
    assert count_affordable_seeds([10.0, 10.0], 8, 2, available_s) == n_seeds

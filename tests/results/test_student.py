"""Student's interval against tables, and against what it promises."""

import random

import pytest

from tune.results.verdict import compute_interval, compute_statistics


def test_a_spread_has_the_deviation_of_single_values():
    assert compute_statistics([1.0, 2.0, 3.0, 4.0]).mean == 2.5
    assert compute_statistics([1.0, 2.0, 3.0, 4.0]).deviation == pytest.approx(1.2909944)
    assert compute_statistics([7.0]).deviation is None


@pytest.mark.parametrize(("n_intervals", "t"), [(1, 2.776445), (3, 3.960786)])
def test_an_interval_has_the_width_that_tables_give_for_four_degrees_of_freedom(n_intervals, t):
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    half = t * 2.5**0.5 / 5**0.5

    found = compute_interval(values, n_intervals=n_intervals)

    assert (found.low, found.high) == (pytest.approx(3 - half, abs=1e-5), pytest.approx(3 + half, abs=1e-5))


def test_an_interval_holds_the_mean_as_often_as_it_says():
    rng = random.Random(0)
    samples = [[rng.gauss(1, 2) for _ in range(5)] for _ in range(4000)]
    found = map(compute_interval, samples)

    assert 0.94 < sum(each.low < 1 < each.high for each in found) / 4000 < 0.96

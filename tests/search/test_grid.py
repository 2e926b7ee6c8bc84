"""A grid visits each of its points once, in an order that its seed repeats."""

from itertools import islice

from tune.search.samplers.optuna_samplers import grid_points
from tune.space.dimensions import Choice, FloatRange, IntRange

SPACE = {"A": IntRange(low=1, high=3), "B": Choice(options=("x", None)), "C": FloatRange(low=0.1, high=0.7, step=0.3)}


def test_every_point_comes_once():
    points = [tuple(point.items()) for point in grid_points(SPACE, {}, 0)]

    assert len(points) == len(set(points)) == 3 * 2 * 3
    assert (("A", 3), ("B", None), ("C", 0.7)) in points


def test_the_seed_decides_the_order():
    assert list(grid_points(SPACE, {}, 0)) == list(grid_points(SPACE, {}, 0))
    assert list(grid_points(SPACE, {}, 0)) != list(grid_points(SPACE, {}, 1))


def test_a_grid_too_large_for_memory_is_visited_in_part():
    huge = {name: IntRange(low=0, high=10**6, step=10) for name in "ABCD"}

    first = [tuple(point.values()) for point in islice(grid_points(huge, {}, 0), 50)]
    assert len(set(first)) == 50

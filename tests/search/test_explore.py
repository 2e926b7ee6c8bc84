"""What a member of a population makes of the constants that it took over."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune.search.samplers.perturb import explore_config
from tune.space.dimensions import Choice, FloatRange, IntRange, is_in_dimension

SPACE = {
    "uniform": FloatRange(low=-1.0, high=2.0),
    "quniform": FloatRange(low=0.1, high=0.7, step=0.1),
    "loguniform": FloatRange(low=1e-5, high=1e-1, log=True),
    "randint": IntRange(low=1, high=9),
    "qrandint": IntRange(low=8, high=64, step=8),
    "lograndint": IntRange(low=16, high=512, log=True),
    "choice": Choice(options=("a", True, 1, None, (2, 3))),
}
START = {
    "uniform": 0.5,
    "quniform": 0.3,
    "loguniform": 1e-3,
    "randint": 3,
    "qrandint": 32,
    "lograndint": 100,
    "choice": 1,
}


def seen(name, n=200, **arguments):
    rng = random.Random(0)
    return {explore_config({name: SPACE[name]}, {name: START[name]}, rng, **arguments)[name] for _ in range(n)}


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "uniform": [0.5 * 0.8, 0.5 * 1.2],
        "quniform": [0.2, 0.4],
        "loguniform": [1e-3 * 0.8, 1e-3 * 1.2],
        "randint": [2, 4],
        "qrandint": [24, 40],
        "lograndint": [80, 120],
        "choice": [True, None],
    }.items(),
)
def test_a_value_moves_by_a_fifth_or_to_its_neighbour(name, values):
    assert sorted(map(repr, seen(name, resample_probability=0))) == sorted(map(repr, values))


def test_a_quarter_of_the_values_is_drawn_anew():
    rng = random.Random(0)
    drawn = [explore_config({"lr": SPACE["loguniform"]}, {"lr": 1e-3}, rng)["lr"] for _ in range(1000)]

    assert 0.2 < sum(value not in (1e-3 * 0.8, 1e-3 * 1.2) for value in drawn) / 1000 < 0.3


@given(seed=st.integers(0, 10**6), n=st.integers(1, 30))
def test_whatever_is_done_to_them_values_stay_in_their_ranges(seed, n):
    rng, values = random.Random(seed), dict(START)
    for _ in range(n):
        values = explore_config(SPACE, values, rng)

    assert all(is_in_dimension(SPACE[name], value) for name, value in values.items())
    on_grid = (values["quniform"] - 0.1) / 0.1
    assert abs(on_grid - round(on_grid)) < 1e-6
    assert values["qrandint"] % 8 == 0

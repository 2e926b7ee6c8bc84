"""A perturbation stays inside its range, moves about half of the numbers, and reaches the ends."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune.search.samplers.optuna_values import distribution_of, to_label
from tune.search.samplers.perturb import perturb_config
from tune.space.dimensions import Choice, FloatRange, IntRange, is_in_dimension

low = st.floats(-1e6, 1e6)
width = st.floats(1e-6, 1e6)
positive = st.floats(1e-9, 1e6)
n_steps = st.integers(1, 50)


def quniform(low, q, n):
    """A grid as a space file writes one: its high is a decimal number, not a sum of floats."""
    return FloatRange(low=low / 100, high=(low + q * n) / 100, step=q / 100)


DIMENSIONS = st.one_of(
    st.builds(lambda low, width: FloatRange(low=low, high=low + width), low, width),
    st.builds(lambda low, ratio: FloatRange(low=low, high=low * ratio, log=True), positive, st.floats(1.01, 1e6)),
    st.builds(quniform, st.integers(-500, 500), st.integers(1, 50), n_steps),
    st.builds(lambda low, n: IntRange(low=low, high=low + n), st.integers(-1000, 1000), n_steps),
    st.builds(lambda low, n: IntRange(low=low, high=low + n, log=True), st.integers(1, 1000), n_steps),
    st.builds(
        lambda low, q, n: IntRange(low=low, high=low + q * n, step=q), st.integers(-99, 99), st.integers(1, 9), n_steps
    ),
    st.just(Choice(options=(1, True, None, "x", (1, 2)))),
)


def grid_or_ends(dimension):
    match dimension:
        case Choice():
            return st.sampled_from(dimension.options)
        case IntRange():
            return st.sampled_from(range(dimension.low, dimension.high + 1, dimension.step or 1))
        case FloatRange(step=float()):
            return st.sampled_from([dimension.low, dimension.high])
        case _:
            return st.floats(dimension.low, dimension.high)


@given(st.data(), DIMENSIONS, st.integers(0, 2**32))
def test_a_perturbation_is_one_that_the_sampler_could_draw(data, dimension, seed):
    value = data.draw(grid_or_ends(dimension))
    rng = random.Random(seed)

    for _ in range(20):
        value = perturb_config({"X": dimension}, {"X": value}, rng)["X"]
        assert is_in_dimension(dimension, value)
        distribution = distribution_of(dimension)
        internal = distribution.to_internal_repr(to_label(dimension, value))
        assert distribution._contains(internal)  # else Optuna would draw another one, silently


SMALL = [
    FloatRange(low=0.0, high=1.0),
    FloatRange(low=0.1, high=0.7, step=0.1),
    FloatRange(low=1e-4, high=1e-1, log=True),
    IntRange(low=1, high=5),
    IntRange(low=1, high=5, log=True),
    IntRange(low=0, high=30, step=10),
]


@pytest.mark.parametrize("dimension", SMALL, ids=lambda dimension: type(dimension).__name__)
def test_both_ends_are_reached(dimension):
    rng = random.Random(0)
    values = [dimension.low]
    for _ in range(500):
        values.append(perturb_config({"X": dimension}, {"X": values[-1]}, rng)["X"])

    assert min(values) == dimension.low
    assert max(values) == dimension.high


def test_half_of_the_numbers_move():
    rng = random.Random(0)
    space = {str(number): FloatRange(low=0.0, high=1.0) for number in range(1000)}
    near = perturb_config(space, dict.fromkeys(space, 0.5), rng)

    moved = [value - 0.5 for value in near.values() if value != 0.5]
    assert 430 < len(moved) < 570
    assert sum(abs(step) < 0.2 for step in moved) > 0.6 * len(moved)  # a standard deviation of 0.2


def test_ints_stay_ints():
    rng = random.Random(0)
    space = {
        "A": IntRange(low=1, high=9),
        "B": IntRange(low=1, high=99, log=True),
        "C": IntRange(low=0, high=9, step=3),
    }

    for _ in range(50):
        assert all(type(value) is int for value in perturb_config(space, {"A": 5, "B": 5, "C": 3}, rng).values())

"""Perturbations: of the best configuration so far, and of what a member of a population took over.

Chosen by measurement (half the time to the value that Ray's default ends with, in the median): half of the numbers
move, by a standard deviation of 0.2 of their range, in log space where the range is; a choice changes in 3 of 10.

What a member of a population makes of the constants that it took over: each is multiplied, or drawn anew.

Jaderberg et al., "Population Based Training of Neural Networks", 2017: factors of 1.2 and 0.8. A choice moves to a
neighbour in its list, an int by at least 1. Defaults as in Ray Tune. Every value stays in its range.
"""

import math
import random
from collections.abc import Mapping

from tune.space.conditions import draw_config
from tune.space.dimensions import Choice, Dimension, Value, is_continuous, is_number, is_same_value

SHARE = 0.25
MOVED_SHARE = 0.5
CHANGED_SHARE = 0.3
DEVIATION = 0.2  # of the range


def perturb_config(
    dimensions: Mapping[str, Dimension], values: Mapping[str, Value], rng: random.Random
) -> dict[str, Value]:
    """Return a configuration near ``values``, inside the ranges."""
    return {name: _perturb_value(dimension, values[name], rng) for name, dimension in dimensions.items()}


def _perturb_value(dimension: Dimension, value: Value, rng: random.Random) -> Value:
    if isinstance(dimension, Choice):
        return rng.choice(dimension.options) if rng.random() < CHANGED_SHARE else value
    if rng.random() > MOVED_SHARE:
        return value
    assert isinstance(value, int | float)
    low, high = dimension.low, dimension.high
    moved = _random_log_step(value, low, high, rng) if dimension.log else _random_step(value, low, high, rng)
    if is_continuous(dimension):
        return moved
    step = dimension.step or 1
    return min(low + round((moved - low) / step) * step, high)  # 0.1 + 6 * 0.1 is above 0.7


def _random_step(value: float, low: float, high: float, rng: random.Random) -> float:
    return min(max(value + DEVIATION * (high - low) * rng.gauss(0, 1), low), high)


def _random_log_step(value: float, low: float, high: float, rng: random.Random) -> float:
    return min(max(math.exp(_random_step(math.log(value), math.log(low), math.log(high), rng)), low), high)


RESAMPLE_PROBABILITY = 0.25
PERTURBATION_FACTORS = (1.2, 0.8)


def explore_config(
    dimensions: Mapping[str, Dimension],
    values: Mapping[str, Value],
    rng: random.Random,
    resample_probability: float = RESAMPLE_PROBABILITY,
) -> dict[str, Value]:
    """Return other values of the same constants."""
    anew = draw_config(dimensions, {}, rng)
    return {
        name: anew[name] if rng.random() < resample_probability else _explore_value(dimensions[name], value, rng)
        for name, value in values.items()
    }


def _explore_value(dimension: Dimension, value: Value, rng: random.Random) -> Value:
    if isinstance(dimension, Choice):
        place = next(index for index, option in enumerate(dimension.options) if is_same_value(value, option))
        there = min(max(place + rng.choice((-1, 1)), 0), len(dimension.options) - 1)
        return dimension.options[there]
    assert is_number(value)
    moved = value * rng.choice(PERTURBATION_FACTORS)
    if not is_continuous(dimension):
        step = dimension.step or 1
        n_steps, n_moved = (round((each - dimension.low) / step) for each in (value, moved))
        # A number that is not ``value``: 3 times 1.2 is no other int
        moved = dimension.low + (n_moved if n_moved != n_steps else n_steps + rng.choice((-1, 1))) * step
    return min(max(moved, dimension.low), dimension.high)

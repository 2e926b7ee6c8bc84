"""What a member of a population makes of the constants that it took over: each is multiplied, or drawn anew.

Jaderberg et al., "Population Based Training of Neural Networks", 2017: factors of 1.2 and 0.8. A choice moves to a
neighbour in its list, an int by at least 1. Defaults as in Ray Tune. Every value stays in its range.
"""

import random
from collections.abc import Mapping
from typing import assert_never

from tune.space.dimensions import (
    Choice,
    Dimension,
    LogRandInt,
    LogUniform,
    QRandInt,
    QUniform,
    RandInt,
    Uniform,
    Value,
    is_number,
    same,
)
from tune.space.draw import draw

RESAMPLE_PROBABILITY = 0.25
PERTURBATION_FACTORS = (1.2, 0.8)


def explore(
    dimensions: Mapping[str, Dimension],
    values: Mapping[str, Value],
    rng: random.Random,
    resample_probability: float = RESAMPLE_PROBABILITY,
) -> dict[str, Value]:
    """Return other values of the same constants."""
    anew = draw(dimensions, {}, rng)
    return {
        name: anew[name] if rng.random() < resample_probability else _near(dimensions[name], value, rng)
        for name, value in values.items()
    }


def _near(dimension: Dimension, value: Value, rng: random.Random) -> Value:
    if isinstance(dimension, Choice):
        return _neighbour(dimension, value, rng)
    assert is_number(value)
    moved = value * rng.choice(PERTURBATION_FACTORS)
    match dimension:
        case Uniform() | LogUniform():
            return min(max(moved, dimension.low), dimension.high)
        case QUniform() | QRandInt():
            n_steps, n_moved = (round((each - dimension.low) / dimension.q) for each in (value, moved))
            on_grid = dimension.low + _other(n_moved, n_steps, rng) * dimension.q
            return min(max(on_grid, dimension.low), dimension.high)
        case RandInt() | LogRandInt():
            return min(max(_other(round(moved), int(value), rng), dimension.low), dimension.high)
        case _:
            assert_never(dimension)


def _other(moved: int, value: int, rng: random.Random) -> int:
    """Return a number that is not ``value``: 3 times 1.2 is no other int."""
    return moved if moved != value else value + rng.choice((-1, 1))


def _neighbour(dimension: Choice, value: Value, rng: random.Random) -> Value:
    place = next(index for index, option in enumerate(dimension.options) if same(value, option))
    there = min(max(place + rng.choice((-1, 1)), 0), len(dimension.options) - 1)
    return dimension.options[there]

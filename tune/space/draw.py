"""Random draws from a space, without Optuna: to see whether it can be drawn from, and where a sampler gives up."""

import math
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
)
from tune.space.when import Condition, only_active


def draw(
    dimensions: Mapping[str, Dimension], conditions: Mapping[str, Condition], rng: random.Random
) -> dict[str, Value]:
    """Return a configuration, of the constants that vary in it."""
    return only_active({name: _value(dimension, rng) for name, dimension in dimensions.items()}, conditions)


def _value(dimension: Dimension, rng: random.Random) -> Value:
    match dimension:
        case Uniform():
            return rng.uniform(dimension.low, dimension.high)
        case LogUniform():
            return _log(dimension.low, dimension.high, rng)
        case QUniform():
            n_steps = round((dimension.high - dimension.low) / dimension.q)
            return min(dimension.low + rng.randint(0, n_steps) * dimension.q, dimension.high)
        case RandInt():
            return rng.randint(dimension.low, dimension.high)
        case LogRandInt():
            return min(max(round(_log(dimension.low - 0.5, dimension.high + 0.5, rng)), dimension.low), dimension.high)
        case QRandInt():
            return rng.randrange(dimension.low, dimension.high + 1, dimension.q)
        case Choice():
            return rng.choice(dimension.options)
        case _:
            assert_never(dimension)


def _log(low: float, high: float, rng: random.Random) -> float:
    return min(max(math.exp(rng.uniform(math.log(low), math.log(high))), low), high)

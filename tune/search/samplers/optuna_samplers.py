"""Optuna's samplers by their names in a space file, and the points of a grid, in a random order that a seed repeats.

Optuna's own GridSampler calls ``Study.stop`` when it is through, an error where trials are asked for and told, and does
not know that the baseline is one of its points.
"""

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from tune.internals.optuna_internals import CachedTPESampler
from tune.search.samplers.optuna_values import from_label, labels_of
from tune.space.conditions import Condition, only_active
from tune.space.dimensions import Choice, Dimension, IntRange

N_STARTUP_TRIALS = 10
"""Of TPE, as Optuna's own; with 30 a search came later to what it finds, by measurement: benchmarks/README.md."""


def build_sampler(name: str, arguments: Mapping[str, Any], seed: int) -> BaseSampler:
    """Return a seeded sampler; ``arguments`` are those of Optuna's constructor and win over our defaults."""
    match name:
        case "tpe":
            # Univariate: with early stopping, Optuna 5's multivariate default ends behind random search.
            defaults = {"multivariate": False, "constant_liar": False, "n_startup_trials": N_STARTUP_TRIALS}
            return CachedTPESampler(**{**defaults, "seed": seed, **arguments})
        case "gp":
            return optuna.samplers.GPSampler(**{"seed": seed, "warn_independent_sampling": False, **arguments})
        case "cmaes":
            return optuna.samplers.CmaEsSampler(**{"seed": seed, "warn_independent_sampling": False, **arguments})
        case "qmc":
            return optuna.samplers.QMCSampler(**{"seed": seed, "warn_independent_sampling": False, **arguments})
        case "random":
            return optuna.samplers.RandomSampler(**{"seed": seed, **arguments})
        case "grid":
            return optuna.samplers.RandomSampler(seed)  # its points come from `grid_points`
        case _:
            raise AssertionError(f"the space file let {name!r} pass")


MAX_POINTS = 100_000
"""So many of a larger grid are visited: nobody runs more trials, and the order must fit into memory."""


def grid_points(
    dimensions: Mapping[str, Dimension], conditions: Mapping[str, Condition], seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the points, each value as Optuna knows it, without the constants that do not vary there."""
    axes = {name: axis_of(dimension) for name, dimension in dimensions.items()}
    size = math.prod(len(axis) for axis in axes.values())
    rng = random.Random(seed)  # noqa: S311 - no secret
    for number in _shuffle_numbers(size, rng):
        places, rest = {}, number
        for name, axis in axes.items():
            rest, places[name] = divmod(rest, len(axis))
        point = {name: axes[name][place] for name, place in places.items()}
        if not conditions:
            yield point
            continue
        values = {name: from_label(dimensions[name], label) for name, label in point.items()}
        active = only_active(values, conditions)
        if all(places[name] == 0 for name in point.keys() - active.keys()):  # the rest is the same point again
            yield {name: point[name] for name in active}


def _shuffle_numbers(size: int, rng: random.Random) -> Iterator[int]:
    if size <= MAX_POINTS:
        yield from rng.sample(range(size), size)
        return
    seen: set[int] = set()
    while len(seen) < MAX_POINTS:
        number = rng.randrange(size)
        if number not in seen:
            seen.add(number)
            yield number


def axis_of(dimension: Dimension) -> list[Any]:
    """Return every value of a dimension; the space file refuses a grid over a continuous range."""
    if isinstance(dimension, Choice):
        return list(labels_of(dimension))
    if isinstance(dimension, IntRange):
        return list(range(dimension.low, dimension.high + 1, dimension.step or 1))
    assert dimension.step is not None, "the space file refuses a grid over a continuous range"
    n_steps = round((dimension.high - dimension.low) / dimension.step)
    return [*(dimension.low + number * dimension.step for number in range(n_steps)), dimension.high]

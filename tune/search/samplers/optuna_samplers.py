"""What Optuna needs to know of a space: its distributions and its sampler."""

import itertools
from collections.abc import Mapping
from typing import Any, assert_never

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler

from tune.internals.optuna_internals import CachedTPESampler
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
    is_same_value,
)

N_STARTUP_TRIALS = 10
"""Of TPE, as Optuna's own; with 30 a search came later to what it finds, by measurement: benchmarks/README.md."""


def distribution_of(dimension: Dimension) -> BaseDistribution:
    """Return the Optuna distribution with the same ends."""
    match dimension:
        case Uniform():
            return FloatDistribution(dimension.low, dimension.high)
        case QUniform():
            return FloatDistribution(dimension.low, dimension.high, step=dimension.q)
        case LogUniform():
            return FloatDistribution(dimension.low, dimension.high, log=True)
        case RandInt():
            return IntDistribution(dimension.low, dimension.high)
        case QRandInt():
            return IntDistribution(dimension.low, dimension.high, step=dimension.q)
        case LogRandInt():
            return IntDistribution(dimension.low, dimension.high, log=True)
        case Choice():
            return CategoricalDistribution(tuple(labels_of(dimension)))
        case _:
            assert_never(dimension)


def labels_of(choice: Choice) -> dict[Any, Value]:
    """Return each option under the name that Optuna knows it by: itself where Optuna can store it, else its text.

    Optuna stores None, numbers and strings, and takes 1, 1.0 and True for the same.
    """
    options = choice.options
    plain = all(option is None or isinstance(option, bool | int | float | str) for option in options)
    distinct = not any(a == b for a, b in itertools.combinations(options, 2))
    return {option if plain and distinct else repr(option): option for option in options}


def to_label(dimension: Dimension, value: Value) -> Any:
    """Return a value as Optuna knows it."""
    if not isinstance(dimension, Choice):
        return value
    return next(label for label, option in labels_of(dimension).items() if is_same_value(option, value))


def from_label(dimension: Dimension, label: Any) -> Value:
    """Return the value that Optuna's parameter stands for."""
    return labels_of(dimension)[label] if isinstance(dimension, Choice) else label


def can_use_pruned(name: str) -> bool:
    """Tell whether a sampler learns from trials that were stopped; the others ignore them."""
    return name not in ("gp", "cmaes")


def build_sampler(
    name: str, arguments: Mapping[str, Any], dimensions: Mapping[str, Dimension], seed: int
) -> BaseSampler:
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
            return optuna.samplers.RandomSampler(seed)  # its points come from `grid.py`
        case _:
            raise AssertionError(f"the space file let {name!r} pass")

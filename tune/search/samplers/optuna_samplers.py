"""What Optuna needs to know of a space: its distributions and its sampler."""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from tune.internals.optuna_internals import CachedTPESampler
from tune.space.dimensions import (
    Dimension,
)

N_STARTUP_TRIALS = 10
"""Of TPE, as Optuna's own; with 30 a search came later to what it finds, by measurement: benchmarks/README.md."""


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

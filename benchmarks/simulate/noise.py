"""Seed noise on recorded curves: what a training with another seed would have given.

A recorded curve stands for the mean over seeds. A training of a configuration with a seed adds an offset to the whole
curve, and a smaller one to each epoch. Both are drawn from normal distributions by the configuration and the seed
alone, so that a training that is repeated with its seed gives the same curve.
"""

import json
import math
import zlib

import numpy as np

from benchmarks.simulate.tables import Config, Floats, Scale, Table

SEED_NOISE = 0.05
"""The standard deviation of real seeds' scores, as a share of what lies between the best value and the median one."""
EPOCH_SHARE = 0.5
"""The deviation of an epoch from its seed's curve, as a share of the deviation of the seeds."""


class Noisy:
    """A table whose trainings depend on their seed; the search trains all with ``seed``."""

    def __init__(self, table: Table, scale: Scale, size: float, seed: int) -> None:
        """``size``: 1 is the noise of real seeds; 0 is none."""
        self._table, self.seed = table, seed
        self._deviation = size * SEED_NOISE * (scale.median - scale.best)
        self.name = f"{table.name}~{size:g}"
        self.dimensions, self.hardcoded = table.dimensions, table.hardcoded
        self.n_epochs, self.start_s = table.n_epochs, table.start_s

    def curve(self, config: Config) -> tuple[Floats, float]:
        """Return the curve with the search's seed, and the seconds of an epoch."""
        return self.train(config, self.seed)

    def known(self) -> tuple[Floats, Floats]:
        """Return what is known of the table without noise."""
        return self._table.known()

    @property
    def has_noise(self) -> bool:
        """Whether a seed changes anything."""
        return self._deviation > 0

    def seconds(self, config: Config) -> float:
        """Return how long a whole training takes."""
        return self.start_s + self.n_epochs * self._table.curve(config)[1]

    def train(self, config: Config, seed: int) -> tuple[Floats, float]:
        """Return the curve with a seed, and the seconds of an epoch."""
        values, epoch_s = self._table.curve(config)
        if not self._deviation:
            return values, epoch_s
        key = json.dumps([self.name, sorted(config.items())], default=str)
        rng = np.random.default_rng([zlib.crc32(key.encode()), seed])
        offset, of_epochs = rng.standard_normal(), rng.standard_normal(self.n_epochs)
        share = EPOCH_SHARE / math.sqrt(1 + EPOCH_SHARE**2)
        return values + self._deviation * (math.sqrt(1 - share**2) * offset + share * of_epochs), epoch_s

    def true_value(self, config: Config) -> float:
        """Return the best epoch without noise; infinite where the training fails."""
        values, _ = self._table.curve(config)
        return float(values.min()) if np.isfinite(values).all() else math.inf

"""Perturbations: of the best configuration so far, and of what a member of a population took over.

Chosen by measurement (half the time to the value that Ray's default ends with, in the median): half of the numbers
move, by a standard deviation of 0.2 of their range, in log space where the range is; a choice changes in 3 of 10.

What a member of a population makes of the constants that it took over: each is multiplied, or drawn anew.

Jaderberg et al., "Population Based Training of Neural Networks", 2017: factors of 1.2 and 0.8. A choice moves to a
neighbour in its list, an int by at least 1. Defaults as in Ray Tune. Every value stays in its range.
"""

import math
import random
from collections.abc import Mapping, Sequence

from tune.experiment.trial_result import dominates, is_improvement
from tune.space.conditions import draw_config
from tune.space.dimensions import Choice, Dimension, Value, could_draw, is_continuous, is_number, is_same_value
from tune.space.space import Space

Best = tuple[float, dict[str, Value]]
"""The leading metric, and the configuration that it was measured of."""


class BestConfigs:
    """Those of one search, among the configurations that are inside their ranges."""

    def __init__(self, space: Space, dimensions: Mapping[str, Dimension]) -> None:
        self._space = space
        self._dimensions = dimensions
        self._best: Best | None = None  # by the leading metric, of the trials that ended without a failure
        self._leads: dict[int, Best] = {}  # the best epoch of each that runs: it may fail yet
        self.front: list[tuple[Sequence[float], dict[str, Value]]] = []
        """Of several metrics, the Pareto front."""

    def find_best(self) -> Best | None:
        """Return the best of all trials, those that run too."""
        best = self._best
        for number in sorted(self._leads):
            best = self._choose_better(best, *self._leads[number])
        return best

    def record_value(self, number: int, value: float, values: Mapping[str, Value]) -> None:
        """Hear of an epoch of a trial that runs, with its configuration."""
        best = self._choose_better(self._leads.get(number), value, values)
        if best is not None:
            self._leads[number] = best

    def end_trial(self, number: int, *, has_failed: bool) -> None:
        """Hear that a trial ended: one that has failed is not the best."""
        lead = self._leads.pop(number, None)
        if lead is not None and not has_failed:
            self._best = self._choose_better(self._best, *lead)

    def add_value(self, value: float, values: Mapping[str, Value]) -> None:
        """Hear of an epoch of a trial that ended without a failure, with its configuration."""
        self._best = self._choose_better(self._best, value, values)

    def update_front(self, scores: Sequence[float], values: Mapping[str, Value]) -> None:
        """Of several metrics, keep what no other configuration beats."""
        modes = [each.mode for each in self._space.objectives]
        inside = all(could_draw(self._dimensions[name], held) for name, held in values.items())
        if len(modes) == 1 or not inside or any(dominates(held, scores, modes) for held, _ in self.front):
            return
        self.front = [each for each in self.front if not dominates(scores, each[0], modes)]
        self.front.append((tuple(scores), dict(values)))

    def _choose_better(self, best: Best | None, value: float, values: Mapping[str, Value]) -> Best | None:
        """Return the best so far, or a configuration inside its ranges that beats it."""
        inside = all(could_draw(self._dimensions[name], held) for name, held in values.items())
        beats = inside and is_improvement(self._space.mode, value, None if best is None else best[0])
        return (value, dict(values)) if beats else best


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

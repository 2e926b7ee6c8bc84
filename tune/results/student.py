"""Student's interval of a mean, and of what it is made: "The Probable Error of a Mean", Biometrika 6, 1908."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the mean of what was sampled lies, with a certain confidence."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Spread:
    """A sample's mean and standard deviation."""

    mean: float
    deviation: float | None
    """Of single values, with n - 1; None of one value."""


def spread(values: Sequence[float]) -> Spread:
    """Describe one value or more."""
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


def interval(values: Sequence[float], *, n_intervals: int = 1) -> Interval:
    """Return the interval that holds the mean of two values or more.

    Of several intervals each is so much wider that all of them hold together with CONFIDENCE (Bonferroni).
    """
    from scipy.special import stdtrit  # Student's quantile; torch has none, and scipy.stats takes a second to import

    found = spread(values)
    assert found.deviation is not None
    tail = (1 - CONFIDENCE) / (2 * n_intervals)
    half = float(stdtrit(len(values) - 1, 1 - tail)) * found.deviation / math.sqrt(len(values))
    return Interval(found.mean - half, found.mean + half)

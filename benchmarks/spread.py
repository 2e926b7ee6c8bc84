"""Medians with their spread, and ratios taken within a round."""

import statistics
from collections.abc import Mapping, Sequence


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return `median (least to most)`."""
    if not values:
        return "-"
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def ratios(above: Mapping[int, float], below: Mapping[int, float]) -> list[float]:
    """Return the ratio of each round that has both: what the machine does meanwhile hits both."""
    return [above[round_] / below[round_] for round_ in sorted(above.keys() & below.keys())]

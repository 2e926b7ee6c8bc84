"""A curve in one line of a terminal."""

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.-=+*#@"
MIDDLE = 3
LOST = "x"
"""A value that is not finite."""


def sparkline(values: Sequence[float], width: int, *, ascii_only: bool = False) -> str:
    """Return the curve from its lowest to its highest value, in ``width`` signs at most; of a longer one, even samples.

    The last value is always among them.
    """
    signs = ASCII if ascii_only else BLOCKS
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    return "".join(_sign(value, low, high, signs) for value in _sampled(values, width))


def _sampled(values: Sequence[float], width: int) -> Sequence[float]:
    if len(values) <= width:
        return values
    step = (len(values) - 1) / max(1, width - 1)
    return [values[-1 - round(place * step)] for place in range(width)][::-1]


def _sign(value: float, low: float, high: float, signs: str) -> str:
    if not math.isfinite(value):
        return LOST
    if low == high:
        return signs[MIDDLE]
    share = value / (high - low) - low / (high - low)  # the difference of two finite values may be none
    return signs[min(len(signs) - 1, int(max(0.0, share) * len(signs)))]

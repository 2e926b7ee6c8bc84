"""The one rule of scores: a trial is worth its best epoch, or the mean of its fits where several count."""

import math
from collections.abc import Mapping
from typing import Literal

Mode = Literal["min", "max"]


def better(mode: Mode, value: float, than: float | None) -> bool:
    """Tell whether a value beats another. What is not finite beats nothing; anything finite beats None."""
    if not math.isfinite(value):
        return False
    if than is None:
        return True
    return value > than if mode == "max" else value < than


def best_of(curve: dict[int, float], mode: Mode) -> int | None:
    """Return the epoch with the best value, the first of equals; None when no value is finite."""
    best: int | None = None
    for epoch, value in curve.items():
        if better(mode, value, None if best is None else curve[best]):
            best = epoch
    return best


def scored_epoch(curve: dict[int, float], mode: Mode, n_fits: int | None) -> int | None:
    """Return the epoch whose value is the score; ``n_fits``: how many the values are running means of, None: none are.

    None when there is no finite one.
    """
    if n_fits is None:
        return best_of(curve, mode)
    last = max(curve, default=None)
    return last if last is not None and math.isfinite(curve[last]) else None


def score_of_fit(curve: Mapping[int, float], mode: Mode) -> float | None:
    """Return the value of a fit's best epoch; None where none is finite."""
    epoch = best_of(dict(curve), mode)
    return None if epoch is None else curve[epoch]

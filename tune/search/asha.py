"""ASHA, after Li et al., "A System for Massively Parallel Hyperparameter Tuning", 2020.

Of the stopping kind, as Ray's. Two things differ, both by measurement. *Pass quota*: a rung lets at most
``n / reduction_factor + 1`` of its n arrivals pass, a new best of the rung always; compared with all history, as the
sampler improves, far more than one in four would pass. And a value that is not finite is stopped at once (NaN compares
false, so that Ray's lets a diverged trial run to its end).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tune.trial.score import Mode

GRACE_PERIOD = 1
REDUCTION_FACTOR = 4.0


@dataclass(slots=True)
class _Rung:
    epoch: int
    rewards: dict[int, float] = field(default_factory=dict)  # by trial; larger is better
    n_passed: int = 0


class Asha:
    """Decides after each epoch whether a trial goes on."""

    def __init__(
        self, mode: Mode, *, grace_period: int = GRACE_PERIOD, reduction_factor: float = REDUCTION_FACTOR
    ) -> None:
        self._sign = 1.0 if mode == "max" else -1.0
        self._factor = reduction_factor
        self._first = grace_period
        self._rungs: list[_Rung] = []  # made as trials reach them: the number of epochs need not be known

    def stops(self, trial: int, epoch: int, value: float) -> bool:
        """Tell whether ``trial`` ends here; it is judged once on each rung, at its first epoch there."""
        if not math.isfinite(value):
            return True
        for rung in reversed(self._reached(epoch)):
            if trial in rung.rewards:
                return False
            return not self._passes(rung, trial, self._sign * value)
        return False

    def _reached(self, epoch: int) -> list[_Rung]:
        while self._next_epoch() <= epoch:
            self._rungs.append(_Rung(self._next_epoch()))
        return [rung for rung in self._rungs if rung.epoch <= epoch]

    def _next_epoch(self) -> int:
        return round(self._first * self._factor ** len(self._rungs))

    def _passes(self, rung: _Rung, trial: int, reward: float) -> bool:
        others = list(rung.rewards.values())
        rung.rewards[trial] = reward
        passes = not others or reward >= max(others) or (reward >= self._cutoff(others) and self._has_room(rung))
        rung.n_passed += passes
        return passes

    def _has_room(self, rung: _Rung) -> bool:
        return rung.n_passed + 1 <= len(rung.rewards) / self._factor + 1

    def _cutoff(self, rewards: list[float]) -> float:
        """Return the quantile that the best ``1 / reduction_factor`` reach, interpolated as NumPy does."""
        ordered = sorted(rewards)
        place = (1 - 1 / self._factor) * (len(ordered) - 1)
        below = math.floor(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def asha(mode: Mode, arguments: Mapping[str, Any]) -> Asha:
    """Return an Asha of checked arguments."""
    return Asha(mode, **arguments)


class NoStop:
    """Lets every trial run to its end, unless its metric is not finite."""

    def stops(self, trial: int, epoch: int, value: float) -> bool:
        """Tell whether ``trial`` ends here."""
        return not math.isfinite(value)


Rule = Asha | NoStop

"""ASHA, after Li et al., "A System for Massively Parallel Hyperparameter Tuning", 2020.

Of the stopping kind, as Ray's. Two things differ, both by measurement. *Pass quota*: a rung lets at most
``n / reduction_factor + 1`` of its n arrivals pass, a new best of the rung always; compared with all history, as the
sampler improves, far more than one in four would pass. And a value that is not finite is stopped at once (NaN compares
false, so that Ray's lets a diverged trial run to its end).

Where trainings are long enough, nobody is judged by the first epoch: the quickest there is often not the best later.
"""

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from tune.search.scheduling.rule import Stopping, Verdict
from tune.trial.score import Mode

GRACE_PERIODS = (1, 3)
GRACE_DIVISOR = 9  # by measurement: benchmarks/README.md
"""A ninth of a whole training goes by before the first judgement, at least and at most these epochs."""
REDUCTION_FACTOR = 4.0
N_TOLD, FARTHEST = 64, 10**6
"""A trial is told of the rungs up to this epoch, unless they are so many."""


def grace_period_of(n_epochs: int | None) -> int:
    """Return the epochs before the first judgement, by those of a whole training; None where nothing says how many."""
    least, most = GRACE_PERIODS
    return least if n_epochs is None else min(max(n_epochs // GRACE_DIVISOR, least), most)


@dataclass(slots=True)
class _Rung:
    epoch: int
    trials: set[int] = field(default_factory=set)
    rewards: list[float] = field(default_factory=list)  # in order; larger is better
    n_passed: int = 0


class Asha(Stopping):
    """Decides after each epoch whether a trial goes on."""

    def __init__(
        self, mode: Mode, *, grace_period: int = GRACE_PERIODS[0], reduction_factor: float = REDUCTION_FACTOR
    ) -> None:
        self._sign = 1.0 if mode == "max" else -1.0
        self._factor = reduction_factor
        self._first = grace_period
        self._rungs: list[_Rung] = []  # made as trials reach them: the number of epochs need not be known

    def judged_at(self, trial: int) -> Sequence[int] | None:
        """Return the rungs above those that a trial has reached."""
        epochs = list(takewhile(lambda epoch: epoch <= FARTHEST, map(self._epoch_of, range(N_TOLD))))
        if len(epochs) == N_TOLD:
            return None
        highest = max((rung.epoch for rung in self._rungs if trial in rung.trials), default=0)
        return sorted({epoch for epoch in epochs if epoch > highest})

    def judge(self, trial: int, epoch: int, value: float) -> Verdict:
        """Decide about a trial after an epoch; it is judged once on each rung, at its first epoch there."""
        if not math.isfinite(value):
            return Verdict.STOP
        reached = self._reached(epoch)
        if not reached or trial in reached[-1].trials or self._passes(reached[-1], trial, self._sign * value):
            return Verdict.GO_ON
        return Verdict.STOP

    def _reached(self, epoch: int) -> list[_Rung]:
        while (here := self._epoch_of(len(self._rungs))) <= epoch:
            self._rungs.append(_Rung(here))
        return [rung for rung in self._rungs if rung.epoch <= epoch]

    def _epoch_of(self, rung: int) -> int:
        return round(self._first * self._factor**rung)

    def _passes(self, rung: _Rung, trial: int, reward: float) -> bool:
        others = rung.rewards
        passes = not others or reward >= others[-1] or (reward >= self._cutoff(others) and self._has_room(rung))
        rung.trials.add(trial)
        insort(rung.rewards, reward)
        rung.n_passed += passes
        return passes

    def _has_room(self, rung: _Rung) -> bool:
        """Tell whether the one that arrives may pass, too."""
        return rung.n_passed + 1 <= (len(rung.rewards) + 1) / self._factor + 1

    def _cutoff(self, ordered: list[float]) -> float:
        """Return the quantile that the best ``1 / reduction_factor`` reach, interpolated as NumPy does."""
        place = (1 - 1 / self._factor) * (len(ordered) - 1)
        below = math.floor(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (place - below) * (ordered[above] - ordered[below])

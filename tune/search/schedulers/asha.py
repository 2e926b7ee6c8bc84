"""ASHA, after Li et al., "A System for Massively Parallel Hyperparameter Tuning", 2020.

Of the stopping kind, as Ray's. A trial is worth its best epoch: a rung compares the best values of trials up to there,
where Ray's compares those of one epoch. Three more things differ, by measurement. *Pass quota*: a rung lets at most
``n / reduction_factor + 1`` of its n arrivals pass, a new best of the rung always; compared with all history, as the
sampler improves, far more than one in four would pass. A value that is not finite is stopped at once (NaN compares
false, so that Ray's lets a diverged trial run to its end). And a failed trial leaves the rungs: configurations that
train fast at first and then diverge would stop all others.

Where trainings are long enough, nobody is judged by the first epoch: the quickest there is often not the best later.
Once it is known what a start takes, new trials are not judged before they have trained for twice as long: to stop them
sooner would save little. Their rungs are the same rungs at later epochs: they are compared with what those before had
reached up to there.
"""

import itertools
import math
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from operator import itemgetter

from tune.experiment.trial_result import Mode
from tune.search.schedulers.scheduler import SchedulerDecision, TrialScheduler

GRACE_PERIODS = (1, 3)
GRACE_DIVISOR = 6  # by measurement: benchmarks/README.md
"""A sixth of a whole training goes by before the first judgement, at least and at most these epochs."""
N_STARTS = 2.0
"""A trial has trained for so many times its start before the first judgement, or for LATEST of a whole training."""
LATEST = 0.4
REDUCTION_FACTOR = 4.0
N_TOLD, FARTHEST = 64, 10**6
"""A trial is told of the rungs up to this epoch, unless they are so many."""


def grace_period_of(n_epochs: int | None) -> int:
    """Return the epochs before the first judgement, by those of a whole training; None where nothing says how many."""
    least, most = GRACE_PERIODS
    return least if n_epochs is None else min(max(n_epochs // GRACE_DIVISOR, least), most)


def latest_grace_period_of(n_epochs: int | None) -> int:
    """Return the same where a start takes longer than all epochs."""
    return max(int(LATEST * (n_epochs or 0)), grace_period_of(n_epochs))


@dataclass(slots=True)
class _Rung:
    epoch: int  # where the last one was judged; the rewards are those up to there
    rewards: dict[int, float] = field(default_factory=dict)  # by trial; larger is better
    ordered: list[float] = field(default_factory=list)  # the same rewards, the smallest first
    passed: set[int] = field(default_factory=set)  # trials

    def add_reward(self, trial: int, reward: float, *, passes: bool) -> None:
        self.rewards[trial] = reward
        insort(self.ordered, reward)
        if passes:
            self.passed.add(trial)

    def remove_trial(self, trial: int) -> None:
        if trial in self.rewards:
            self.ordered.remove(self.rewards.pop(trial))
            self.passed.discard(trial)

    def move_to(self, epoch: int, reward_at: Callable[[int, int], float]) -> None:
        """Compare from now on by what the trials had reached up to another epoch."""
        if epoch != self.epoch:
            self.epoch = epoch
            self.rewards = {trial: reward_at(trial, epoch) for trial in self.rewards}
            self.ordered = sorted(self.rewards.values())


class Asha(TrialScheduler):
    """Decides after each epoch whether a trial goes on."""

    def __init__(
        self,
        mode: Mode,
        *,
        grace_period: int = GRACE_PERIODS[0],
        latest: int | None = None,
        reduction_factor: float = REDUCTION_FACTOR,
        is_mean: bool = False,
    ) -> None:
        """``latest``: what a long start may make of the grace period; None: it stays what it is.

        ``is_mean``: values are means of the fits so far, so that the last one counts, not the best.
        """
        self._is_mean = is_mean
        self._sign = 1.0 if mode == "max" else -1.0
        self._factor = reduction_factor
        self._is_given = latest is None
        self._least = self._grace_period = grace_period
        self._latest = latest or grace_period
        self._first_of: dict[int, int] = {}  # epochs, by trial: each keeps the rungs that it was told of
        self._steps: dict[int, list[tuple[int, float]]] = {}  # by trial: what it is worth, and from which epoch on
        self._rungs: dict[int, _Rung] = {}  # by place, from 0; made as trials reach them: epochs may not be known

    def on_trial_add(self, trial: int) -> None:
        """Say when it is judged first."""
        self._first_of[trial] = self._grace_period

    def set_trial_length(self, n_whole: int | None, *, is_mean: bool = False) -> None:
        """Choose when trials are first judged, those that are open and have not reported included."""
        self._is_mean = is_mean
        if not self._is_given:
            self._least = self._grace_period = grace_period_of(n_whole)
            self._latest = latest_grace_period_of(n_whole)
            self._first_of = dict.fromkeys(self._first_of, self._grace_period)

    def set_startup_epochs(self, n_epochs: float) -> None:
        """Judge the trials that are opened from now on first when they have trained for twice as long."""
        self._grace_period = max(round(min(N_STARTS * n_epochs, self._latest)), self._least)

    def decision_epochs(self, trial: int) -> Sequence[int] | None:
        """Return the rungs above those that a trial has reached."""
        epochs = list(itertools.islice(takewhile(lambda epoch: epoch <= FARTHEST, self._rung_epochs(trial)), N_TOLD))
        if len(epochs) == N_TOLD:
            return None
        n_reached = max((place + 1 for place, rung in self._rungs.items() if trial in rung.rewards), default=0)
        return sorted({*epochs[n_reached:]} - {*epochs[:n_reached]})

    def on_trial_result(self, trial: int, epoch: int, value: float) -> SchedulerDecision:
        """Decide about a trial after an epoch; it is judged once on each rung, by its best epoch up to there."""
        if not math.isfinite(value):
            self._forget_values(trial)
            return SchedulerDecision.STOP
        reward = self._add_step(trial, epoch, self._sign * value)
        passes = True
        n_reached = sum(1 for _ in takewhile(lambda rung: rung <= epoch, self._rung_epochs(trial)))
        for place in range(n_reached):  # several at once where epochs have no value
            rung = self._rungs.setdefault(place, _Rung(epoch))
            passes = trial in rung.rewards
            if not passes:
                rung.move_to(epoch, self._reward_at)
                passes = self._may_continue(rung, trial, reward)
        return SchedulerDecision.GO_ON if passes else SchedulerDecision.STOP

    def on_trial_end(self, trial: int, *, failed: bool = False) -> None:
        """Forget the trial's rungs. The values of a failed trial are removed from them: they are worth nothing."""
        self._first_of.pop(trial, None)
        if failed:
            self._forget_values(trial)

    def _forget_values(self, trial: int) -> None:
        self._steps.pop(trial, None)
        for rung in self._rungs.values():
            rung.remove_trial(trial)

    def _add_step(self, trial: int, epoch: int, reward: float) -> float:
        """Return what the trial is worth after an epoch."""
        steps = self._steps.setdefault(trial, [])
        if self._is_mean or not steps or reward > steps[-1][1]:
            steps.append((epoch, reward))
        return steps[-1][1]

    def _reward_at(self, trial: int, epoch: int) -> float:
        """Return what a trial was worth after an epoch; of one that ended before, at its end."""
        steps = self._steps[trial]
        place = bisect_right(steps, epoch, key=itemgetter(0))
        return steps[place - 1][1] if place else -math.inf

    def _rung_epochs(self, trial: int) -> Iterator[int]:
        """Yield the epochs of a trial's rungs, without end."""
        first = self._first_of.get(trial, self._least)  # nobody opens the baseline
        return (round(first * self._factor**rung) for rung in itertools.count())

    def _may_continue(self, rung: _Rung, trial: int, reward: float) -> bool:
        others = rung.ordered
        passes = not others or reward >= others[-1] or (reward >= self._cutoff_reward(others) and self._has_room(rung))
        rung.add_reward(trial, reward, passes=passes)
        return passes

    def _has_room(self, rung: _Rung) -> bool:
        """Tell whether the one that arrives may pass, too."""
        return len(rung.passed) + 1 <= (len(rung.rewards) + 1) / self._factor + 1

    def _cutoff_reward(self, ordered: list[float]) -> float:
        """Return the quantile that the best ``1 / reduction_factor`` reach, interpolated as NumPy does."""
        place = (1 - 1 / self._factor) * (len(ordered) - 1)
        below = math.floor(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (place - below) * (ordered[above] - ordered[below])

"""HyperBand: brackets of successive halving, from many trials with few epochs to few with many.

Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", 2018, algorithm 1. A bracket's
trials wait for each other at its milestones, which leaves their place to other brackets; then the best
``1 / reduction_factor`` go on from their checkpoints. Each is compared by its value at the milestone: the best one up
to there did worse where epochs are noisy (benchmarks/README.md).
"""

import math
from collections.abc import Iterable, Sequence

from tune.experiment.trial_result import Mode
from tune.search.schedulers.scheduler import SchedulerDecision, SchedulerMove, TrialScheduler

REDUCTION_FACTOR = 3.0


class HyperBand(TrialScheduler):
    """Fills one bracket after the other: the most eager to stop comes first, the one that stops nobody last."""

    def __init__(self, mode: Mode, *, max_t: int, reduction_factor: float = REDUCTION_FACTOR) -> None:
        self._sign = 1.0 if mode == "max" else -1.0
        self._max_t = max_t
        self._factor = reduction_factor
        # The largest power of the factor that is not above ``max_t``; floating logarithms miss 243 by one
        power = 0
        while reduction_factor ** (power + 1) <= max_t * (1 + 1e-9):
            power += 1
        self._n_halvings = power
        self._brackets: list[_Bracket] = []
        self._bracket_of: dict[int, _Bracket] = {}
        self._moves: list[SchedulerMove] = []

    def on_trial_add(self, trial: int) -> None:
        """Put a trial into the bracket that is being filled."""
        if not self._brackets or self._brackets[-1].is_full:
            self._brackets.append(self._create_bracket())
        self._brackets[-1].add_trial(trial)
        self._bracket_of[trial] = self._brackets[-1]

    def decision_epochs(self, trial: int) -> Sequence[int] | None:
        """Return the milestones of a trial's bracket."""
        bracket = self._bracket_of.get(trial)
        return () if bracket is None else bracket.milestones

    def on_trial_result(self, trial: int, epoch: int, value: float) -> SchedulerDecision:
        """Decide about a trial after an epoch."""
        if not math.isfinite(value):
            self.on_trial_end(trial, failed=True)
            return SchedulerDecision.STOP
        bracket = self._bracket_of.get(trial)
        if bracket is None or not bracket.record_arrival(trial, epoch, self._sign * value):
            return SchedulerDecision.GO_ON
        self._moves += bracket.start_next_round()
        mine = next((move for move in self._moves if move.trial == trial), None)
        if mine is None:
            return SchedulerDecision.PAUSE
        self._moves.remove(mine)
        return SchedulerDecision.GO_ON if mine.goes_on else SchedulerDecision.STOP

    def on_trial_end(self, trial: int, *, failed: bool = False) -> None:
        """Wait for it no longer."""
        bracket = self._bracket_of.get(trial)
        if bracket is not None:
            bracket.remove_trial(trial, failed=failed)
            self._moves += bracket.start_next_round()

    def mark_no_more_trials(self) -> None:
        """Take the bracket that is being filled for full."""
        if self._brackets:
            self._brackets[-1].close_bracket()
            self._moves += self._brackets[-1].start_next_round()

    def take_moves(self) -> Sequence[SchedulerMove]:
        """Return what became of paused trials since the last call."""
        moves, self._moves = self._moves, []
        return moves

    def _create_bracket(self) -> "_Bracket":
        n_halvings = self._n_halvings - len(self._brackets) % (self._n_halvings + 1)
        n_trials = math.ceil((self._n_halvings + 1) / (n_halvings + 1) * self._factor**n_halvings)
        milestones = (round(self._max_t / self._factor**left) for left in range(n_halvings, 0, -1))
        return _Bracket(n_trials, sorted({max(1, epoch) for epoch in milestones}), self._factor)


class _Bracket:
    """Successive halving of one set of trials."""

    def __init__(self, capacity: int, milestones: Iterable[int], factor: float) -> None:
        self._capacity = capacity
        self._milestones = list(milestones)  # epochs; the first is the next
        self._factor = factor
        self._racing: list[int] = []  # the trials of this round
        self._n_entered = 0
        self._rewards: dict[int, float] = {}  # of those that reached the milestone
        self._over: set[int] = set()

    @property
    def is_full(self) -> bool:
        return self._n_entered >= self._capacity

    @property
    def milestones(self) -> Sequence[int]:
        return tuple(self._milestones)

    def add_trial(self, trial: int) -> None:
        self._racing.append(trial)
        self._n_entered += 1

    def close_bracket(self) -> None:
        self._capacity = self._n_entered

    def record_arrival(self, trial: int, epoch: int, reward: float) -> bool:
        """Tell whether a trial is at the milestone now."""
        if not self._milestones or epoch < self._milestones[0]:
            return False
        self._rewards[trial] = reward
        return True

    def remove_trial(self, trial: int, *, failed: bool) -> None:
        """Wait no longer for a trial that ended before the milestone; one that reached it stays, unless it failed."""
        self._over.add(trial)
        if failed:
            self._rewards.pop(trial, None)
        if trial not in self._rewards and trial in self._racing:
            self._racing.remove(trial)

    def start_next_round(self) -> list[SchedulerMove]:
        """Begin the next round once all have arrived: the best go on, a tie goes to who came first."""
        if not (self._milestones and self.is_full and self._racing and set(self._racing) <= set(self._rewards)):
            return []
        ordered = sorted(self._racing, key=lambda trial: -self._rewards[trial])
        best = set(ordered[: max(1, int(len(ordered) / self._factor))])
        waited = [trial for trial in self._racing if trial not in self._over]
        self._milestones.pop(0)
        self._racing = [trial for trial in self._racing if trial in best and trial not in self._over]
        self._rewards = {}
        return [SchedulerMove(trial=trial, goes_on=trial in best) for trial in waited]

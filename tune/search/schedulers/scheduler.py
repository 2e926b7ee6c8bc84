"""What decides after each epoch whether a trial goes on: what all schedulers are, and the one that stops none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tune.search.study.study import BASELINE


class SchedulerDecision(Enum):
    """What becomes of a trial after an epoch."""

    GO_ON = "goes on"
    STOP = "ends here, and its worker takes the next trial"
    PAUSE = "makes room for others, until a move says what becomes of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerMove:
    """What became of a paused trial."""

    trial: int
    goes_on: bool
    """From its last checkpoint; False: it ends with the epochs that it has."""
    donor: int | None = None
    """The trial whose weights and constants it takes over, those at the same epoch; None: its own."""


class TrialScheduler(Protocol):
    """A scheduler, as the controller knows it. What it decides follows from the calls alone, in their order.

    So a search that goes on repeats the calls of its earlier drivers, and stands where they stood.
    """

    def on_trial_add(self, trial: int) -> None:
        """Hear of a new trial, before its first epoch; they come in the order of their numbers."""

    def decision_epochs(self, trial: int) -> Sequence[int] | None:
        """Return the epochs from here on with which a trial may end or pause; None: with any.

        Where a trial leaps over one, the next that it comes to stands for it: one for each. One that is not finite
        always ends it.
        """

    def on_trial_result(self, trial: int, epoch: int, value: float) -> SchedulerDecision:
        """Decide about a trial after an epoch. A value that is not finite ends the trial, as a failed one."""

    def set_trial_length(self, n_whole: int | None, *, is_mean: bool = False) -> None:
        """Is called with the number of values of a whole trial, before any report; None: it is not known.

        ``is_mean``: each value is the mean of the fits so far, and the last one is the score.
        """

    def set_startup_epochs(self, n_epochs: float) -> None:
        """Hear that a trial takes so much beside its epochs, before, after and between, in epochs."""

    def on_trial_end(self, trial: int, *, failed: bool = False) -> None:
        """Is called when a trial has ended; a second call has no effect.

        ``failed``: no other trial is compared with the values of this one from now on.
        """

    def mark_no_more_trials(self) -> None:
        """Hear that no trial comes that those which are there might have to wait for."""

    def take_moves(self) -> Sequence[SchedulerMove]:
        """Return what became of paused trials since the last call."""


class StoppingScheduler:
    """The part that rules share which stop trials, and never let one wait."""

    def on_trial_add(self, trial: int) -> None:
        """Wait for its first epoch."""

    def set_trial_length(self, n_whole: int | None, *, is_mean: bool = False) -> None:
        """Judge as before."""

    def set_startup_epochs(self, n_epochs: float) -> None:
        """Judge as before."""

    def on_trial_end(self, trial: int, *, failed: bool = False) -> None:
        """Keep what the trial reported, for comparisons with other trials."""

    def mark_no_more_trials(self) -> None:
        """Do nothing: nobody waits."""

    def take_moves(self) -> Sequence[SchedulerMove]:
        """Return nothing."""
        return ()


class NoStopping(StoppingScheduler):
    """Lets every trial run to its end, unless its metric is not finite."""

    def decision_epochs(self, trial: int) -> Sequence[int] | None:
        """Return nothing."""
        return ()

    def on_trial_result(self, trial: int, epoch: int, value: float) -> SchedulerDecision:
        """Decide about a trial after an epoch."""
        return SchedulerDecision.GO_ON if math.isfinite(value) else SchedulerDecision.STOP


class BaselineExempt:
    """A scheduler that hears what the baseline is worth, and never lets it wait, or end."""

    def __init__(self, rule: TrialScheduler) -> None:
        self._rule = rule

    def on_trial_add(self, trial: int) -> None:
        """Hear of a new trial."""
        if trial != BASELINE:
            self._rule.on_trial_add(trial)

    def decision_epochs(self, trial: int) -> Sequence[int] | None:
        """Return the epochs with which a trial may end; the baseline's worth is heard as soon as that of others."""
        return self._rule.decision_epochs(trial)

    def on_trial_result(self, trial: int, epoch: int, value: float) -> SchedulerDecision:
        """Decide about a trial after an epoch; a baseline that is not finite ends, as all do."""
        verdict = self._rule.on_trial_result(trial, epoch, value)
        return SchedulerDecision.GO_ON if trial == BASELINE and math.isfinite(value) else verdict

    def set_trial_length(self, n_whole: int | None, *, is_mean: bool = False) -> None:
        """Hear how many values a whole trial reports."""
        self._rule.set_trial_length(n_whole, is_mean=is_mean)

    def set_startup_epochs(self, n_epochs: float) -> None:
        """Hear what a trial takes beside its epochs."""
        self._rule.set_startup_epochs(n_epochs)

    def on_trial_end(self, trial: int, *, failed: bool = False) -> None:
        """Is called when a trial has ended."""
        self._rule.on_trial_end(trial, failed=failed)

    def mark_no_more_trials(self) -> None:
        """Hear that no trial comes that others might have to wait for."""
        self._rule.mark_no_more_trials()

    def take_moves(self) -> Sequence[SchedulerMove]:
        """Return what became of paused trials since the last call."""
        return self._rule.take_moves()

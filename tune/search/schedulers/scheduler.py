"""What decides after each epoch whether a trial goes on: what all schedulers are; as it is, it stops none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


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


class TrialScheduler:
    """A scheduler, as the controller knows it: this one ends no trial, unless its metric is not finite.

    What a scheduler decides follows from the calls alone, in their order. So a search that goes on repeats the calls of
    its earlier drivers, and stands where they stood.
    """

    def on_trial_add(self, trial: int) -> None:
        """Hear of a new trial, before its first epoch; they come in the order of their numbers."""

    def decision_epochs(self, trial: int) -> Sequence[int] | None:
        """Return the epochs from here on with which a trial may end or pause; None: with any.

        Where a trial leaps over one, the next that it comes to stands for it: one for each. One that is not finite
        always ends it.
        """
        return ()

    def on_trial_result(self, trial: int, epoch: int, value: float) -> SchedulerDecision:
        """Decide about a trial after an epoch. A value that is not finite ends the trial, as a failed one."""
        return SchedulerDecision.GO_ON if math.isfinite(value) else SchedulerDecision.STOP

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
        """Return what became of paused trials since the last call; nothing where none pauses."""
        return ()

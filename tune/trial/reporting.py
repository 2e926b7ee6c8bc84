"""What a trial reports to its driver: its epochs, and when they ended.

The driver needs milliseconds for a message, and the trial waits for its answer: with short epochs both would do little
else. So epochs that no decision waits for travel together, and a short trial is one message. With a checkpoint each
epoch nothing is lost by that: an epoch is in its checkpoint before it is reported. With fewer, it trains again.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple


class EpochClock:
    """The clock of one trial; the processes of a machine share the monotonic one."""

    def __init__(
        self, before: float | None = None, clock: Callable[[], float] = time.monotonic, *, counts: bool = True
    ) -> None:
        """``before``: when the last epoch of the actor's trial before ended; None: this is its first trial.

        ``counts``: False for a trial that goes on from a checkpoint: it reports what it has behind it.
        """
        self._before = before
        self._clock = clock
        self._counts = counts

    def read_times(self) -> tuple[float | None, float | None]:
        """Return when an epoch ended, which is now, and when the last one of the trial before did, in seconds."""
        return (self._clock(), self._before) if self._counts else (None, None)


TOGETHER_S = 0.5
"""An epoch that ends later than this after the last message is told at once, with those that wait."""


class EpochReport(NamedTuple):
    """An epoch as the driver hears of it."""

    epoch: int
    """From 1."""
    value: float
    """Of the metric."""
    last: bool = False
    """Whether the trial is through anyway."""
    others: tuple[float, ...] = ()
    """Further metrics."""
    at: float | None = None
    """When it ended, in seconds by the machine's monotonic clock; None: that says nothing of what an epoch takes."""
    before: float | None = None
    """When the last epoch of the actor's trial before ended, by the same clock; None: there was none."""
    n_fits: int | None = None
    """Where ``value`` is the mean of the first ``epoch`` fits: how many count; None: it is an epoch's."""


class EpochReporter:
    """Between one trial and the driver."""

    def __init__(
        self,
        send: Callable[[list[EpochReport]], bool],
        judged_at: Sequence[int] | None,
        clock: Callable[[], float] = time.monotonic,
        epochs: EpochClock | None = None,
    ) -> None:
        """``send`` reports epochs, waits for the answer, and returns whether the trial is to stop.

        ``judged_at``: the epochs at which the driver may end the trial, the first being the next; None: any. Each of
        them makes one epoch matter: the first that comes to it and that no earlier one made matter.

        ``epochs``: when epochs end; None: that is not reported.
        """
        self._epochs = epochs
        self._judged_at = None if judged_at is None else deque(judged_at)
        self._send = send
        self._clock = clock
        self._sent_at = clock()
        self.held: list[EpochReport] = []
        """Epochs that were not told yet."""
        self.stopped = False
        """Whether an answer was a stop."""

    def report_epoch(self, epoch: EpochReport) -> bool:
        """Tell an epoch, now or later; return True when the trial is to stop."""
        matters = self._needs_decision(epoch.epoch, epoch.value)
        at, before = (None, None) if self._epochs is None else self._epochs.read_times()
        self.held.append(epoch._replace(at=at, before=before))
        if self.stopped:
            return True
        if matters or self._clock() - self._sent_at >= TOGETHER_S:
            self.flush()
        return self.stopped

    def flush(self) -> None:
        """Tell what waits."""
        if self.held:
            self.held, held = [], self.held
            self.stopped = self._send(held)
            self._sent_at = self._clock()

    def _needs_decision(self, epoch: int, value: float) -> bool:
        """Tell whether the driver may end the trial with this epoch."""
        if self._judged_at is None or not math.isfinite(value):
            return True
        if not self._judged_at or epoch < self._judged_at[0]:
            return False
        self._judged_at.popleft()
        return True

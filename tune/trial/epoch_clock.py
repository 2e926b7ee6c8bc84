"""When the epochs of an actor's trials end: what a trial takes beside its epochs follows from that."""

import time
from collections.abc import Callable


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

    def tick(self) -> tuple[float | None, float | None]:
        """Return when an epoch ended, which is now, and when the last one of the trial before did, in seconds."""
        return (self._clock(), self._before) if self._counts else (None, None)

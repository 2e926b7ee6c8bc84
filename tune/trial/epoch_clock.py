"""When the epochs of a worker's trials end: what a trial takes beside its epochs follows from that."""

import time
from collections.abc import Callable


class EpochClock:
    """One for a worker, whatever trials it runs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts = True
        self._before: float | None = None
        self._last: float | None = None

    def begin(self, *, counts: bool) -> None:
        """Begin a trial; one that goes on from a checkpoint does not count, for it reports what it has behind it."""
        self._before, self._last = self._last, None
        self._counts = counts

    def tick(self) -> tuple[float | None, float | None]:
        """Return when an epoch ended, which is now, and when the last one of the trial before did, in seconds.

        The second is None in a worker's first trial, which imports and reads what later ones find there.
        """
        if not self._counts:
            return None, None
        self._last = self._clock()
        return self._last, self._before

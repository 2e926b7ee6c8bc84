"""What a trial takes beside its epochs, in epochs: by the moments at which those of a worker end."""

import time
from collections.abc import Callable


class EpochClock:
    """One for a worker, whatever trials it runs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._before: float | None = None
        self._first = self._last = 0.0
        self._n_epochs = 0

    def begin(self) -> None:
        """Begin a trial."""
        self._before = self._last if self._n_epochs else None
        self._n_epochs = 0

    def tick(self) -> None:
        """Hear that an epoch ended."""
        self._last = self._clock()
        self._n_epochs += 1
        if self._n_epochs == 1:
            self._first = self._last

    @property
    def start(self) -> float | None:
        """How many epochs, as those after the first, would fit between the last trial's last and this one's first.

        None where that is not known: before the second epoch, and in a worker's first trial, which imports and reads
        what later ones find there.
        """
        if self._before is None or self._n_epochs < 2 or self._last == self._first:
            return None
        epoch_s = (self._last - self._first) / (self._n_epochs - 1)
        return max((self._first - self._before) / epoch_s - 1, 0.0)

"""What Ray's doors ask: who comes next, does it go on, it has ended."""

from collections.abc import Sequence
from typing import Protocol

from tune.errors import PauseError
from tune.trial.counted_fits import CountedFits
from tune.trial.mail import Epoch
from tune.trial.task import Task


class Director(Protocol):
    """Leads trials; a search and a retraining are two of them. Called from the driver's main thread alone."""

    @property
    def finished(self) -> bool:
        """Whether no further trial starts."""

    @property
    def aborted(self) -> bool:
        """Whether the running trials are to end now."""

    @property
    def ending(self) -> bool:
        """Whether ``end`` was called."""

    @property
    def runs_preflight(self) -> bool:
        """Whether the pre-flight runs: it has no epochs after which it could end."""

    def end(self) -> None:
        """Start no further trial, and let the running ones end after their epoch; from any thread."""

    def next_task(self, trial_id: str) -> Task | None:
        """Open the next trial; None while there is no room, or none is left."""

    def preflight_passed(self, counted: CountedFits | None) -> None:
        """Hear which fits the score comes from, before any trial trains."""

    def report(self, trial_id: str, epochs: Sequence[Epoch]) -> bool:
        """Hear of epochs, in their order; return True when the trial is to stop."""

    def pause(self, trial_id: str, error: PauseError) -> None:
        """Hear why the search has to wait; the trial that met it is stopped, to go on later."""

    def ended(self, trial_id: str, *, death: str | None, rest: Sequence[Epoch] = (), is_refused: bool = False) -> None:
        """Close a trial that ended; ``rest``: its epochs that were not told before.

        ``is_refused``: it did not begin, for its place is on a device that is left out.

        ``death``: how its process died before it was through, in words, as far as that is known; None: it did not.
        """

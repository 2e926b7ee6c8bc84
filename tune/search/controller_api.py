"""What Ray Tune asks of a controller of trials, and who is called when a trial starts, reports and ends."""

from collections.abc import Sequence
from typing import Protocol

from tune.errors import PauseError
from tune.experiment.counted_fits import CountedFits
from tune.trial.messages import TrialTask
from tune.trial.reporting import EpochReport


class TrialController(Protocol):
    """Leads trials; a search and a retraining are two of them. Called from the driver's main thread alone."""

    @property
    def has_finished(self) -> bool:
        """Whether no further trial starts."""

    @property
    def is_aborted(self) -> bool:
        """Whether the running trials are to end now."""

    @property
    def is_end_requested(self) -> bool:
        """Whether ``request_end`` was called."""

    @property
    def runs_preflight(self) -> bool:
        """Whether the pre-flight runs: it has no epochs after which it could end."""

    def request_end(self) -> None:
        """Start no further trial, and let the running ones end after their epoch; from any thread."""

    def next_task(self, trial_id: str) -> TrialTask | None:
        """Open the next trial; None while there is no room, or none is left."""

    def on_preflight_passed(self, counted: CountedFits | None) -> None:
        """Hear which fits the score comes from, before any trial trains."""

    def receive_epochs(self, trial_id: str, epochs: Sequence[EpochReport]) -> bool:
        """Hear of epochs, in their order; return True when the trial is to stop."""

    def pause_search(self, trial_id: str, error: PauseError) -> None:
        """Hear why the search has to wait; the trial that met it is stopped, to go on later."""

    def on_trial_end(
        self, trial_id: str, *, death: str | None, rest: Sequence[EpochReport] = (), is_refused: bool = False
    ) -> None:
        """Close a trial that ended; ``rest``: its epochs that were not told before.

        ``is_refused``: it did not begin, for its place is on a device that is left out.

        ``death``: how its process died before it was through, in words, as far as that is known; None: it did not.
        """


class TrialListener(Protocol):
    """Hears of trials, from the driver's main thread; what it does there keeps the search waiting."""

    def on_trial_start(self, task: TrialTask) -> None:
        """Hear that a trial starts, or goes on."""

    def on_epoch(self, number: int, epoch: int, value: float) -> None:
        """Hear of an epoch."""

    def on_worker_free(self, number: int) -> None:
        """Hear that a trial runs no more, however that came."""

    def on_search_ending(self) -> None:
        """Hear that no further trial starts; from a signal handler, so take no lock."""


class ObservedController:
    """A controller that passes each call on to another one, and tells a listener."""

    def __init__(self, controller: TrialController, watch: TrialListener) -> None:
        self._controller = controller
        self._watch = watch
        self._numbers: dict[str, int] = {}  # of running trials, by Ray's ids

    @property
    def has_finished(self) -> bool:
        """Whether no further trial starts."""
        return self._controller.has_finished

    @property
    def is_aborted(self) -> bool:
        """Whether the running trials are to end now."""
        return self._controller.is_aborted

    @property
    def is_end_requested(self) -> bool:
        """Whether ``request_end`` was called."""
        return self._controller.is_end_requested

    @property
    def runs_preflight(self) -> bool:
        """Whether the pre-flight runs."""
        return self._controller.runs_preflight

    def request_end(self) -> None:
        """Start no further trial, and let the running ones end after their epoch; from any thread."""
        self._controller.request_end()
        self._watch.on_search_ending()

    def next_task(self, trial_id: str) -> TrialTask | None:
        """Open the next trial; None while there is no room, or none is left."""
        task = self._controller.next_task(trial_id)
        if task is not None:
            self._numbers[trial_id] = task.number
            self._watch.on_trial_start(task)
        return task

    def on_preflight_passed(self, counted: CountedFits | None) -> None:
        """Hear which fits the score comes from."""
        self._controller.on_preflight_passed(counted)

    def receive_epochs(self, trial_id: str, epochs: Sequence[EpochReport]) -> bool:
        """Hear of epochs; return True when the trial is to stop."""
        stops = self._controller.receive_epochs(trial_id, epochs)
        self._notify_epochs(self._numbers[trial_id], epochs)
        return stops

    def _notify_epochs(self, number: int, epochs: Sequence[EpochReport]) -> None:
        for each in epochs:
            self._watch.on_epoch(number, each.epoch, each.value)

    def pause_search(self, trial_id: str, error: PauseError) -> None:
        """Hear from a trial why the search has to wait."""
        self._controller.pause_search(trial_id, error)

    def on_trial_end(
        self, trial_id: str, *, death: str | None, rest: Sequence[EpochReport] = (), is_refused: bool = False
    ) -> None:
        """Hear that a trial ended."""
        number = self._numbers.pop(trial_id, None)
        if number is not None:
            self._notify_epochs(number, rest)
        self._controller.on_trial_end(trial_id, death=death, rest=rest, is_refused=is_refused)
        if number is not None:
            self._watch.on_worker_free(number)


def add_listener(controller: TrialController, watch: TrialListener | None) -> TrialController:
    """Return the controller, with a listener if there is one."""
    return controller if watch is None else ObservedController(controller, watch)

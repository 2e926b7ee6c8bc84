"""What Ray Tune asks of a controller of trials, and who is called when a trial starts, reports and ends."""

from collections.abc import Callable, Iterable, Sequence
from typing import Concatenate, ParamSpec, Protocol

from tune.cluster.resources import Resources
from tune.errors import PauseError
from tune.experiment.counted_fits import CountedFits
from tune.experiment.proposal_note import SearchPause
from tune.experiment.trial_result import TrialResult
from tune.trial.messages import EpochReport, TrialTask

P = ParamSpec("P")


class TrialController(Protocol):
    """Leads trials; a search and a retraining are two of them. Called from the driver's main thread alone."""

    @property
    def has_finished(self) -> bool:
        """Whether no further trial starts."""

    @property
    def is_aborted(self) -> bool:
        """Whether the running trials are to end now."""

    @property
    def runs_preflight(self) -> bool:
        """Whether the pre-flight runs: it has no epochs after which it could end."""

    def request_end(self) -> None:
        """Start no further trial, and let the running ones end after their epoch; from any thread."""

    def handle_requests(self) -> None:
        """Do what other processes ask for; it is called between two steps of Ray Tune."""

    def next_task(self, trial_id: str) -> TrialTask | None:
        """Open the next trial; None while there is no room, or none is left."""

    def on_trial_placed(self, trial_id: str, device: str) -> None:
        """Hear on which GPUs a trial runs, ``host:device``."""

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


class SearchListener:
    """Is called while trials run; a subclass overrides what it needs.

    All but ``on_dashboard`` is called in the driver's main thread: what is done there keeps the search waiting.
    """

    def on_ray_start(self) -> None:
        """Take note that Ray runs."""

    def on_dashboard(self, address: str) -> None:
        """Take note that Ray's dashboard is up; from another thread."""

    def on_share(self, resources: Resources, why: str) -> None:
        """Take note of what a trial gets of a GPU, where that was measured; ``why``: what was measured."""

    def on_preflight(self, counted: CountedFits, n_whole: int | None) -> None:
        """Take note of the fits that the score comes from; ``n_whole``: how many values a trial reports, if known."""

    def on_device_left_out(self, device: str, why: str) -> None:
        """Take note that a GPU gets no trial any more, ``host:device``; ``why``: its last failure."""

    def on_preflight_moved(self, device: str, why: str) -> None:
        """Take note of a GPU that failed the pre-flight, which runs again without it, ``host:device``; ``why``: how."""

    def on_share_outgrown(self, number: int, share: float, larger: float) -> None:
        """Take note of a trial that ran out of memory on its share of a GPU, and runs again on a larger one."""

    def on_trial_start(self, task: TrialTask) -> None:
        """Take note that a trial starts, or goes on."""

    def on_trial_placed(self, number: int, device: str) -> None:
        """Take note of the GPUs on which a trial runs, ``host:device``; is not called of one on the CPU."""

    def on_epoch(self, number: int, epoch: EpochReport) -> None:
        """Take note of an epoch that a trial reported."""

    def on_worker_free(self, number: int) -> None:
        """Take note that a trial runs no more: it ended, its process died, or the search ends."""

    def on_trial_end(self, outcome: TrialResult) -> None:
        """Take note of a trial that ended, or was never trained."""

    def on_search_ending(self) -> None:
        """Take note that no further trial starts; from a signal handler, so take no lock."""

    def on_limits_changed(self, n_more: int, concurrency: int | None, time_budget_s: float | None) -> None:
        """Take note that the search has so many more trials, and how many at a time and how long from now on."""

    def on_proposal(self, number: int) -> None:
        """Take note that somebody proposed a trial, which waits for a place."""

    def on_pause(self, pause: SearchPause | None) -> None:
        """Take note that somebody paused the search; None: it goes on."""


def notify_listeners(
    listeners: Iterable[SearchListener],
    hook: Callable[Concatenate[SearchListener, P], None],
    *args: P.args,
    **kwargs: P.kwargs,
) -> None:
    """Call a hook of each listener, named as ``SearchListener.on_epoch``."""
    for listener in listeners:
        getattr(listener, hook.__name__)(*args, **kwargs)

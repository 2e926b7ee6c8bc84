"""The live view of a search on a terminal: drawn by a thread of its own, a few times a second at most."""

import threading
import time
from types import TracebackType

from tune.cli.terminal.frame import Frame
from tune.cli.terminal.summary import Screen
from tune.experiment.trial_result import TrialResult
from tune.internals.rich_internals import ReflowingLive
from tune.search.progress import Progress
from tune.trial.messages import TrialTask

TICK_S = 0.25
"""How soon an event is seen, at the latest."""
CLOCK_S = 1.0
"""How often the times are drawn anew where nothing happens."""

USUAL = "Ctrl-C: the running epochs end first; twice: at once"
HEARD = "ending: the running epochs end first, then all is saved; Ctrl-C again: at once"
STARTING, WARMING, PREFLIGHT = "starting Ray", "workers import torch", "pre-flight: a batch or two of the baseline"


class LiveView:
    """Draws how far a search is, from ``with`` to its end, and takes the picture away then."""

    def __init__(self, screen: Screen, progress: Progress, *, title: str, metric: str) -> None:
        self._screen = screen
        self._progress = progress
        self._title = title
        self._metric = metric
        self._phase = STARTING
        self._live = ReflowingLive(screen.console, self._build_frame)
        self._changed = True  # a plain flag: a signal handler sets it
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._draw_frames, name="live view", daemon=True)

    def __enter__(self) -> "LiveView":
        self._live.start(refresh=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._live.stop()

    def on_ray_start(self) -> None:
        """Show that Ray runs, and that actors and the first trial's process are being started."""
        self._phase = WARMING
        self._changed = True

    def on_trial_start(self, task: TrialTask) -> None:
        """Hear that a trial starts, or goes on."""
        if task.preflight:
            self._phase = PREFLIGHT
        self._progress.on_trial_start(task)
        self._changed = True

    def on_epoch(self, number: int, epoch: int, value: float) -> None:
        """Hear of an epoch."""
        self._phase = ""
        self._progress.on_epoch(number, epoch, value)
        self._changed = True

    def on_worker_free(self, number: int) -> None:
        """Hear that a trial runs no more."""
        self._progress.on_worker_free(number)
        self._changed = True

    def on_trial_end(self, outcome: TrialResult) -> None:
        """Hear what became of a trial."""
        self._progress.on_trial_end(outcome)
        self._changed = True

    def on_search_ending(self) -> None:
        """Hear that no further trial starts."""
        self._progress.on_search_ending()
        self._changed = True

    def _draw_frames(self) -> None:
        drawn = 0.0
        size = self._screen.console.size
        while not self._done.wait(TICK_S):
            now, resized = time.monotonic(), self._screen.console.size != size
            if self._changed or resized or now - drawn >= CLOCK_S:
                self._changed, drawn, size = False, now, self._screen.console.size
                with self._screen.lock:
                    self._live.refresh()

    def _build_frame(self) -> Frame:
        standing = self._progress.current_status()
        return Frame(
            title=self._title,
            metric=self._metric,
            standing=standing,
            now=time.monotonic(),
            phase=self._phase,
            said=HEARD if standing.has_ended else USUAL,
        )

"""The live view of a search on a terminal: drawn by a thread of its own, a few times a second at most."""

import threading
import time
from collections.abc import Mapping
from types import TracebackType

from tune.cli.terminal.keyboard import Keyboard, KeyCommands
from tune.cli.terminal.live_frame import Frame
from tune.cli.terminal.screen import Screen
from tune.internals.rich_internals import ReflowingLive
from tune.paths import ExperimentPaths
from tune.search.progress import Phase, Progress

TICK_S = 0.25
"""How soon an event is seen, at the latest."""
CLOCK_S = 1.0
"""How often the times are drawn anew where nothing happens."""

USUAL = "Ctrl-C: the running epochs end first; twice: at once"
HEARD = "ending: the running epochs end first, then all is saved; Ctrl-C again: at once"
PHASES: Mapping[Phase, str] = {
    "Ray starts": "starting Ray",
    "workers start": "workers import torch",
    "pre-flight": "pre-flight: a batch or two of the baseline",
    "trials run": "",
}


class LiveView:
    """Draws how far a search is, from ``with`` to its end, and takes the picture away then."""

    def __init__(
        self, screen: Screen, progress: Progress, *, title: str, metric: str, steers: ExperimentPaths | None = None
    ) -> None:
        """``steers``: the experiment that keys steer; None: no keys are read."""
        self._screen = screen
        self._progress = progress
        self._title = title
        self._metric = metric
        self._commands = None if steers is None else KeyCommands(steers, self._on_key)
        self._keyboard = None if self._commands is None else Keyboard(self._commands.press_keys)
        self._live = ReflowingLive(screen.console, self._build_frame)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._draw_frames, name="live view", daemon=True)

    def __enter__(self) -> "LiveView":
        self._live.start(refresh=True)
        self._thread.start()
        if self._keyboard is not None:
            self._keyboard.start_reading()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._done.set()
            self._thread.join()
            self._live.stop()
        finally:
            if self._keyboard is not None:
                self._keyboard.stop_reading()

    def _on_key(self) -> None:
        self._progress.has_changed = True

    def _draw_frames(self) -> None:
        drawn = 0.0
        size = self._screen.console.size
        while not self._done.wait(TICK_S):
            now, resized = time.monotonic(), self._screen.console.size != size
            if self._progress.has_changed or resized or now - drawn >= CLOCK_S:
                self._progress.has_changed, drawn, size = False, now, self._screen.console.size
                with self._screen.lock:
                    self._live.refresh()

    @property
    def _reads_keys(self) -> bool:
        return self._keyboard is not None and self._keyboard.is_there

    def _build_frame(self) -> Frame:
        standing = self._progress.current_status()
        return Frame(
            title=self._title,
            metric=self._metric,
            standing=standing,
            now=time.monotonic(),
            phase=PHASES[standing.phase],
            said=HEARD if standing.has_ended else USUAL,
            keys=self._commands.line if self._commands is not None and self._reads_keys else "",
        )

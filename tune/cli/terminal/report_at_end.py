"""The report at the end of a search: made from the files while the prompt waits, so nothing else may take its time."""

import contextlib
import functools
import gc
import importlib
import threading
import time

from tune.cli.parser import storage_option
from tune.cli.terminal.screen import Screen, one_line
from tune.experiment.trial_result import TrialResult
from tune.gc_control import collector_paused
from tune.invocation import this_command
from tune.paths import ExperimentPaths, display_path
from tune.search.controller_api import SearchListener

READY_AFTER = 0.1
"""So much of the search passes before anything is made ready: its first trials are what one waits for."""
READY_AFTER_S = 60
"""Or so much time."""
MAX_TRIALS = 1000
"""With more the report takes seconds: it is left to `report`."""


class ReportAtEnd(SearchListener):
    """Writes the report of a search that has just ended."""

    def __init__(self, screen: Screen, paths: ExperimentPaths, *, wanted: bool) -> None:
        self._screen = screen
        self._paths = paths
        self._wanted = wanted
        self._thread: threading.Thread | None = None
        self._n_ended = 0
        self._ready_after, self._ready_at = 0.0, 0.0

    def preload_after(self, n_trials: int) -> None:
        """Say how many trials are to come: once some of them have ended, the report's libraries are imported."""
        self._ready_after, self._ready_at = READY_AFTER * n_trials, time.monotonic() + READY_AFTER_S

    def on_trial_end(self, outcome: TrialResult) -> None:
        """Import what the report needs, in the background: that is the larger part of the time that it takes.

        It is more than a second of CPU, and while it holds the interpreter's lock, trials wait for their answers.
        """
        self._n_ended += 1
        is_late = self._n_ended >= self._ready_after or time.monotonic() >= self._ready_at
        if self._wanted and self._thread is None and is_late:
            self._thread = threading.Thread(target=preload_libraries, daemon=True)
            self._thread.start()

    def write_and_show(self, n_trials: int) -> None:
        """Write it, and say where it is. Whatever goes wrong with it, the search is through."""
        if not self._wanted or not n_trials:
            return
        if n_trials > MAX_TRIALS:
            option = storage_option(self._paths.folder.parent)
            self._screen.print_line(f"report: {this_command()} report {self._paths.name}{option}")
            return
        from tune.experiment.open import open_experiment
        from tune.results.report.build_report import write_report

        try:
            path = write_report(open_experiment(str(self._paths.folder), self._paths.folder.parent))
        except Exception as error:  # a search is not lost by its report
            self._screen.print_line(
                f"warning: no report: {type(error).__name__}: {one_line(str(error))}", style="yellow"
            )
        else:
            self._screen.print_line(f"the report: {display_path(path)}")


LIBRARIES = (
    "optuna.importance",
    "optuna.visualization",
    "plotly.graph_objects",
    "jinja2",
    "tune.results.report.build_report",
)


@functools.cache
def preload_libraries() -> None:
    """Import them, and pack plotly.js, once; the report is faster then, and no different.

    One that cannot be imported here, also where another thread is about to, is imported again by the report itself.
    """
    from tune.results.report.page import plotly_js

    with collector_paused():
        for library in LIBRARIES:
            with contextlib.suppress(Exception):
                importlib.import_module(library)
        gc.freeze()
    plotly_js()

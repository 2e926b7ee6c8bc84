"""Why a search ends or waits: somebody asked for it, its time is over, too many trials failed, or the disk is full."""

import contextlib
import statistics
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tune.errors import PauseError
from tune.experiment.trial_result import TrialResult
from tune.paths import display_path
from tune.search.steering.controls import SearchControls
from tune.search.study.version_folders import VersionFolders
from tune.search.trial_end import FailureStreak
from tune.trial.disk_space import translate_folder_errors


class SearchEnd:
    """That of one search: no further trial starts, and those that run end after their epoch, or at once."""

    def __init__(
        self,
        folder: Path,
        controls: SearchControls,
        causes: FailureStreak,
        versions: VersionFolders,
        on_preflight_failed: Callable[[], None],
    ) -> None:
        """``folder``: of the experiment."""
        self._folder = folder
        self._controls = controls
        self._whole_s: list[float] = []  # of trials that trained to their end, in seconds
        self._causes = causes
        self._versions = versions
        self._on_preflight_failed = on_preflight_failed
        self._requested = threading.Event()
        self.interrupted_trials: set[int] = set()
        """The trials that do not train to their end, because the search ends."""
        self.full: PauseError | None = None
        """Why the search waits, most often for room on the disk: nothing more is started, and what runs ends."""
        self.preflight_failed = False
        """Whether the baseline did not survive the pre-flight: every running trial is to end."""
        self.baseline_death: str | None = None
        """How its process died, in words, where it did."""

    def request_end(self) -> None:
        """Start no further trial, and let the running ones end after their epoch; from any thread."""
        self._requested.set()

    @property
    def is_requested(self) -> bool:
        """Whether ``request_end`` was called."""
        return self._requested.is_set()

    @property
    def is_interrupted(self) -> bool:
        """Whether running trials end after their epoch."""
        is_ended = self.is_requested or self._controls.limits.is_end_wanted()
        return is_ended or self.final_failure is not None or self.full is not None or self._controls.budget.is_spent

    @property
    def is_aborted(self) -> bool:
        """Whether the running trials are to end now."""
        return self.preflight_failed or (self.full is not None and not self._versions.is_baseline_ready)

    @property
    def final_failure(self) -> TrialResult | None:
        """The failure that was one too many."""
        return self._causes.last_straw

    def fail_preflight(self, death: str | None) -> None:
        """Let every running trial end: the baseline did not survive the pre-flight; ``death``: how its process died."""
        self.baseline_death = death
        self.preflight_failed = True
        self._on_preflight_failed()

    @contextlib.contextmanager
    def pause_on_error(self, number: int | None = None) -> Iterator[None]:
        """Where the disk is full, end the search politely; trial ``number``, which lost something, goes on later."""
        try:
            with translate_folder_errors(self._folder):
                yield
        except PauseError as error:
            self.full = self.full or type(error)(display_path(self._folder), error.what, error.hint)
            if number is not None:
                self.interrupted_trials.add(number)
            if self.is_aborted:
                self._on_preflight_failed()

    def reserve_time(self, outcome: TrialResult) -> None:
        """Reserve the time of the confirmation, by that of a trial which trained to its end, and those before it."""
        if outcome.state == "complete" and outcome.duration_s is not None:
            self._whole_s.append(outcome.duration_s)
            n_rounds = self._controls.limits.n_confirm_rounds
            self._controls.budget.reserve_time(n_rounds * statistics.fmean(self._whole_s))

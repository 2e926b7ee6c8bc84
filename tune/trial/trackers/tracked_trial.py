"""The runs of one trial in all trackers: what their hooks ask, and where they are closed."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from tune.experiment.records import TrialRecord
from tune.experiment.trial_result import Mode, find_score_epoch
from tune.paths import VersionPaths
from tune.trial.lightning.packages import PACKAGES, patch_packages
from tune.trial.trackers.comet_tracker import CometTracker
from tune.trial.trackers.csv_tracker import CsvTracker
from tune.trial.trackers.mlflow_tracker import MlflowTracker
from tune.trial.trackers.run_labels import RunEnd, RunLabels, RunState, find_experiment, label_runs
from tune.trial.trackers.run_records import RunRecord, read_run_records, write_run_records
from tune.trial.trackers.tracker import Tracker, guard_experiment, guard_logger, log_tracker_errors
from tune.trial.trackers.trackio_tracker import TrackioTracker
from tune.trial.trackers.wandb_tracker import WandbTracker

TRACKERS: tuple[type[Tracker], ...] = (WandbTracker, MlflowTracker, CometTracker, TrackioTracker, CsvTracker)
"""All that we know. Another one is a class below ``Tracker``, in a module of its own."""
LOGGERS = frozenset(each.logger for each in TRACKERS if each.logger)
CONTINUED = frozenset({"wandb", "mlflow", "comet_ml", "trackio"})
"""Trackers whose runs a later attempt goes on with; a CSVLogger would delete what is there."""


class TrackedTrial:
    """The runs of one attempt of a trial."""

    def __init__(self, labels: RunLabels, files: VersionPaths, describe_end: Callable[[], RunEnd]) -> None:
        """``describe_end``: says how the trial stands."""
        self.labels = labels
        self.experiment = find_experiment(files)
        self.scratch: Path | None = None
        self._files = files
        self._describe_end = describe_end
        self._records = read_run_records(files)
        self._earlier = [each for each in self._records if each.tracker in CONTINUED]
        self._n_begun: dict[str, int] = {}
        self._trackers = {each.package: each(self) for each in TRACKERS}

    @contextlib.contextmanager
    def install_patches(self, scratch: Path | None) -> Iterator[None]:
        """Patch every tracker that the program imports; ``scratch``: where runs that do not count leave files."""

        def patch_package(package: ModuleType) -> contextlib.AbstractContextManager[None]:
            is_lightning = package.__name__ in PACKAGES
            tracker = self._trackers["csv" if is_lightning else package.__name__]
            loggers = _find_loggers(package) if is_lightning else []
            return _patch_safely(package, tracker, loggers)

        self.scratch = scratch
        names = (*PACKAGES, *(each for each in self._trackers if each != "csv"))
        with patch_packages(names, patch_package):
            yield

    def count_runs(self, tracker: str) -> int:
        """Return how many runs of a tracker this process has begun."""
        return self._n_begun.get(tracker, 0)

    def find_earlier_run(self, tracker: str) -> RunRecord | None:
        """Return the run of an earlier attempt that the next run of this tracker goes on with."""
        found = [each for each in self._earlier if each.tracker == tracker]
        index = self.count_runs(tracker)
        return found[index] if index < len(found) else None

    def add_run(self, record: RunRecord) -> None:
        """Take note of a run that began, or goes on."""
        self._n_begun[record.tracker] = self.count_runs(record.tracker) + 1
        others = [each for each in self._records if (each.tracker, each.run) != (record.tracker, record.run)]
        self._write([*others, record])

    def mark_closed(self, tracker: str, run: str, state: RunState) -> None:
        """Take note that a run is closed, and what the tracker was told of it."""
        self._write(
            [
                replace(each, state=state) if (each.tracker, each.run) == (tracker, run) else each
                for each in self._records
            ]
        )

    def _write(self, records: list[RunRecord]) -> None:
        self._records = records
        write_run_records(self._files, records)

    def describe_end(self, *, failed: bool = False) -> RunEnd:
        """Return how the trial stands at this moment, as a run that ends now shows it."""
        end = self._describe_end()
        return RunEnd(state="failed", score=end.score) if failed else end

    def close_runs(self, end: RunEnd) -> None:
        """Close all runs of this process; one that the program closed before the trial failed says so, too."""
        for record in list(self._records):
            if record.state == "running" or (end.has_failed and record.state != "failed"):
                with log_tracker_errors(record.tracker):
                    self._trackers[record.tracker].close_run(record, end)


def _find_loggers(package: ModuleType) -> list[Any]:
    """Return the classes of a Lightning package that log to trackers."""
    return [getattr(package.loggers, name) for name in sorted(LOGGERS) if hasattr(package.loggers, name)]


@contextlib.contextmanager
def _patch_safely(package: ModuleType, tracker: Tracker, loggers: Sequence[Any]) -> Iterator[None]:
    """Patch a package, and Lightning's ``loggers``; one that has no such parts is left as it is."""
    with contextlib.ExitStack() as patches:
        with log_tracker_errors(f"{package.__name__} is left as it is"):
            patches.enter_context(tracker.patch_package(package))
            for each in loggers:
                patches.enter_context(guard_experiment(each))
        yield


def guard_loggers(loggers: list[Any]) -> None:
    """Let Lightning's loggers of trackers fail without the trial."""
    for logger in loggers:
        if any(kind.__name__ in LOGGERS for kind in type(logger).__mro__):
            guard_logger(logger)


def create_ignored_runs(files: VersionPaths) -> TrackedTrial:
    """Return runs that do not count."""
    return TrackedTrial(label_runs(files, 0, {}), files, lambda: RunEnd(state="running", score=None))


def describe_end(record: TrialRecord, mode: Mode, *, stopped: bool) -> RunEnd:
    """Return how a trial stands by its record; ``stopped``: whether a report was answered with a stop."""
    curve = dict(record.curve)
    epoch = find_score_epoch(curve, mode, record.n_fits)
    is_stopped = stopped or record.stage == "stopped"
    return RunEnd(
        state="failed" if record.stage == "failed" else "stopped" if is_stopped else "complete",
        score=None if epoch is None else curve[epoch],
    )

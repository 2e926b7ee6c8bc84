"""Lightning's CSVLogger: a folder for each run, ``EXPERIMENT/VERSION`` in the place of ``version_N``."""

import contextlib
import functools
import inspect
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from tune.internals.private_apis import patch_attribute
from tune.paths import atomic_write
from tune.trial.trackers.run_labels import PREFIX, RunEnd, RunLabels
from tune.trial.trackers.run_records import RunRecord
from tune.trial.trackers.tracker import Tracker, log_tracker_errors

LABELS_FILE = f"{PREFIX}.json"
"""In the folder of a run: what a tracker shows as tags."""


class CsvTracker(Tracker):
    """Its runs are folders, each with a file for what has no place in Lightning's."""

    package = "csv"

    @contextlib.contextmanager
    def patch_package(self, package: ModuleType) -> Iterator[None]:
        """Name the folders of a Lightning package's CSVLogger."""
        logger_class = package.loggers.CSVLogger
        with patch_attribute(logger_class, "__init__", self._wrap_init(logger_class.__init__)):
            yield

    def _wrap_init(self, init: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(init)

        @functools.wraps(init)
        def replacement(*args: Any, **given: Any) -> None:
            bound = signature.bind(*args, **given)
            bound.apply_defaults()
            said = bound.arguments
            if self.runs.scratch is not None:
                said["save_dir"] = self.runs.scratch / "csv"
            elif "://" not in str(said["save_dir"]):
                with log_tracker_errors(self.package):
                    said["version"] = self._claim_version(Path(said["save_dir"], said["name"] or ""))
            init(*bound.args, **bound.kwargs)

        return replacement

    def _claim_version(self, root: Path) -> str:
        """Make the folder of a run: a CSVLogger deletes what is in one that exists."""
        labels = self.runs.labels
        base = f"{labels.experiment}/{labels.name}"
        for number in itertools.count(1):
            version = base if number == 1 else f"{base}-{number}"
            folder = root / version
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            write_labels(folder, labels, None)
            self.runs.add_run(RunRecord(tracker=self.package, run=str(folder.absolute())))
            return version
        raise AssertionError("numbers do not end")

    def close_run(self, record: RunRecord, end: RunEnd) -> None:
        """Write how it ended; a logger that logged nothing leaves no folder."""
        folder = Path(record.run)
        if {each.name for each in folder.iterdir()} == {LABELS_FILE}:
            (folder / LABELS_FILE).unlink()
            folder.rmdir()
        else:
            write_labels(folder, self.runs.labels, end)
        self.runs.mark_closed(self.package, record.run, end.state)


def write_labels(folder: Path, labels: RunLabels, end: RunEnd | None) -> None:
    """Write the file of a run's folder; ``end``: how it ended, None where it runs."""
    fields = {
        **labels.fields,
        "state": "running" if end is None else end.state,
        "score": None if end is None else end.score,
        "constants": dict(labels.constants),
    }
    with atomic_write(folder / LABELS_FILE) as aside:
        aside.write_text(json.dumps(fields, indent=2, default=str) + "\n", encoding="utf-8")

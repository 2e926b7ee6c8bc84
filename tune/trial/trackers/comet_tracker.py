"""Comet: ``comet_ml.start`` begins an experiment, which is one run; its ``end`` closes it."""

import contextlib
import functools
import inspect
import sys
import tempfile
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from tune.internals.private_apis import patch_attribute
from tune.trial.trackers.run_labels import PREFIX, RunEnd
from tune.trial.trackers.run_records import RunRecord
from tune.trial.trackers.tracker import Tracker, log_tracker_errors


class CometTracker(Tracker):
    """Its runs have a name, tags, parameters and other values; the interface groups runs by one of those."""

    package = "comet_ml"
    logger = "CometLogger"

    def __init__(self, runs: Any) -> None:
        super().__init__(runs)
        self._open: dict[str, Any] = {}

    @contextlib.contextmanager
    def patch_package(self, package: ModuleType) -> Iterator[None]:
        """Begin runs under our names; a pre-flight's are disabled."""
        with patch_attribute(package, "start", self._wrap_start(package.start, package)):
            yield

    def _wrap_start(self, start: Callable[..., Any], package: ModuleType) -> Callable[..., Any]:
        signature = inspect.signature(start)

        @functools.wraps(start)
        def replacement(*args: Any, **given: Any) -> Any:
            said = signature.bind(*args, **given).arguments
            if self.runs.scratch is not None:
                return self._start_disabled(start, package)
            if (earlier := self.runs.find_earlier_run(self.package)) is not None:
                said |= {"experiment_key": earlier.run, "mode": "get_or_create"}
            elif not self._open:  # one that runs is returned again
                said |= {"experiment_key": None, "mode": "create"}
            try:
                run = start(**said)
            except Exception as error:
                what = f"{type(error).__name__}: {error}"
                sys.stderr.write(f"comet_ml.start failed, and this trial has no run: {what}\n")
                return self._start_disabled(start, package)
            if run.get_key() not in self._open:
                with log_tracker_errors(self.package):
                    self._begin_run(run, is_offline=said.get("online") is False)
            return run

        return replacement

    def _start_disabled(self, start: Callable[..., Any], package: ModuleType) -> Any:
        folder = tempfile.gettempdir() if self.runs.scratch is None else str(self.runs.scratch)
        config = package.ExperimentConfig(disabled=True, offline_directory=folder)
        return start(online=False, mode="create", experiment_config=config)

    def _begin_run(self, run: Any, *, is_offline: bool) -> None:
        labels = self.runs.labels
        name = labels.name_run(self.runs.count_runs(self.package))
        self._open[run.get_key()] = run
        place = {"project": run.project_name, "workspace": run.workspace, "online": "" if is_offline else "yes"}
        record = RunRecord(
            tracker=self.package, run=run.get_key(), place={name: str(text) for name, text in place.items() if text}
        )
        self.runs.add_run(record)
        run.set_name(name)
        run.add_tags([*labels.tags])
        run.log_others({f"{PREFIX}.{name}": value for name, value in labels.fields.items()})
        run.log_parameters(dict(labels.constants))

    def close_run(self, record: RunRecord, end: RunEnd) -> None:
        """End a run; one of a process that died is continued for it, where Comet has it."""
        run = self._open.pop(record.run, None)
        if run is None:
            if not record.place.get("online"):
                return  # its archive was not written: nothing can be added to it
            import comet_ml

            place = record.place
            run = comet_ml.start(
                workspace=place.get("workspace"),
                project_name=place.get("project"),
                experiment_key=record.run,
                mode="get",
            )
        run.log_others({f"{PREFIX}.state": end.state, f"{PREFIX}.score": end.score})
        run.log_parameters(dict(self.runs.labels.constants))
        run.add_tag(end.state)
        run.end()
        self.runs.mark_closed(self.package, record.run, end.state)

"""Trackio: ``trackio.init`` begins a run, ``Run.finish`` ends it."""

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from tune.internals.private_apis import patch_attribute
from tune.trial.trackers.run_labels import PREFIX, RunEnd
from tune.trial.trackers.run_records import RunRecord
from tune.trial.trackers.tracker import NullRun, Tracker, TrialRuns, ignore_call, log_tracker_errors

LOGGING = ("log", "log_system", "log_gpu", "log_cpu", "log_artifact", "alert", "save", "finish")
"""The functions that need a run."""


class TrackioTracker(Tracker):
    """Its runs have a name, a group and a configuration. Their end is a last entry: nothing else can be added."""

    package = "trackio"

    def __init__(self, runs: TrialRuns) -> None:
        super().__init__(runs)
        self._open: dict[str, Any] = {}

    @contextlib.contextmanager
    def patch_package(self, package: ModuleType) -> Iterator[None]:
        """Begin runs under our names; a pre-flight has none."""
        with contextlib.ExitStack() as patches:
            if self.runs.scratch is not None:
                self._disable(package, patches)
            else:
                patches.enter_context(patch_attribute(package, "init", self._wrap_init(package.init, package, patches)))
                patches.enter_context(patch_attribute(package.Run, "finish", self._wrap_finish(package.Run.finish)))
            yield

    def _disable(self, package: ModuleType, patches: contextlib.ExitStack) -> None:
        for name in LOGGING:
            if hasattr(package, name):
                patches.enter_context(patch_attribute(package, name, ignore_call))
        patches.enter_context(patch_attribute(package, "init", lambda *_, **__: NullRun()))

    def _wrap_init(
        self, init: Callable[..., Any], package: ModuleType, patches: contextlib.ExitStack
    ) -> Callable[..., Any]:
        signature = inspect.signature(init)

        @functools.wraps(init)
        def replacement(*args: Any, **given: Any) -> Any:
            said = signature.bind(*args, **given).arguments
            labels = self.runs.labels
            earlier = self.runs.find_earlier_run(self.package)
            name = labels.name_run(self.runs.count_runs(self.package)) if earlier is None else earlier.run
            fields = {f"{PREFIX}/{key}": value for key, value in labels.fields.items()}
            config = {**(said.get("config") or {}), **labels.constants, **fields}
            wanted = {**said, "name": name, "group": labels.experiment, "config": config}
            try:
                run = init(**{**wanted, "resume": "never" if earlier is None else "allow"})
            except Exception as error:
                what = f"{type(error).__name__}: {error}"
                sys.stderr.write(f"trackio.init failed, and this trial has no run: {what}\n")
                self._disable(package, patches)
                return NullRun()
            with log_tracker_errors(self.package):
                self._open[run.name] = run
                place = {key: said[key] for key in ("project", "space_id", "server_url") if said.get(key)}
                self.runs.add_run(RunRecord(tracker=self.package, run=run.name, place=place))
            return run

        return replacement

    def _wrap_finish(self, finish: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(finish)
        def replacement(run: Any, *args: Any, **given: Any) -> Any:
            if self._open.pop(run.name, None) is not None:
                with log_tracker_errors(self.package):
                    self._log_end(run, self.runs.describe_end())
            return finish(run, *args, **given)

        return replacement

    def _log_end(self, run: Any, end: RunEnd) -> None:
        run.log({f"{PREFIX}/state": end.state, **({} if end.score is None else {f"{PREFIX}/score": end.score})})
        self.runs.mark_closed(self.package, run.name, end.state)

    def close_run(self, record: RunRecord, end: RunEnd) -> None:
        """Finish a run; one of a process that died is continued for it."""
        run = self._open.pop(record.run, None)
        if run is None:
            import trackio

            run = trackio.init(name=record.run, resume="must", group=self.runs.labels.experiment, **record.place)
        self._log_end(run, end)
        run.finish()

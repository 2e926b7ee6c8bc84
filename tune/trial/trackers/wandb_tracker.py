"""Weights & Biases: ``wandb.init`` begins a run, ``Run.finish`` ends it."""

import contextlib
import functools
import inspect
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from tune.internals.private_apis import lock_wandb_config, patch_attribute
from tune.trial.trackers.run_labels import PREFIX, RunEnd, drop_states
from tune.trial.trackers.run_records import RunRecord
from tune.trial.trackers.tracker import Tracker, TrialRuns, close_as_finished, log_tracker_errors

FINISH_TIMEOUT, FINISH_S = "WANDB_FINISH_TIMEOUT", "600"
"""W&B's variable, and for how long a trial that has ended waits for a network that is not there."""


class WandbTracker(Tracker):
    """Its runs have a name, a group, a type of job, tags, a configuration and a summary."""

    package = "wandb"
    logger = "WandbLogger"

    def __init__(self, runs: TrialRuns) -> None:
        super().__init__(runs)
        self._open: dict[str, Any] = {}

    @contextlib.contextmanager
    def patch_package(self, package: ModuleType) -> Iterator[None]:
        """Begin runs under our names, and say how the trial stands when one finishes."""
        with (
            patch_attribute(package, "init", self._wrap_init(package.init)),
            patch_attribute(package.Run, "finish", self._wrap_finish(package.Run.finish)),
            patch_attribute(package.Run, "__exit__", self._wrap_exit(package.Run.__exit__)),
            close_as_finished(package.Run),
        ):
            yield

    def _wrap_init(self, init: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(init)

        @functools.wraps(init)
        def replacement(*args: Any, **given: Any) -> Any:
            said = signature.bind(*args, **given).arguments
            if self.runs.scratch is not None:
                return init(**{**said, "mode": "disabled"})
            wanted = self._build_arguments(said)
            os.environ.setdefault(FINISH_TIMEOUT, FINISH_S)
            try:
                run = init(**wanted)
            except Exception as error:
                what = f"{type(error).__name__}: {error}"
                sys.stderr.write(f"wandb.init failed, and this trial has no run: {what}\n")
                return init(mode="disabled")
            is_new = run.id == wanted["id"]  # else the program has a run already, and asked for it
            if is_new and not run.disabled:
                with log_tracker_errors(self.package):
                    self._begin_run(run)
            return run

        return replacement

    def _build_arguments(self, said: dict[str, Any]) -> dict[str, Any]:
        labels = self.runs.labels
        earlier = self.runs.find_earlier_run(self.package)
        tags = said.get("tags") or ()
        return {
            **said,
            "id": secrets.token_hex(4) if earlier is None else earlier.run,
            "resume": "allow",
            "name": labels.name_run(self.runs.count_runs(self.package)),
            "group": labels.experiment,
            "job_type": labels.kind if labels.is_retrained else said.get("job_type") or labels.kind,
            "tags": [*([tags] if isinstance(tags, str) else tags), *labels.tags],
        }

    def _begin_run(self, run: Any) -> None:
        settings = run.settings
        place = {
            "project": run.project,
            "entity": run.entity,
            "mode": "offline" if run.offline else "online",
            "dir": settings.root_dir,
        }
        self._open[run.id] = run
        place = {name: str(text) for name, text in place.items() if text}
        self.runs.add_run(RunRecord(tracker=self.package, run=run.id, place=place))
        run.config.update({PREFIX: self.runs.labels.fields}, allow_val_change=True)
        lock_wandb_config(run.config, dict(self.runs.labels.constants))

    def _wrap_finish(self, finish: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(finish)
        def replacement(run: Any, exit_code: int | None = None, *args: Any, **given: Any) -> Any:
            if run.id in self._open:
                self._label_end(run, self.runs.describe_end(failed=bool(exit_code)))
            return finish(run, exit_code, *args, **given)

        return replacement

    def _wrap_exit(self, leave: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the end of a ``with`` block, which does not call ``finish``."""

        @functools.wraps(leave)
        def replacement(run: Any, kind: Any, error: Any, trace: Any) -> Any:
            if run.id in self._open:
                self._label_end(run, self.runs.describe_end(failed=kind is not None))
            return leave(run, kind, error, trace)

        return replacement

    def _label_end(self, run: Any, end: RunEnd) -> None:
        with log_tracker_errors(self.package):
            del self._open[run.id]
            run.tags = (*drop_states(run.tags), end.state)
            run.summary.update({f"{PREFIX}/state": end.state, f"{PREFIX}/score": end.score})
            self.runs.mark_closed(self.package, run.id, end.state)

    def close_run(self, record: RunRecord, end: RunEnd) -> None:
        """Finish a run; one of a process that died is continued for it."""
        run = self._open.get(record.run)
        if run is None:
            import wandb

            place = record.place
            labels = self.runs.labels
            run = wandb.init(
                id=record.run,
                resume="allow",
                name=labels.name,
                group=labels.experiment,
                job_type=labels.kind,
                tags=[*labels.tags],
                project=place.get("project"),
                entity=place.get("entity"),
                dir=place.get("dir"),
                mode="offline" if place.get("mode") == "offline" else "online",
                reinit="create_new",
            )
            self._open[run.id] = run
        self._label_end(run, end)
        run.finish(exit_code=1 if end.has_failed else 0)

"""Run one trial: execute the program with its values in force, train it, and say what happened."""

import contextvars
import gc
import math
import os
import shutil
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import pytorch_lightning

from tune.errors import MetricError, PromotuneError, suggest
from tune.paths import VersionPaths
from tune.promotion.execute import Executor
from tune.promotion.rewrite import IN_FORCE
from tune.space.space import Script
from tune.trial.callback import Report
from tune.trial.children import only_forked
from tune.trial.cut import cut_back
from tune.trial.fit import Fit
from tune.trial.isolation import isolated
from tune.trial.litter import files_below, new_files
from tune.trial.mark import Mark, read_mark
from tune.trial.old_lightning import explained
from tune.trial.output import logged_to
from tune.trial.proof import Proof
from tune.trial.record import NEVER_LOGGED, Failure, Record, Stage, read_record
from tune.trial.script import run_script
from tune.trial.system import run_system
from tune.trial.task import Job, Task

PREFLIGHT_FOLDER = ".preflight"
MOST_NAMED = 3  # of the files that a program writes into the working directory
PREFLIGHT: Mapping[str, Any] = {
    "max_epochs": 1,
    "min_epochs": None,
    "max_steps": -1,
    "min_steps": None,
    "limit_train_batches": 2,
    "limit_val_batches": 2,
    "overfit_batches": 0.0,
    "check_val_every_n_epoch": 1,
    "val_check_interval": None,
}
"""A batch or two of training and validation, whatever the space asks of the Trainer."""


class TrialRun:
    """One trial on a worker. Its record on disk says at every moment how far it is."""

    def __init__(self, job: Job, task: Task, executor: Executor) -> None:
        self._job = job
        self._task = task
        self._executor = executor
        self._files = VersionPaths(Path(task.version))
        before = read_record(self._files) if task.attempt > 1 else None
        self.record = Record(
            number=task.number,
            version=self._files.folder.name,
            constants=task.values,
            seed=task.seed,
            stage="running",
            attempt=task.attempt,
            pid=os.getpid(),
            host=socket.gethostname(),
            devices=os.environ.get("CUDA_VISIBLE_DEVICES"),
            started=before.started if before else time.time(),
            ready=before.ready if before else False,
            logged=before.logged if before else [],
        )

    def run(self, report: Report, after_preflight: Callable[[], None]) -> Record:
        """Train the trial and return its record; whatever the program raises is in there, and nothing is raised."""
        self._files.folder.mkdir(parents=True, exist_ok=True)
        with logged_to(self._files.log), isolated(self._folder(), self._job.n_threads):
            contextvars.copy_context().run(self._attempt, report, after_preflight)  # jsonargparse leaves a parser in it
            gc.collect()  # `self.log = partial(self.log, ...)` is a cycle: without this the model would stay
        return self.record

    def _folder(self) -> Path:
        """Return the trial's working directory."""
        if not self._job.own_folder:
            return self._job.folder
        self._files.own.mkdir(exist_ok=True)
        return self._files.own

    def _attempt(self, report: Report, after_preflight: Callable[[], None]) -> None:
        try:
            self._stations(report, after_preflight)
        except (Exception, SystemExit) as error:  # the program may raise anything
            self._fail(error)

    def _stations(self, report: Report, after_preflight: Callable[[], None]) -> None:
        if self._task.preflight:
            self._write(stage="preflight")
            self._preflight()
            gc.collect()
            after_preflight()
        if not self._task.rehearsal:
            self._write(stage="running")
            self._fit(report)

    def _preflight(self) -> None:
        """Run a batch or two of training and validation; raise MetricError when the metric is never logged."""
        scratch = VersionPaths(self._files.folder / PREFLIGHT_FOLDER)
        before = files_below(Path.cwd(), but=self._files.folder.parent)
        try:
            logged = self._train(scratch, PREFLIGHT, None).logged
        finally:
            shutil.rmtree(scratch.folder, ignore_errors=True)
        wrote = new_files(before, files_below(Path.cwd(), but=self._files.folder.parent))
        self._write(logged=sorted(logged), wrote=wrote[:MOST_NAMED])
        if self._job.metric not in logged:
            hint = suggest(self._job.metric, logged, what="logged")
            raise MetricError(None, f"{self._job.metric!r} is never logged", hint)
        self._write(ready=True)

    def _fit(self, report: Report) -> None:
        """Train; in a later attempt on from the last checkpoint, or from the start where there is none."""
        mark = self._go_back() if self._task.attempt > 1 else None
        known = dict(self.record.curve)
        over = mark is not None and mark.last

        def watched(epoch: int, value: float, last: bool) -> bool:
            if over:  # only what the program does after its training was left
                return False
            if epoch not in known:
                self._write(curve=[*self.record.curve, (epoch, value)])
            return epoch > self._task.reported and report(epoch, value, last)

        if mark is not None and self._catch_up(mark, report):
            self._conclude(stopped=True)
            return
        fit = self._train(self._files, {}, watched, mark)
        self._conclude(stopped=fit.stopped)

    def _go_back(self) -> Mark | None:
        """Put the version back to its last checkpoint."""
        mark = read_mark(self._files.last)
        if mark is not None and mark.fit > 1:
            mark = None  # the fits before it would have to be repeated: all is
        cut_back(self._files.folder, mark)
        self._write(curve=[] if mark is None else mark.curve)
        return mark

    def _catch_up(self, mark: Mark, report: Report) -> bool:
        """Report what was kept in the checkpoint and never reached the ledger; tell whether the trial is to stop."""
        missing = [(epoch, value) for epoch, value in mark.curve if epoch > self._task.reported]
        stops = [report(epoch, value, mark.last and epoch == mark.epoch) for epoch, value in missing]
        return any(stops)

    def _train(
        self, files: VersionPaths, overrides: Mapping[str, Any], report: Report | None, mark: Mark | None = None
    ) -> Fit:
        """Execute the program afresh, to its end; return what its Trainers had from us."""
        job, values = self._job, self._task.values
        pytorch_lightning.seed_everything(self._task.seed, workers=True, verbose=False)
        with self._executor.imports(values) as in_force, only_forked(self._executor.snapshot.stored):
            proof = Proof(job.constants, values, in_force, job.program)
            fit = Fit(job, self._task, files, proof, self.record.started, overrides, report, mark)
            finished = False
            try:
                if isinstance(job.shape, Script):
                    run_script(self._executor, in_force, job, values, fit)
                else:
                    run_system(self._executor, job, fit)
                finished = True
            finally:
                self.record = replace(self.record, fit_s=fit.fit_s, taken=dict(in_force.taken), in_force=proof.found)
                fit.end(failed=not finished)
        return fit

    def _conclude(self, *, stopped: bool) -> None:
        if not self.record.curve:
            hint = f"Logged: {', '.join(self.record.logged)}." if self.record.logged else None
            self._give_up(Failure(kind=NEVER_LOGGED, message=f"{self._job.metric!r} was never logged", hint=hint))
            return
        epoch, value = self.record.curve[-1]
        if math.isfinite(value):
            self._write(stage="stopped" if stopped else "complete")
            return
        message = f"{self._job.metric} is {value} in epoch {epoch}"
        self._give_up(Failure(kind="NaN" if math.isnan(value) else "inf", message=message))

    def _give_up(self, failure: Failure) -> None:
        """Write a failure that is no exception."""
        self._files.error.write_text(f"{failure.reason}\n", encoding="utf-8")
        self._write(stage="failed", failure=failure)

    def _fail(self, error: BaseException) -> None:
        traceback.print_exception(error)
        self._files.error.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        failure = explained(failure_of(error, self._job), self._executor.snapshot.stored)
        self._write(stage="failed", failure=failure)

    def _write(self, **changes: Any) -> None:
        """Change the record, on disk too; an end has a time."""
        stage: Stage = changes.get("stage", self.record.stage)
        if stage in ("complete", "stopped", "failed"):
            changes["ended"] = time.time()
        self.record = replace(self.record, **changes)
        self.record.write(self._files)


def failure_of(error: BaseException, job: Job) -> Failure:
    """Return an exception as data, with the user's own last frame."""
    ours = _ours(error)
    if ours is not None:
        message = f"{ours.where}: {ours.what}" if ours.where else ours.what
        return Failure(kind=type(ours).__name__, message=message, hint=ours.hint)
    kind, message = type(error).__name__, str(error)
    frames = [frame for frame in _frames(error.__traceback__) if IN_FORCE in frame[0].tb_frame.f_globals]
    if not frames:
        return Failure(kind=kind, message=message)
    place, line = frames[-1]
    path = Path(place.tb_frame.f_code.co_filename)
    name = job.program.name_of(path) if path.is_relative_to(job.program.root) else str(path)
    code = traceback.extract_tb(place, limit=1)[0].line
    return Failure(kind=kind, message=message, place=f"{name}:{line}", code=code or None)


def _ours(error: BaseException | None) -> PromotuneError | None:
    """Return an error that we raised, also where Lightning raised another while it tore the Trainer down."""
    while error is not None and not isinstance(error, PromotuneError):
        error = error.__cause__ or error.__context__
    return error


def _frames(trace: TracebackType | None) -> Iterator[tuple[TracebackType, int]]:
    while trace is not None:
        yield trace, trace.tb_lineno
        trace = trace.tb_next

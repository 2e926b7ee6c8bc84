"""Run one trial: execute the program with its values in force, train it, and say what happened."""

import contextlib
import contextvars
import gc
import math
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tune.errors import NoRoomError
from tune.paths import VersionPaths
from tune.promotion.execute import Executor
from tune.space.dimensions import Value
from tune.storage.carry import carried
from tune.trial.callback import Report
from tune.trial.closing import close_failed
from tune.trial.cut import cut_back
from tune.trial.execution import Order, Traces, execute, unheard
from tune.trial.failure import RankError, failure_of, trace_of
from tune.trial.fit import Fit
from tune.trial.goback import gone_back
from tune.trial.guard import Guard, exit_is_told
from tune.trial.health import (
    allocated_bytes,
    cap_gpu_memory,
    give_back_gpu_memory,
    gpu_is_sound,
    took_host_memory,
)
from tune.trial.isolation import isolated
from tune.trial.mail import TOGETHER_S
from tune.trial.mark import Mark, read_mark
from tune.trial.old_lightning import explained
from tune.trial.output import logged_to
from tune.trial.preflight import Preflight
from tune.trial.record import HUNG, INFINITE, NAN, NEVER_LOGGED, Failure, Record, Stage, read_record
from tune.trial.room import no_room, room_told
from tune.trial.seat import ALONE
from tune.trial.stopwatch import CHECKING, LOGGING, PROGRAM, TIDYING, WAITING, Lap, NoStopwatch, Stopwatch
from tune.trial.surroundings import changed
from tune.trial.task import Job, Task

if TYPE_CHECKING:
    from tune.trial.distributed import Crew
    from tune.trial.rank import Share


class TrialRun:
    """One trial on a worker. Its record on disk says at every moment how far it is."""

    def __init__(
        self,
        job: Job,
        task: Task,
        executor: Executor,
        stopwatch: Stopwatch | None = None,
        crew: "Crew | None" = None,
    ) -> None:
        """``crew``: the other processes of the trial; None: it is in this one alone."""
        self._job = job
        self._task = task
        self._executor = executor
        self._stopwatch = stopwatch or NoStopwatch()
        self._crew = crew
        self._files = VersionPaths(Path(task.version))
        before = read_record(self._files) if task.attempt > 1 else None
        self.record = Record(
            number=task.number,
            version=self._files.folder.name,
            constants=task.values,
            seed=task.seed,
            stage="running",
            attempt=task.attempt,
            log_start=self._files.log.stat().st_size if self._files.log.exists() else 0,
            pid=os.getpid(),
            host=socket.gethostname(),
            devices=os.environ.get("CUDA_VISIBLE_DEVICES"),
            started=before.started if before else time.time(),
            ready=before.ready if before else False,
            logged=before.logged if before else [],
            mutations=task.mutations,
            laps=before.laps if before else [],
            surroundings=changed(job.surroundings, job.n_threads, on_gpu=job.trainer.get("accelerator") == "gpu"),
        )

        self._written_at = -math.inf  # by the monotonic clock

        self.spoilt = False
        """Whether the worker cannot go on after this trial."""
        self._guard = Guard(self._files, task.attempt, job.hang_after_s, self._hung)

    def _hung(self, what: str) -> None:
        self._give_up(HUNG, f"{what}; its stacks are in {self._files.log.name}")

    def run(self, report: Report, after_preflight: Callable[[], None]) -> Record:
        """Train the trial and return its record; whatever the program raises is in there.

        Raises NoRoomError, and nothing else, where the disk is full: the trial has not failed, and is to go on later.
        """
        try:
            with room_told(self._files.folder), self._stopwatch.on(TIDYING):
                return self._run(report, after_preflight)
        except NoRoomError:
            cut_back(self._files.folder, read_mark(self._files.last))  # an event may be written by half
            raise

    def _run(self, report: Report, after_preflight: Callable[[], None]) -> Record:
        held = allocated_bytes()
        self._files.folder.mkdir(parents=True, exist_ok=True)
        self._write()
        with (
            carried(self._files.folder),
            self._guard,
            exit_is_told(),
            logged_to(self._files.log),
            isolated(self._folder(), self._job.n_threads),
        ):
            cap_gpu_memory(self._job.gpu_share)
            contextvars.copy_context().run(self._attempt, report, after_preflight)  # jsonargparse leaves a parser in it
            gc.collect()  # `self.log = partial(self.log, ...)` is a cycle: without this the model would stay
            give_back_gpu_memory()
        if self.record.stage == "failed":
            close_failed(self._files, self._task.values, self._job.hardcoded, self.record.started)
            self.spoilt = self.spoilt or not gpu_is_sound(held)
        return self.record

    def _folder(self) -> Path:
        """Return the trial's working directory."""
        if not self._job.own_folder:
            return self._job.folder
        self._files.own.mkdir(exist_ok=True)
        return self._files.own

    def _attempt(self, report: Report, after_preflight: Callable[[], None]) -> None:
        full = None
        try:
            self._stations(report, after_preflight)
        except BaseException as error:  # the program may raise anything, KeyboardInterrupt too
            full = no_room(error, self._files.folder)
            if full is None:
                self._fail(error)
        if full is not None:  # raised here, it holds no frame of the program
            raise full

    def _stations(self, report: Report, after_preflight: Callable[[], None]) -> None:
        self._gather()
        if self._task.preflight:
            self._write(stage="preflight")
            with self._stopwatch.on(CHECKING):
                self._preflight()
                gc.collect()
            after_preflight()
        if not self._task.rehearsal:
            if self._task.preflight:
                self._write(stage="running")
            with self._stopwatch.on(PROGRAM):
                self._fit(report)

    def _preflight(self) -> None:
        """Run a batch or two of training and validation; raise what is wrong with the program."""
        preflight = Preflight(self._job, self._task, self._files.folder, self._rehearse)
        seen = preflight.look()
        self._write(logged=seen.logged, wrote=seen.wrote, n_workers=seen.n_workers)
        preflight.check(seen)
        self._write(ready=True)

    def _rehearse(
        self, scratch: VersionPaths, overrides: Mapping[str, Any], values: Mapping[str, Value], measures: bool
    ) -> Fit:
        return self._execute(self._order(scratch, overrides, values=values, measures=measures))

    def _fit(self, report: Report) -> None:
        """Train; in a later attempt on from the last checkpoint, or from the start where there is none."""
        mark = self._gone_back() if self._task.attempt > 1 else None
        known = dict(self.record.curve)
        over = mark is not None and mark.last

        def watched(epoch: int, value: float, last: bool, others: tuple[float, ...]) -> bool:
            if over:  # only what the program does after its training was left
                return False
            if epoch not in known:
                self._learn((epoch, value))
            with self._guard.reporting(last=last), self._stopwatch.on(WAITING):
                return epoch > self._task.reported and report(epoch, value, last, others)

        if mark is not None and self._catch_up(mark, report):
            self._conclude(stopped=True)
            return
        with self._guard.training():
            fit = self._execute(self._order(self._files, {}, reports=True, mark=mark), watched)
        self._conclude(stopped=fit.stopped)

    def _gone_back(self) -> Mark | None:
        mark = gone_back(self._files, self._task, trusts_checkpoints=self._job.trusts_checkpoints)
        self._write(curve=[] if mark is None else mark.curve)
        return mark

    def _catch_up(self, mark: Mark, report: Report) -> bool:
        """Report what was kept in the checkpoint and never reached the ledger; tell whether the trial is to stop."""
        missing = [(epoch, value) for epoch, value in mark.curve if epoch > self._task.reported]
        stops = [
            report(epoch, value, mark.last and epoch == mark.epoch, mark.others.get(epoch, ()))
            for epoch, value in missing
        ]
        return any(stops)

    def _order(self, files: VersionPaths, overrides: Mapping[str, Any], **more: Any) -> Order:
        given = {"values": self._task.values, "reports": False, **more}
        return Order(task=self._task, folder=files.folder, started=self.record.started, overrides=overrides, **given)

    def _execute(self, order: Order, report: Report | None = None) -> Fit:
        alone = contextlib.nullcontext(ALONE)
        along = alone if self._crew is None else self._crew.along(order, self._shared, self._stuck)
        with along as seat:
            return execute(
                self._job,
                self._executor,
                order,
                seat,
                report or unheard,
                self._guard.beat,
                self._leave,
                self._stopwatch if order.reports else None,
            )

    def _leave(self, traces: Traces) -> None:
        self.record = replace(self.record, fit_s=traces.fit_s, taken=traces.taken, in_force=traces.in_force)

    def _gather(self) -> None:
        """Wait for the trial's other processes to be there: that is no hang."""
        if self._crew is not None:
            self._write(ranks=[{"rank": rank, "pid": pid} for rank, pid in enumerate(self._crew.gather(), start=1)])

    def _shared(self, shares: "Sequence[Share]") -> None:
        proofs = ("rank", "pid", "taken", "in_force")
        self.record = replace(self.record, ranks=[{name: getattr(each, name) for name in proofs} for each in shares])

    def _stuck(self, error: RankError) -> None:
        self._fail(error)

    def _conclude(self, *, stopped: bool) -> None:
        if not self.record.curve:
            hint = f"Logged: {', '.join(self.record.logged)}." if self.record.logged else None
            self._give_up(NEVER_LOGGED, f"{self._job.metric!r} was never logged", hint)
            return
        epoch, value = self.record.curve[-1]
        if math.isfinite(value):
            self._write(stage="stopped" if stopped else "complete")
            return
        self._give_up(NAN if math.isnan(value) else INFINITE, f"{self._job.metric} is {value} in epoch {epoch}")

    def _give_up(self, kind: str, message: str, hint: str | None = None) -> None:
        """Write a failure that is no exception."""
        failure = Failure(kind=kind, ours=True, message=message, hint=hint)
        self._files.error.write_text(f"{failure.reason}\n", encoding="utf-8")
        self._write(stage="failed", failure=failure)

    def _fail(self, error: BaseException) -> None:
        trace = trace_of(error)
        with contextlib.suppress(OSError, ValueError):  # the program may have closed the stream
            sys.stderr.write(trace)
        self._files.error.write_text(trace, encoding="utf-8", errors="backslashreplace")
        failure = explained(failure_of(error, self._job), self._executor.snapshot.stored)
        self.spoilt = took_host_memory(error)
        self._write(stage="failed", failure=failure)

    def _write(self, **changes: Any) -> None:
        """Change the record, on disk too; an end has a time."""
        stage: Stage = changes.get("stage", self.record.stage)
        if stage in ("complete", "stopped", "failed"):
            changes["ended"] = time.time()
            changes["laps"] = self._laps()
        self.record = replace(self.record, **changes)
        with room_told(self._files.folder, ours=True), self._stopwatch.on(LOGGING):
            self.record.write(self._files)
        self._written_at = time.monotonic()

    def _learn(self, epoch: tuple[int, float]) -> None:
        """Write an epoch down, in short trials with those that follow: its checkpoint holds it already."""
        curve = [*self.record.curve, epoch]
        if time.monotonic() - self._written_at >= TOGETHER_S:
            self._write(curve=curve)
        else:
            self.record = replace(self.record, curve=curve)

    def _laps(self) -> list[Lap]:
        lap = self._stopwatch.lap()
        return self.record.laps if lap is None else [*self.record.laps, lap]

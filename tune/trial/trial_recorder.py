"""The record of one trial, in memory and on disk: how far it is, and what became of it."""

import math
import os
import socket
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from tune.experiment.counted_fits import CountedFits
from tune.experiment.environment import find_environment_changes, visible_gpus
from tune.experiment.records import INFINITE, LOGGING, NAN, NEVER_LOGGED, Failure, Stage, TrialRecord, read_record
from tune.experiment.trial_result import score_of_fit
from tune.paths import VersionPaths
from tune.promotion.program import Program
from tune.trial.describe_exception import ChildFailure, create_failure, format_traceback, print_uncaught
from tune.trial.disk_space import translate_disk_full
from tune.trial.gpu.usage_meter import GpuUsageMeter
from tune.trial.lightning.held_out import HeldOutValues
from tune.trial.lightning.legacy_api import add_upgrade_hint
from tune.trial.lightning.profiler import Stopwatch
from tune.trial.lightning.report_callback import ReportCallback
from tune.trial.messages import Job, TrialTask
from tune.trial.process.channel import TOGETHER_S


class TrialRecorder:
    """Writes the record of one attempt. A process that the program forked is not the trial, and ends where it would."""

    def __init__(
        self,
        job: Job,
        task: TrialTask,
        files: VersionPaths,
        stopwatch: Stopwatch,
        worker: str,
        counted: CountedFits | None,
    ) -> None:
        self._job = job
        self._files = files
        self._stopwatch = stopwatch
        self._written_at = -math.inf  # by the monotonic clock
        self.owner = os.getpid()
        """The process that may write it."""
        self.usage: GpuUsageMeter | None = None
        """Of the GPU, while the trial trains and afterwards; None: before, and on the CPU."""
        before = read_record(files) if task.attempt > 1 else None
        self.record = TrialRecord(
            number=task.number,
            version=files.folder.name,
            constants=task.values,
            seed=task.seed,
            stage="running",
            attempt=task.attempt,
            log_start=files.log.stat().st_size if files.log.exists() else 0,
            pid=os.getpid(),
            host=socket.gethostname(),
            worker=worker,
            devices=os.environ.get("CUDA_VISIBLE_DEVICES"),
            gpu_share=job.gpu_share,
            outgrown_shares=list(task.outgrown),
            started=before.started if before else time.time(),
            ready=before.ready if before else False,
            logged=before.logged if before else [],
            wrote=before.wrote if before else [],
            n_workers=before.n_workers if before else 0,
            gpu_memory=before.gpu_memory if before else {},
            mutations=task.mutations,
            laps=before.laps if before else [],
            counted=counted.as_json() if counted else before.counted if before else {},
            surroundings=find_environment_changes(
                job.surroundings, job.n_threads, gpus=visible_gpus() if job.gpu_share else ""
            ),
        )

    def change_record(self, **changes: Any) -> None:
        """Change it in memory alone."""
        self.record = replace(self.record, **changes)

    def write_record(self, **changes: Any) -> None:
        """Change it, on disk too; an end has a time."""
        self.check_owner()
        stage: Stage = changes.get("stage", self.record.stage)
        if stage in ("complete", "stopped", "failed"):
            changes["ended"] = time.time()
            lap = self._stopwatch.finish_lap()
            changes["laps"] = self.record.laps if lap is None else [*self.record.laps, lap]
            changes["gpu"] = None if self.usage is None else asdict(self.usage.read_usage())
        self.change_record(**changes)
        with translate_disk_full(self._files.folder, ours=True), self._stopwatch.time_part(LOGGING):
            self.record.write_record(self._files)
        self._written_at = time.monotonic()

    def add_epoch(self, epoch: int, value: float, others: Sequence[float] = ()) -> None:
        """Write an epoch down, in short trials with those that follow: its checkpoint holds it already."""
        known = self.record.others
        change: dict[str, Any] = {
            "curve": [*self.record.curve, (epoch, value)],
            "others": [*known, (epoch, list(others))] if others else known,
        }
        if time.monotonic() - self._written_at >= TOGETHER_S:
            self.write_record(**change)
        else:
            self.change_record(**change)

    def record_fits(self, reports: ReportCallback) -> None:
        """Keep what each fit was worth, where there are several, in memory alone."""
        counted = self.record.counted_fits
        scores = {number: score_of_fit(curve, self._job.objective.mode) for number, curve in reports.fits.items()}
        fits = [
            {"number": number, "curve": list(curve.items()), "score": scores[number]}
            for number, curve in reports.fits.items()
        ]
        values = [] if counted is None else [scores.get(number) for number in counted.numbers]
        finite = [value for value in values if value is not None]
        error = statistics.stdev(finite) / math.sqrt(len(finite)) if len(finite) > 1 else None
        warnings = []
        if len(self.record.curve) > reports.n_measurable and self.record.n_fits is None:
            warnings = [f"{len(self.record.curve)} values were reported in {reports.n_measurable} epochs"]
        if len(fits) > 1 or warnings:
            self.change_record(fits=fits, standard_error=error, warnings=warnings)

    def record_held_out(self, found: HeldOutValues, parts: list[dict[str, Any]]) -> None:
        """Keep what the data were worth that the search never saw, in memory alone; ``parts``: as they were split."""
        self.change_record(
            test=found.test,
            holdout=found.holdout,
            held_out_parts=found.parts,
            holdout_of=parts,
            warnings=[*self.record.warnings, *found.warnings],
        )

    def write_final_stage(self, *, stopped: bool) -> None:
        """Write how a program ended that raised nothing."""
        if not self.record.curve:
            hint = f"Logged: {', '.join(self.record.logged)}." if self.record.logged else None
            self._write_failure(NEVER_LOGGED, f"{self._job.objective.metric!r} was never logged", hint)
            return
        epoch, value = self.record.curve[-1]
        if math.isfinite(value):
            self.write_record(stage="stopped" if stopped else "complete")
            return
        self._write_failure(
            NAN if math.isnan(value) else INFINITE, f"{self._job.objective.metric} is {value} in epoch {epoch}"
        )

    def _write_failure(self, kind: str, message: str, hint: str | None = None) -> None:
        """Write a failure that is no exception."""
        failure = Failure(kind=kind, ours=True, message=message, hint=hint)
        self._files.error.write_text(f"{failure.reason}\n", encoding="utf-8", errors="backslashreplace")
        self.write_record(stage="failed", failure=failure)

    def write_exception(self, error: BaseException, program: Program) -> None:
        """Write what the program raised; ``program``: as the trial runs it."""
        trace = format_traceback(error)
        if not isinstance(error, ChildFailure):  # it has been printed where it was raised
            print_uncaught(error)
        self._files.error.write_text(trace, encoding="utf-8", errors="backslashreplace")
        failure = add_upgrade_hint(create_failure(error, self._job), program)
        self.write_record(stage="failed", failure=failure)

    def check_owner(self) -> None:
        """End a process that the program forked, and that came here by the program's code: it is not the trial."""
        if os.getpid() != self.owner:
            os._exit(1)

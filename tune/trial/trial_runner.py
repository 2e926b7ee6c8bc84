"""Run one trial: execute the program with its values in force, train it, and say what happened."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tune.errors import MetricError, NoRoomError
from tune.experiment.counted_fits import CountedFits
from tune.experiment.records import CHECKING, HUNG, PROGRAM, TIDYING, WAITING, WORKER_DIED, Failure, TrialRecord
from tune.paths import VersionPaths
from tune.promotion.execute import Executor
from tune.storage.upload import upload_while_running
from tune.trial.checkpoints.checkpoint_loading import roll_back_to_checkpoint
from tune.trial.checkpoints.checkpoint_state import CheckpointState, read_checkpoint_state
from tune.trial.checkpoints.event_files import finalize_version, truncate_event_files
from tune.trial.describe_exception import ChildFailure, create_failure, format_traceback, print_uncaught
from tune.trial.disk_space import find_disk_full_error, translate_disk_full, walk_exception_chain
from tune.trial.distributed.process_group import ALONE
from tune.trial.distributed.ranks import RankGroup, RankResult
from tune.trial.gpu.gpu_devices import cap_gpu_memory
from tune.trial.gpu.gpu_reader import GpuReader
from tune.trial.gpu.usage_meter import GpuUsageMeter
from tune.trial.inputs.command_line import OptionReads
from tune.trial.lightning.profiler import NoStopwatch, Stopwatch
from tune.trial.lightning.report_callback import Report
from tune.trial.messages import EpochReport, Job, ProgramRun, TrialTask
from tune.trial.preflight import DryRunResult, Preflight, PreflightReport
from tune.trial.process.channel import SAID, Channel
from tune.trial.process.child_heartbeat import ChildHeartbeat
from tune.trial.process.child_processes import ForkedChild, kill_leftover_children
from tune.trial.process.linux import CAN_FORK
from tune.trial.process.program_imports import find_new_imports
from tune.trial.program_run import ProgramTraces, execute_program, ignore_report
from tune.trial.trackers.run_labels import RunEnd, label_runs
from tune.trial.trackers.tracked_trial import TrackedTrial, describe_end
from tune.trial.trainer_setup import TrainerSetup
from tune.trial.trial_recorder import TrialRecorder

SHORTENED = (
    "the program failed in the pre-flight, perhaps because it trains a batch or two alone: it runs whole, to find out"
)
ALLOW_MORE = "If it only takes long, allow more: `--hang-after 1h`."
Packages = Mapping[str, str | None]
"""Modules of installed packages with their files."""
AfterPreflight = Callable[[Packages, Mapping[str, Any]], None]
"""Takes the modules that the program imported, and the fits that the score comes from, as JSON has them."""


class TrialRunner:
    """One trial, in its process. Its record on disk says at every moment how far it is."""

    def __init__(
        self,
        job: Job,
        task: TrialTask,
        executor: Executor,
        link: Channel,
        stopwatch: Stopwatch | None = None,
        worker: str = "",
        counted: CountedFits | None = None,
        gpu_samples: Path | None = None,
    ) -> None:
        """``link``: to the actor.

        ``worker``: ``host:pid`` of the actor. ``counted``: the fits that the score comes from, as a pre-flight found.

        ``gpu_samples``: the file of the node's GPU sampler.
        """
        self._job = job if task.gpu_share is None else replace(job, gpu_share=task.gpu_share)
        self._task = task
        self._executor = executor
        self.stopwatch = stopwatch or NoStopwatch()
        self._link = link
        self._files = VersionPaths(Path(task.version))
        self._recorder = TrialRecorder(self._job, task, self._files, self.stopwatch, worker, counted)
        self._gpu_samples = gpu_samples
        self._stage_ended = False  # in the last execution of the program
        self._reads = OptionReads()
        self._read_instead: Mapping[str, tuple[str, ...]] = {}
        self._child_beats = ChildHeartbeat()  # of the children of the pre-flight
        self._runs = TrackedTrial(label_runs(self._files, task.number, task.values), self._files, self._describe_end)
        self._is_stopped = False

    @property
    def record(self) -> TrialRecord:
        """How far the trial is."""
        return self._recorder.record

    def _describe_end(self) -> RunEnd:
        """Return how the trial stands, for its runs in trackers."""
        return describe_end(self.record, self._job.objective.mode, stopped=self._is_stopped)

    def run_trial(self, report: Report, after_preflight: AfterPreflight) -> TrialRecord:
        """Train the trial and return its record; whatever the program raises is in there.

        ``after_preflight`` is given what the pre-flight found. Raises NoRoomError, and nothing else, where
        the disk is full: the trial has not failed, and is to go on later.
        """
        folder = self._files.folder
        try:
            with translate_disk_full(folder), self.stopwatch.time_part(TIDYING):
                folder.mkdir(parents=True, exist_ok=True)
                self._files.error.unlink(missing_ok=True)  # of an attempt that its GPU failed, or its share of one
                self._recorder.write_record()
                with upload_while_running(folder):
                    try:
                        self._run_stages(report, after_preflight)
                    except BaseException as error:  # the program may raise anything, KeyboardInterrupt too
                        self._handle_exception(error)
                    self._runs.close_runs(self._describe_end())
                if self.record.stage == "failed":
                    finalize_version(self._files, self._task.values, self._job.hardcoded, self.record.started)
                return self.record
        except NoRoomError:
            truncate_event_files(folder, read_checkpoint_state(self._files.last_checkpoint))  # one may be half written
            raise

    def _handle_exception(self, error: BaseException) -> None:
        """Write down what the program raised; raise NoRoomError where that is a full disk."""
        self._recorder.check_owner()
        if (full := find_disk_full_error(error, self._files.folder)) is not None:
            raise full from error
        if any(type(each).__name__ == "SIGTERMException" for each in walk_exception_chain(error)):
            self._link.exit_with_reason("killed by SIGTERM")  # Lightning made an exception of it
        self._write_exception(error)

    def _write_exception(self, error: BaseException) -> None:
        self._recorder.write_exception(error, self._executor.snapshot.stored_program)

    def _run_stages(self, report: Report, after_preflight: AfterPreflight) -> None:
        if self._task.preflight:
            self._recorder.write_record(stage="preflight")
            self._begin_usage()
            with self.stopwatch.time_part(CHECKING):
                packages = self._run_preflight()
            after_preflight(packages, self.record.counted)
        if not self._task.rehearsal:
            if self._task.preflight:
                self._recorder.write_record(stage="running")
            with self.stopwatch.time_part(PROGRAM):
                self._train_program(report)

    def _run_preflight(self) -> Packages:
        """Run a batch or two of training and validation; raise what is wrong with the program."""
        preflight = Preflight(self._job, self._create_program_run(notes_reads=True), self._dry_run)
        try:
            seen, counted = self._check_program(preflight, shortens=True)
        except NoRoomError:
            raise
        except Exception as error:
            is_all = self._task.rehearsal and not self._task.weighs
            if is_all or not self._may_be_of_shortening(error):
                raise
            sys.stderr.write(f"{SHORTENED}: {create_failure(error, self._job).reason}\n")
            seen, counted = self._check_program(preflight, shortens=False)
        self._recorder.write_record(ready=True, counted=counted.as_json())
        if self._task.weighs:
            self._recorder.write_record(gpu_memory=preflight.measure_share().as_json())
        return seen.done.packages

    def _check_program(self, preflight: Preflight, *, shortens: bool) -> tuple[PreflightReport, CountedFits]:
        seen = preflight.run_baseline(shortens=shortens)
        self._recorder.write_record(
            logged=seen.logged_names, logged_in=seen.logged_in, wrote=seen.wrote, n_workers=seen.done.n_workers
        )
        return seen, preflight.check_baseline(seen)

    def _may_be_of_shortening(self, error: Exception) -> bool:
        """Return whether a program may fail only because the pre-flight trains a batch or two of it.

        A metric whose name stands nowhere in the program is not logged by a longer training either.
        """
        failure = create_failure(error, self._job)
        if not failure.ours:
            return self._stage_ended
        name = self._job.objective.metric.encode()
        return failure.is_a(MetricError.__name__) and any(
            name in each.raw for each in self._job.program.sources.values()
        )

    def _dry_run(self, order: ProgramRun) -> DryRunResult:
        def rehearse() -> DryRunResult:
            modules, variables = set(sys.modules), dict(os.environ)
            gpu = GpuReader() if order.weighs else None
            fit = self._execute_program(order)
            changes = {name: text for name, text in os.environ.items() if variables.get(name) != text}
            packages = find_new_imports(modules, self._job.program, changes)
            return DryRunResult(
                fits=fit.log.fit_summaries,
                n_workers=fit.n_workers,
                measure=fit.model_signature,
                packages=packages,
                reads=self._reads,
                read_instead=self._read_instead,
                state={} if fit.state_reader is None else fit.state_reader.state,
                gpu=None if gpu is None else gpu.read_all(fit.utilization),
            )

        if CAN_FORK:
            return self._run_in_child(rehearse, may_die=order.weighs)
        with self._link.announce_training():
            return rehearse()

    def _run_in_child(self, function: Callable[[], DryRunResult], *, may_die: bool) -> DryRunResult:
        """Return what a function returns in a forked child; raise what it raises there, as data.

        Its death is the trial's, unless it ``may_die``.
        """

        def answer() -> tuple[str, Any, TrialRecord, bool]:
            self._recorder.owner = os.getpid()
            how, content = self._capture_result(function)
            return how, content, self.record, self._stage_ended

        child = ForkedChild(answer)
        if (hang := self._child_beats.wait_for(child, self._job.hang_after_s)) is not None:
            message = f"{hang}; its stacks are in {self._files.log.name}"
            raise ChildFailure(Failure(kind=HUNG, ours=True, message=message, hint=ALLOW_MORE), f"{message}\n")
        kill_leftover_children()
        if child.how_it_died is not None:
            if may_die:
                raise ChildFailure(Failure(kind=WORKER_DIED, ours=True, message=child.how_it_died), "")
            self._link.exit_with_reason(child.how_it_died)
        how, content, record, self._stage_ended = child.result
        self._recorder.change_record(taken=record.taken, in_force=record.in_force, ranks=record.ranks)
        match how:
            case "full":
                raise NoRoomError(*content)
            case "failed":
                raise ChildFailure(*content)
            case _:
                return content  # type: ignore[no-any-return]

    def _select_heartbeat(self, order: ProgramRun) -> Callable[[], None]:
        """Return what tells that a batch of an execution ended."""
        return self._link.send_batch_end if order.reports or not CAN_FORK else self._child_beats.count_batch

    def _capture_result(self, function: Callable[[], DryRunResult]) -> tuple[str, Any]:
        try:
            return "returned", function()
        except BaseException as error:  # the program may raise anything
            if (full := find_disk_full_error(error, self._files.folder)) is not None:
                return "full", full.args
            print_uncaught(error)
            return "failed", (create_failure(error, self._job), format_traceback(error))

    def _train_program(self, report: Report) -> None:
        """Train; in a later attempt on from the last checkpoint, or from the start where there is none."""
        mark = self._roll_back_to_checkpoint() if self._task.attempt > 1 else None
        known = dict(self.record.curve)
        over = mark is not None and mark.last

        def record_and_report(epoch: EpochReport) -> bool:
            if over:  # only what the program does after its training was left
                return False
            if epoch.epoch not in known:
                self._recorder.add_epoch(epoch.epoch, epoch.value, epoch.others)
            self._link.send_epoch_end(last=epoch.last)
            with self.stopwatch.time_part(WAITING):
                self._is_stopped = epoch.epoch > self._task.reported and report(epoch)
            return self._is_stopped

        if mark is not None and self._report_missing_epochs(mark, report):
            self._recorder.write_final_stage(stopped=True)
            return
        self._begin_usage()
        order = self._create_program_run(reports=True, mark=mark)
        with self._link.announce_training():
            fit = self._execute_program(order, record_and_report)
        if fit.reports is not None:
            self._recorder.record_fits(fit.reports)
        self._recorder.record_held_out(fit.held_out_values, fit.split.parts)
        self._recorder.write_final_stage(stopped=fit.is_stopped)

    def _begin_usage(self) -> None:
        """Begin to count what is used of the GPU, if there is one, in the pre-flight or in the training."""
        if self._job.gpu_share:
            self._recorder.usage = GpuUsageMeter(self.record.devices, self._gpu_samples, self._job.n_ranks)

    def _roll_back_to_checkpoint(self) -> CheckpointState | None:
        mark = roll_back_to_checkpoint(self._files, self._task, trusts_checkpoints=self._job.trusts_checkpoints)
        others = {} if mark is None else mark.others
        self._recorder.write_record(
            curve=[] if mark is None else mark.curve, others=[(epoch, list(each)) for epoch, each in others.items()]
        )
        return mark

    def _report_missing_epochs(self, mark: CheckpointState, report: Report) -> bool:
        """Report what was kept in the checkpoint and never reached the ledger; tell whether the trial is to stop."""
        missing = [(epoch, value) for epoch, value in mark.curve if epoch > self._task.reported]
        stops = [
            report(EpochReport(epoch, value, mark.last and epoch == mark.epoch, mark.others.get(epoch, ())))
            for epoch, value in missing
        ]
        return any(stops)

    def _create_program_run(self, **more: Any) -> ProgramRun:
        options = {} if self._task.hardcoded else self._task.values
        given = {
            "values": self._task.values,
            "options": options,
            "reports": False,
            "counted": self.record.counted_fits,
            **more,
        }
        return ProgramRun(task=self._task, folder=self._files.folder, started=self.record.started, **given)

    def _execute_program(self, order: ProgramRun, report: Report | None = None) -> TrainerSetup:
        """Execute the program, in this process and in those of the other ranks; none is forked from here on."""
        if self._job.own_folder and order.mark is None:
            _empty_folder(self._files.working_folder)  # of what the pre-flight, or an earlier attempt, wrote
        with contextlib.ExitStack() as others:
            distributed, usage = ALONE, self._recorder.usage if order.reports else None
            if self._job.n_ranks > 1:
                group = RankGroup(self._job, self._executor, order, self._exit_with_reason, usage)
                self._recorder.write_record(ranks=[{"rank": rank, "pid": pid} for rank, pid in group.pids.items()])
                distributed = others.enter_context(group.run_with_ranks(self._keep_rank_results, self._write_exception))
            cap_gpu_memory(self._job.gpu_share, self._job.context_bytes)  # it initialises CUDA, so behind all forks
            return execute_program(
                self._job,
                self._executor,
                order,
                distributed,
                report or ignore_report,
                self._select_heartbeat(order),
                self._keep_traces,
                self.stopwatch if order.reports else None,
                usage,
                self._runs,
            )

    def _exit_with_reason(self, how: str) -> None:
        """End this process for another one of the trial's that died."""
        if os.getpid() == self.record.pid:
            self._link.exit_with_reason(how)  # else it is a child of the pre-flight, and its parent says how it ended
        sys.stderr.write(f"{how}\n")
        os._exit(SAID)

    def _keep_traces(self, traces: ProgramTraces) -> None:
        self._reads = traces.reads
        self._read_instead = traces.read_instead
        self._recorder.change_record(
            fit_s=traces.fit_s,
            validated_on=traces.validated_on,
            weights=traces.weights,
            taken=traces.taken,
            in_force=traces.in_force,
        )
        self._stage_ended = traces.stage_ended

    def _keep_rank_results(self, shares: Sequence[RankResult]) -> None:
        proofs = ("rank", "pid", "taken", "in_force")
        self._recorder.change_record(ranks=[{name: getattr(each, name) for name in proofs} for each in shares])


def _empty_folder(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()

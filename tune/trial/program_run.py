"""One execution of the program: in the pre-flight, to be measured, or for the score; the same in each process."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytorch_lightning

from tune.experiment.counted_fits import CountedFits
from tune.internals.lightning_internals import quicker, reduced_over_ranks, shuffled_as_said
from tune.paths import VersionPaths
from tune.promotion.execute import Executor
from tune.space.dimensions import Value
from tune.space.space import Script
from tune.trial.checkpoints.checkpoint_state import CheckpointState
from tune.trial.checkpoints.program_checkpoints import checkpoints_redirected
from tune.trial.distributed.process_group import DistributedContext
from tune.trial.fits import logging_noted
from tune.trial.inputs.command_line import CommandLine, OptionReads
from tune.trial.inputs.config_files import SnapshotConfigs
from tune.trial.lightning.packages import each_lightning
from tune.trial.lightning.pbt import ModelSignature
from tune.trial.lightning.profiler import Stopwatch
from tune.trial.lightning.report_callback import Report
from tune.trial.lightning.value_check import PromotedValueCheck
from tune.trial.messages import Job, TrialTask
from tune.trial.process.child_processes import only_forked
from tune.trial.process.gpu_devices import given_devices_kept
from tune.trial.process.seeding import reseeded
from tune.trial.reporting import EpochReport
from tune.trial.script import run_script
from tune.trial.system import run_system
from tune.trial.trainer_setup import TrainerSetup


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRun:
    """What is to be executed; it goes to every process of the trial."""

    task: TrialTask
    values: Mapping[str, Value]
    """The promoted constants; where the program is measured, not the task's."""
    options: Mapping[str, Value]
    """Those of them that stand on the command line."""
    folder: Path
    """Where it logs: the version, or a folder of the pre-flight's."""
    started: float
    """When the trial did, in seconds since the epoch."""
    reports: bool
    """Whether its epochs count."""
    mark: CheckpointState | None = None
    """The checkpoint from which it goes on; None: from the start."""
    counted: CountedFits | None = None
    """The fits that the score comes from; None: nobody knows yet."""
    shortens: bool = False
    """Whether a batch or two of each Trainer's are all."""
    measures: bool = False
    """Whether it ends when training begins: what it builds is wanted."""
    notes_reads: bool = False
    """Whether it is noted which words of the command line the program reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTraces:
    """What one execution leaves, however it ends."""

    fit_s: float | None
    """Seconds in ``Trainer.fit``; None when there was none."""
    taken: dict[str, int]
    """How often each promoted expression was executed."""
    in_force: dict[str, Any]
    """The proof, by constant; of options what the program's parser returned."""
    reads: OptionReads
    """What was read of the command line; nothing where that was not noted."""
    stage_ended: bool
    """Whether an epoch or an evaluation had ended: a limit of their batches may have had an effect."""


def execute(
    job: Job,
    executor: Executor,
    order: ProgramRun,
    seat: DistributedContext,
    report: Report,
    beat: Callable[[], None],
    leave: Callable[[ProgramTraces], None],
    stopwatch: Stopwatch | None = None,
) -> TrainerSetup:
    """Execute the program afresh, to its end; return what its Trainers had from us. ``leave`` hears of any end."""
    task, values = order.task, order.values
    pytorch_lightning.seed_everything(task.seed, workers=True, verbose=False)
    own_seeds = reseeded(task.seed) if task.reseed else contextlib.nullcontext()
    snapshot = executor.snapshot.stored_program
    with (
        own_seeds,
        executor.promoted_imports(values) as in_force,
        only_forked(snapshot),
        contextlib.ExitStack() as patches,
    ):
        configs = SnapshotConfigs(executor.snapshot, job.options, order.options, order.folder)
        patches.enter_context(configs.in_place())
        patches.enter_context(given_devices_kept())
        proof = PromotedValueCheck(job.constants, values, in_force, job.program)
        fit = TrainerSetup(
            job,
            task,
            VersionPaths(order.folder),
            proof,
            order.started,
            report if order.reports else None,
            order.mark,
            beat,
            order.counted,
            shortens=order.shortens,
            measures=order.measures,
            stopwatch=stopwatch,
            seat=seat,
        )
        patches.enter_context(_patched(seat, fit))
        command_line = CommandLine(job, order.options, order.folder, notes_reads=order.notes_reads)
        finished = False
        try:
            if isinstance(job.shape, Script):
                run_script(executor, in_force, job, command_line, fit)
            else:
                run_system(executor, job, command_line, fit)
            fit.finish()
            finished = True
        except ModelSignature:
            finished = True
        finally:
            leave(
                ProgramTraces(
                    fit_s=fit.fit_s,
                    taken=dict(in_force.taken),
                    in_force={**proof.found, **command_line.found, **configs.found},
                    reads=replace(command_line.reads, unopened=configs.unopened),
                    stage_ended=fit.stage_ended,
                )
            )
            fit.end(failed=not finished)
    return fit


def unheard(epoch: EpochReport) -> bool:
    """Report nothing, and stop nothing."""
    return False


@contextlib.contextmanager
def _patched(seat: DistributedContext, fit: TrainerSetup) -> Iterator[None]:
    """Note what is logged, keep the program's checkpoints apart, and let Lightning lose no time.

    Several processes do what one would: they share the data, and log what it is in all.
    """

    @contextlib.contextmanager
    def patched(package: ModuleType) -> Iterator[None]:
        with contextlib.ExitStack() as patches:
            patches.enter_context(quicker(package))
            patches.enter_context(logging_noted(package, fit.log))
            patches.enter_context(checkpoints_redirected(package, fit.program_checkpoints))
            if seat.n_ranks > 1:
                patches.enter_context(reduced_over_ranks(package))
                patches.enter_context(shuffled_as_said(package))
            yield

    with each_lightning(patched):
        yield

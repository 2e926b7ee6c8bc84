"""One execution of the program: in the pre-flight, to be measured, or for the score; the same in each process."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytorch_lightning

from tune.internals.lightning_internals import keep_sample_order, skip_redundant_work, sync_epoch_logs
from tune.internals.private_apis import OF_TRIALS, log_missing_apis
from tune.paths import VersionPaths
from tune.promotion.execute import Executor
from tune.promotion.promoted_values import PromotedValues
from tune.space.space import Script
from tune.trial.checkpoints.program_checkpoints import redirect_checkpoints
from tune.trial.distributed.process_group import DistributedContext
from tune.trial.fits import record_logged_names
from tune.trial.gpu.gpu_devices import keep_given_devices
from tune.trial.gpu.usage_meter import GpuUsageMeter
from tune.trial.inputs.command_line import CommandLine, OptionReads
from tune.trial.inputs.config_files import SnapshotConfigs
from tune.trial.lightning.model_signature import StopBeforeTraining
from tune.trial.lightning.packages import patch_lightning_packages
from tune.trial.lightning.profiler import Stopwatch
from tune.trial.lightning.report_callback import Report
from tune.trial.lightning.value_check import PromotedValueCheck
from tune.trial.messages import EpochReport, Job, ProgramRun
from tune.trial.process.child_processes import forbid_exec, forbid_spawned_children
from tune.trial.process.random_generators import derive_seed, override_seeds
from tune.trial.run_script import run_script
from tune.trial.run_system import run_system
from tune.trial.trackers.tracked_trial import TrackedTrial, create_ignored_runs
from tune.trial.trainer_setup import TrainerSetup


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTraces:
    """What one execution leaves, however it ends."""

    fit_s: float | None
    """Seconds in ``Trainer.fit``; None when there was none."""
    validated_on: list[str]
    """By fit the digest of the samples that it was validated on, as ``TrialRecord`` has it."""
    weights: str
    """A digest of the weights that the last fit ended with, likewise."""
    taken: dict[str, int]
    """How often each promoted expression was executed."""
    read_instead: Mapping[str, tuple[str, ...]]
    """What was read in the place of the values of attributes, as ``PromotedValueCheck`` has it."""
    in_force: dict[str, Any]
    """The proof, by constant; of options what the program's parser returned."""
    reads: OptionReads
    """What was read of the command line; nothing where that was not noted."""
    stage_ended: bool
    """Whether an epoch or an evaluation had ended: a limit of their batches may have had an effect."""


def execute_program(
    job: Job,
    executor: Executor,
    order: ProgramRun,
    distributed: DistributedContext,
    report: Report,
    beat: Callable[[], None],
    leave: Callable[[ProgramTraces], None],
    stopwatch: Stopwatch | None = None,
    usage: GpuUsageMeter | None = None,
    runs: TrackedTrial | None = None,
) -> TrainerSetup:
    """Execute the program afresh, to its end; return what its Trainers had from us. ``leave`` hears of any end.

    ``usage``: what each epoch used of the GPU is logged. ``runs``: what the program logs to trackers; None: nothing
    that it logs there counts.
    """
    task, values = order.task, order.values
    pytorch_lightning.seed_everything(task.seed, workers=True, verbose=False)
    own_seeds = override_seeds(task.seed) if task.reseed else contextlib.nullcontext()
    snapshot = executor.snapshot.stored_program
    with (
        own_seeds,
        executor.promoted_imports(values) as in_force,
        forbid_spawned_children(snapshot),
        forbid_exec(snapshot),
        contextlib.ExitStack() as patches,
    ):
        configs = SnapshotConfigs(executor.snapshot, job.options, order.options, order.folder)
        patches.enter_context(configs.install_patches())
        patches.enter_context(keep_given_devices())
        patches.enter_context(_patch_trackers(order, runs))
        proof = PromotedValueCheck(job.constants, values, in_force, job.program, checks_options=not order.reports)
        fit = TrainerSetup(job, order, proof, report, beat, stopwatch=stopwatch, usage=usage, distributed=distributed)
        patches.enter_context(_patch_lightning(distributed, fit))
        patches.callback(fit.split.restore_hooks)
        command_line = CommandLine(job, order.options, order.folder, notes_reads=order.notes_reads)
        finished = False
        try:
            _execute_once(executor, in_force, job, command_line, fit)
            for number in range(1, 1 if task.reseed else job.seeds_per_trial):
                if fit.is_stopped:
                    break
                with _enter_folder_of_seed(number, order, job):
                    _execute_with_seed(derive_seed(task.seed, number), executor, in_force, job, command_line, fit)
            fit.finish_execution()
            finished = True
        except StopBeforeTraining:
            finished = True
        finally:
            leave(
                ProgramTraces(
                    fit_s=fit.fit_s,
                    validated_on=fit.validated_on,
                    weights=fit.weights,
                    taken=dict(in_force.taken),
                    read_instead=proof.read_instead,
                    in_force={**proof.found, **command_line.found, **configs.found_values},
                    reads=replace(command_line.observed_reads, unopened=configs.unopened_options),
                    stage_ended=fit.stage_ended,
                )
            )
            fit.close_logger(failed=not finished)
    return fit


@contextlib.contextmanager
def _patch_trackers(order: ProgramRun, runs: TrackedTrial | None) -> Iterator[None]:
    """Name the runs that the program begins; those of a pre-flight, and of all ranks but the first, leave nothing."""
    with contextlib.ExitStack() as patches:
        scratch = None
        if runs is None or not order.reports:
            scratch = Path(patches.enter_context(tempfile.TemporaryDirectory(prefix="trackers-")))
            runs = create_ignored_runs(VersionPaths(order.folder))
        patches.enter_context(runs.install_patches(scratch))
        yield


def _execute_once(
    executor: Executor, in_force: PromotedValues, job: Job, command_line: CommandLine, fit: TrainerSetup
) -> None:
    if isinstance(job.shape, Script):
        run_script(executor, in_force, command_line, fit)
    else:
        run_system(executor, job, command_line, fit)


def _execute_with_seed(
    seed: int, executor: Executor, in_force: PromotedValues, job: Job, command_line: CommandLine, fit: TrainerSetup
) -> None:
    """Execute the program afresh with another seed, which is in force whatever the program seeds itself with."""
    pytorch_lightning.seed_everything(seed, workers=True, verbose=False)
    executor.forget_modules()
    with override_seeds(seed):
        _execute_once(executor, in_force, job, command_line, fit)


@contextlib.contextmanager
def _enter_folder_of_seed(number: int, order: ProgramRun, job: Job) -> Iterator[None]:
    """Execute the program in a folder that no execution with another seed wrote to, if trials have folders."""
    if not job.own_folder:
        yield
        return
    folder = VersionPaths(order.folder).working_folder_of_seed(number)
    folder.mkdir(parents=True, exist_ok=True)  # another rank may have made it
    with contextlib.chdir(folder):
        yield


def ignore_report(epoch: EpochReport) -> bool:
    """Report nothing, and stop nothing."""
    return False


@contextlib.contextmanager
def _patch_lightning(distributed: DistributedContext, fit: TrainerSetup) -> Iterator[None]:
    """Note what is logged, keep the program's checkpoints apart, and let Lightning lose no time.

    Several processes do what one would: they share the data, and log what it is in all.
    """

    @contextlib.contextmanager
    def patch_package(package: ModuleType) -> Iterator[None]:
        for library in OF_TRIALS:
            log_missing_apis(library, package.__name__)
        with contextlib.ExitStack() as patches:
            patches.enter_context(skip_redundant_work(package))
            patches.enter_context(record_logged_names(package, fit.log))
            patches.enter_context(redirect_checkpoints(package, fit.program_checkpoints))
            if distributed.n_ranks > 1:
                patches.enter_context(sync_epoch_logs(package))
                patches.enter_context(keep_sample_order(package))
            yield

    with patch_lightning_packages(patch_package):
        yield

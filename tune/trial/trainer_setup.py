"""What every Trainer of one execution of the program gets from us, whoever builds it."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from tune.errors import ProgramError
from tune.experiment.records import CHECKPOINTS, LOGGING
from tune.paths import VersionPaths
from tune.trial.checkpoints.event_files import truncate_event_files
from tune.trial.checkpoints.program_checkpoints import ProgramCheckpoints
from tune.trial.distributed.process_group import ALONE, DistributedContext
from tune.trial.effects.trained_state import StateReader
from tune.trial.fits import FitLog
from tune.trial.gpu.gpu_reader import read_utilization
from tune.trial.gpu.measure_share import StepTimer, step_each_batch_class, step_timer_class
from tune.trial.gpu.usage_meter import GpuUsageMeter
from tune.trial.lightning.epoch_loop import call_at_epochs
from tune.trial.lightning.held_out import HeldOutCallback, HeldOutValues, held_out_callback_class
from tune.trial.lightning.holdout import ADVICE, HoldoutSplit
from tune.trial.lightning.logger import VersionLogger, open_version_logger
from tune.trial.lightning.model_signature import ModelSignature, signature_callback_class
from tune.trial.lightning.observer_callback import ObserverCallback, observer_callback_class
from tune.trial.lightning.pbt_mutation import PbtState
from tune.trial.lightning.profiler import NoStopwatch, Stopwatch, profile_trainer
from tune.trial.lightning.report_callback import Report, ReportCallback, report_callback_class
from tune.trial.lightning.value_check import PromotedValueCheck
from tune.trial.messages import Job, ProgramRun
from tune.trial.preflight import shorten_arguments
from tune.trial.trackers.tracked_trial import guard_loggers

LOGGER_METHODS = (
    "log_metrics",
    "log_hyperparams",
    "log_graph",
    "save",
    "open_session",
    "flush",
    "finalize",
    "close_session",
)
"""All that takes time in a logger."""
STEPS_AT_EACH_BATCH = {"accumulate_grad_batches": 1}
"""Where memory is measured: an optimizer makes its state in its first step, and batches are to be beside it."""
FINDERS = frozenset({"LearningRateFinder", "BatchSizeFinder"})
"""The classes of Lightning's callbacks that run fits of their own first."""
LAST = "last"
"""Lightning's word for the last checkpoint that a ``ModelCheckpoint`` wrote."""


class TrainerSetup:
    """One execution of the program: in the pre-flight, or for the trial's score."""

    def __init__(
        self,
        job: Job,
        run: ProgramRun,
        proof: PromotedValueCheck,
        report: Report,
        beat: Callable[[], None] = lambda: None,
        *,
        stopwatch: Stopwatch | None = None,
        usage: GpuUsageMeter | None = None,
        distributed: DistributedContext = ALONE,
    ) -> None:
        self._job = job
        self._run = run
        self.files = VersionPaths(run.folder)
        self._proof = proof
        self._report = report
        self._mark = run.mark
        self._beat = beat
        self.stopwatch = stopwatch or NoStopwatch()
        self._usage = usage
        self.distributed = distributed
        self._signature_callback: Any = None
        self._step_timer: StepTimer | None = None
        self._pbt_state = PbtState(run.task.values, len(run.task.mutations)) if job.mutants else None
        self._n_fits = 0
        self.program_checkpoints = ProgramCheckpoints(self.files.program_checkpoints)
        """Where the program's own checkpoints are."""
        self.stage_ended = False
        """Whether an epoch or an evaluation has ended: a limit of their batches may have had an effect."""
        self._logger: Any = None
        self.state_reader = StateReader() if job.replaced and run.shortens else None
        """Reads what fits train with; None where nothing asks for that."""
        self.log = FitLog(compares_weights=not run.reports)
        """What the program's fits logged."""
        self._observer: ObserverCallback | None = None
        self.reports: ReportCallback | None = None
        """What reports epochs; None where nothing does, or no Trainer was built."""
        self.split = HoldoutSplit(job.holdout)
        """Keeps a part of the validation set out."""
        self._held_out: HeldOutCallback | None = None
        self.test_loaders: Any = None
        """Those that a system returns beside its loaders of training and validation."""

    @property
    def n_workers(self) -> int:
        """Return the most workers that a DataLoader has."""
        return self._observer.n_workers if self._observer is not None else 0

    @property
    def fit_s(self) -> float | None:
        """Seconds in ``Trainer.fit``; None when there was none."""
        return self._observer.fit_s if self._observer is not None else None

    @property
    def validated_on(self) -> list[str]:
        """By fit the digest of the samples that it was validated on; nothing where no split is known."""
        found = self._observer.validated_on if self._observer is not None else []
        return found if any(found) else []

    @property
    def weights(self) -> str:
        """A digest of the weights that the last fit ended with; empty where there is none."""
        return self._observer.weights if self._observer is not None else ""

    @property
    def model_signature(self) -> ModelSignature:
        """Return what the program builds; nothing where that was not asked for."""
        return self._signature_callback.measure if self._signature_callback is not None else {}

    @property
    def utilization(self) -> float | None:
        """The part of the time in which the GPU was busy; None where that was not measured."""
        return self._step_timer.utilization if self._step_timer is not None else None

    @property
    def is_stopped(self) -> bool:
        """Whether a report was answered with a stop."""
        return self.reports is not None and self.reports.stopped

    def build_trainer_arguments(self, given: Mapping[str, Any], package: ModuleType) -> dict[str, Any]:
        """Return a Trainer's arguments: those given, the space's over them, and what is ours over all."""
        arguments: Mapping[str, Any] = {**given, **self._job.trainer}
        if self.state_reader is not None:
            self.state_reader.read_arguments(arguments)
        arguments = shorten_arguments(arguments) if self._run.shortens else arguments
        arguments = {**arguments, **STEPS_AT_EACH_BATCH} if self._run.weighs else arguments
        return {
            **arguments,
            **self.distributed.build_distributed_arguments(arguments, package),
            "logger": self._select_loggers(given.get("logger"), package),
            "default_root_dir": self.files.folder,
            "enable_progress_bar": False,
        }

    def max_epochs(self, given: Mapping[str, Any]) -> int | None:
        """Return a Trainer's bound without the pre-flight's, the space's over the ``given``; None where it has none."""
        arguments = {**given, **self._job.trainer}
        bounded = any(arguments.get(name) not in (None, -1) for name in ("max_steps", "max_time"))
        n_epochs = arguments.get("max_epochs")
        return n_epochs if not bounded and isinstance(n_epochs, int) else None

    def add_callbacks(self, trainer: Any, package: ModuleType, max_epochs: int | None) -> None:
        """Add our callbacks behind all others; ``max_epochs``: the Trainer's, as the program or the space gave it."""
        self.log.add_trainer(trainer, max_epochs)
        if self._observer is None:
            self._observer = observer_callback_class(package)(
                self._proof, self._beat, self.log, self.state_reader, shortens=self._run.shortens
            )
        trainer.callbacks.append(self._observer)
        call_at_epochs(trainer, None, None, self.note_stage_end)
        profile_trainer(trainer, self.stopwatch)
        if self._run.measures:
            self._signature_callback = self._signature_callback or signature_callback_class(package)()
            trainer.callbacks.append(self._signature_callback)
        if self._run.weighs:
            trainer.callbacks.append(step_each_batch_class(package)())
        if self._run.weighs and not self._run.shortens:
            self._step_timer = self._step_timer or step_timer_class(package)(read_utilization)
            trainer.callbacks.append(self._step_timer)
        if not self._run.reports:
            return
        if self.reports is None:
            self.reports = report_callback_class(package)(
                self._job.objective,
                self.files,
                self._report,
                self.log,
                counted=self._run.counted,
                mark=self._mark,
                pbt_state=self._pbt_state,
                verify=self._proof.verify_parameters,
                reports_epochs_whole=self._job.pauses_trials,
                checkpoints=self._job.checkpoints,
                keeps_each_fit=self._run.task.evaluates,
            )
            self.stopwatch.time_calls(self.reports.checkpoints, CHECKPOINTS, "write")
        self._add_held_out_callback(trainer, package, self.reports)
        trainer.callbacks.append(self.reports)

    def _add_held_out_callback(self, trainer: Any, package: ModuleType, reports: ReportCallback) -> None:
        if not self._run.task.evaluates:
            return
        if self._held_out is None:
            self._held_out = held_out_callback_class(package)(
                self._job.objective.metric_names,
                self.files,
                self.log,
                self.split,
                reports.is_scored_fit,
                trusts_checkpoints=self._job.trusts_checkpoints,
            )
        trainer.callbacks.append(self._held_out)

    def note_stage_end(self, trainer: Any) -> None:
        """Take note that an epoch, or a stage, has ended."""
        self.stage_ended = True
        if self._usage is not None:
            self._usage.note_peak()
        if self._usage is not None and self._logger is not None and trainer.training and self.distributed.is_rank_zero:
            n_steps = trainer.fit_loop.epoch_loop._batches_that_stepped  # noqa: SLF001 - what Lightning logs as the step
            self._logger.log_metrics(self._usage.read_epoch(), step=n_steps - 1)

    def resume_arguments(self, trainer: Any, given: Any = None) -> dict[str, Any]:
        """Return what the next ``Trainer.fit`` needs to go on from our checkpoint.

        A ``given`` one wins, unless the trial wrote it: such a program goes on from its own, if there is one.
        """
        # Whether Lightning's Tuner calls ``Trainer.fit``, to find a learning rate or a batch size first
        if self._mark is None or any(getattr(each, "_early_exit", False) for each in trainer.callbacks):
            return {}
        self._n_fits += 1
        if self._n_fits > 1:
            return {}
        # Whether a callback looks for a learning rate or a batch size as the fit starts. It would do so in each
        # attempt. Lightning then puts back what was before the search, not the checkpoint
        if not self._is_own(given) or any(
            kind.__name__ in FINDERS for each in trainer.callbacks for kind in type(each).__mro__
        ):
            self._start_anew()
            return {}
        arguments: dict[str, Any] = {"ckpt_path": str(self.files.last_checkpoint)}
        if (
            "weights_only" in inspect.signature(trainer.fit).parameters
        ):  # Lightning 2.6; our own file may hold any hparams
            arguments["weights_only"] = not self._job.trusts_checkpoints
        return arguments

    def _is_own(self, given: Any) -> bool:
        """Return whether a checkpoint is one that the trial wrote, or none."""
        if given in (None, LAST):
            return True
        path = Path(self.program_checkpoints.find_path(given)).absolute()
        return path.is_relative_to(self.files.folder)

    def _start_anew(self) -> None:
        """Forget our checkpoint: the program goes on from one of its own choice."""
        if self.distributed.is_rank_zero:
            current = None if self._logger is None else self._logger.file_name
            truncate_event_files(self.files.folder, None, but=current)
        if self._logger is not None:
            self._logger.end_repetition(is_new=True)
        self._mark = None
        if self.reports is not None:
            self.reports.forget_checkpoint()

    def get_logger(self, package: ModuleType) -> Any:
        """Return the version's one logger."""
        if self._logger is None:
            self._logger = open_version_logger(package, *self._logger_arguments)
            self.stopwatch.time_calls(self._logger, LOGGING, *LOGGER_METHODS)
        return self._logger

    def adopt_logger(self, logger: VersionLogger) -> None:
        """Point a logger of a class of the program's own at the version."""
        logger.log_into_version(*self._logger_arguments)
        self._logger = self._logger or logger

    @property
    def _logger_arguments(self) -> tuple[Any, ...]:
        purge_step = None if self._mark is None else self._mark.step + 1
        return self.files, self._run.task.values, self._job.hardcoded, self._run.started, purge_step

    def finish_execution(self) -> None:
        """Check the proof, and report what the end of the program leaves to report."""
        if self._observer is not None and self._observer.has_trained and not self.is_stopped:
            self._proof.verify_executed()
        if self.reports is not None:
            self.reports.report_fit(None)
            self._evaluate_held_out(self.reports)
        if not self._run.reports and self.split.is_active and not self.split.parts:
            raise ProgramError("holdout", "the program has no validation loader to hold a part out of", ADVICE)

    def _evaluate_held_out(self, reports: ReportCallback) -> None:
        if self._held_out is None or self.is_stopped or not reports.fits:
            return
        stage = None if self._run.counted is None else self._run.counted.stage
        try:
            self._held_out.evaluate_held_out(stage, self.test_loaders, reports.checkpoint_of)
        finally:
            if self.distributed.is_rank_zero:
                for number in reports.fits:
                    self.files.fit_checkpoint(number).unlink(missing_ok=True)

    @property
    def held_out_values(self) -> HeldOutValues:
        """What the data were worth that the search never saw."""
        return HeldOutValues() if self._held_out is None else self._held_out.values

    def close_logger(self, *, failed: bool) -> None:
        """Close the version's event file."""
        if self._logger is not None:
            self._logger.close_session(failed=failed)

    def _select_loggers(self, given: Any, package: ModuleType) -> list[Any]:
        """Return the program's loggers, ours in the place of its TensorBoardLogger; where it has none, ours last."""
        ours = self.get_logger(package)
        loggers = list(given) if isinstance(given, Iterable) else [] if given in (None, True, False) else [given]
        others = [logger for logger in loggers if not isinstance(logger, package.loggers.TensorBoardLogger)]
        guard_loggers(others)
        if not loggers or others[:1] != loggers[:1]:
            return [ours, *others]
        return [*others, ours]

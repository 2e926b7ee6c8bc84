"""The callback that reports each epoch's metric, writes the checkpoints, and stops the Trainer.

An epoch is reported when all of it is over (``epoch_loop.py``), with the value of its validation where the program
validates the metric, else with that of its training. Where validation runs several times an epoch, each run is a
report. The last checkpoint is always of an epoch that is over: from there Lightning goes on as if it had not stopped.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

from tune.experiment.counted_fits import OUTSIDE, CountedFits, Stage
from tune.experiment.trial_result import find_best_epoch, is_improvement, score_of_fit
from tune.paths import VersionPaths
from tune.trial.checkpoints.checkpoint_state import CheckpointState
from tune.trial.checkpoints.checkpoint_writer import CheckpointWriter, create_checkpoint_state
from tune.trial.checkpoints.fit_state import (
    ATTRIBUTES,
    METRICS,
    changed_numbers,
    metric_states,
    read_number_attributes,
    reload_loaders_as_due,
    restore_callback_metrics,
    restore_missing_state,
    restore_validation_steps,
)
from tune.trial.fits import FitLog, stage_of
from tune.trial.lightning.epoch_loop import (
    begin_next_epoch,
    call_at_epochs,
    is_at_end_of_epoch,
    is_last_report,
    stop_after_epoch,
    validates_within_epoch,
)
from tune.trial.lightning.pbt_mutation import PbtState
from tune.trial.messages import EpochReport, TrialObjective

Report = Callable[[EpochReport], bool]
"""Takes an epoch; True means: stop this trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evaluation:
    stage: Stage
    epoch: int
    values: Mapping[str, float]


class ReportCallback:
    """The logic of the callback, whichever Lightning it is for. It stands last among the callbacks."""

    def __init__(
        self,
        objective: TrialObjective,
        version: VersionPaths,
        report: Report,
        log: FitLog,
        *,
        counted: CountedFits | None = None,
        mark: CheckpointState | None = None,
        pbt_state: PbtState | None = None,
        verify: Callable[[], None] = lambda: None,
        reports_epochs_whole: bool = False,
        checkpoints: str | float = "epoch",
        keeps_each_fit: bool = False,
    ) -> None:
        """Report what ``counted`` says: the fits that the score comes from; None: the first that logs the metric.

        ``verify``: raises where the trial's values were not in force, before the first report.

        ``reports_epochs_whole``: reports wait for the end of their epoch, since trials are paused there.

        ``checkpoints``: when they are written, as in ``Settings``.

        ``keeps_each_fit``: of several fits whose mean counts, each keeps its own best epoch.
        """
        self._objective = objective
        self._files = version
        self._report = report
        self._log = log
        self._counted = counted
        self._mark = mark  # where the trial goes on; None once it does
        self._pbt_state = pbt_state
        self._verify: Callable[[], None] | None = verify
        self._reports_epochs_whole = reports_epochs_whole
        self._keeps_each_fit = keeps_each_fit
        self._waiting: list[EpochReport] = []  # reports within an epoch that is not over
        self._best: float | None = None
        self._curve: list[tuple[int, float]] = []  # all reports
        self._measured: dict[int, tuple[float, ...]] = {}  # further metrics, by epoch
        self._pending: dict[str, float] = {}  # what the last validation of the epoch logged
        self._is_validated = False  # the metric is one of validation
        self._evaluated: _Evaluation | None = None  # outside ``Trainer.fit``; it counts where the fit logs nothing
        self._n_fits = 0
        self._fit = 0  # the number of the fit that the following are of
        self._is_reported = False  # the value of the whole fit
        self.checkpoints = CheckpointWriter(version, checkpoints)
        """Writes the last and the best."""
        self._metrics: Mapping[str, Any] = {}  # states of the checkpoint, until they are restored
        self._numbers: Mapping[str, Any] = {}  # likewise of the module's attributes
        self._numbers_before: Mapping[str, Any] | None = None  # these as the first epoch of the fit began
        self._n_sanity_steps: int | None = None  # of the Trainer, while a fit goes on without its sanity check
        self.fits: dict[int, dict[int, float]] = {}
        """The metric by epoch, by the number of the fit: of all fits that log it."""
        self.n_measurable = 0
        """Epochs and validations of the counted fits: no more reports than these can be."""
        self.stopped = False
        """Whether a report was answered with a stop."""

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Report the fit before, where that is not done; count on in a Trainer that fits again."""
        self._n_fits += 1
        if self._log.current_fit != self._fit:
            self.report_fit(trainer)
            self._fit = self._log.current_fit
            self._is_reported = False
        self._numbers_before = None
        call_at_epochs(trainer, self, self._start_epoch, self._end_epoch)
        if self._pbt_state is not None:
            self._pbt_state.compare_with_checkpoint(trainer, self._mark)
        if self._mark is not None:
            self._restore_reports(self._mark)
            self._n_sanity_steps, trainer.num_sanity_val_steps = trainer.num_sanity_val_steps, 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Put the Trainer where the checkpoint was written, with the constants that are in force now."""
        if self._pbt_state is not None:
            self._pbt_state.apply_to_trainer(trainer)
        if self._n_sanity_steps is not None:
            trainer.num_sanity_val_steps, self._n_sanity_steps = self._n_sanity_steps, None
        if self._mark is not None and self._mark.epoch_is_over:
            begin_next_epoch(trainer)
            trainer.should_stop = trainer.should_stop or self._mark.should_stop
            restore_callback_metrics(trainer, self._mark.metrics)
            restore_validation_steps(trainer, self._mark.validation_steps)
            reload_loaders_as_due(trainer)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Open the session of the HPARAMS tab: the program has had every hook to log hyperparameters of its own."""
        for logger in trainer.loggers:
            if hasattr(logger, "open_session"):
                logger.open_session()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Take what a validation logged; report it where the epoch goes on after it."""
        if trainer.sanity_checking:
            return
        if trainer.state.fn in OUTSIDE:
            self._record_evaluation(trainer)
            return
        if self._pending:  # the epoch went on after all
            self._report_epoch(trainer, self._pending, within=True)
        self._pending = self._take_logged_metrics(trainer, "val")
        if not is_at_end_of_epoch(trainer):
            pending, self._pending = self._pending, {}
            self._report_epoch(trainer, pending, within=True)

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Take what a test logged."""
        self._record_evaluation(trainer)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Report a fit that is one of several; be through with going on, where no epoch was left to train."""
        self._mark = None
        _end_repetition(trainer)
        if self._is_mean and self._fit in self.fits:
            self.report_fit(trainer)

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Give a checkpoint that we write the number of the epoch that is over, as Lightning's own have it."""
        if self.checkpoints.epoch is not None:
            checkpoint["epoch"] = self.checkpoints.epoch
            checkpoint[METRICS] = metric_states(pl_module)
            checkpoint[ATTRIBUTES] = changed_numbers(pl_module, self._numbers_before or {})

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Keep what Lightning does not restore, until the next epoch starts."""
        if self._mark is not None:
            self._metrics = checkpoint.get(METRICS, {})
            self._numbers = checkpoint.get(ATTRIBUTES, {}) if self._pbt_state is None else {}

    def forget_checkpoint(self) -> None:
        """Count from the first epoch."""
        self._mark = None

    def _start_epoch(self, trainer: Any) -> None:
        """Draw on where the checkpoint was written."""
        _end_repetition(trainer)
        if self._numbers_before is None:
            self._numbers_before = read_number_attributes(trainer.lightning_module)
        if self._mark is not None:
            restore_missing_state(trainer, self._mark.rng_of(trainer.global_rank), self._metrics, self._numbers)
            self._metrics, self._numbers = {}, {}
            if self._mark.epoch_is_over or not trainer.fit_loop.restarting:
                self._mark = None

    def _end_epoch(self, trainer: Any) -> None:
        """Report the epoch, and write the last checkpoint."""
        self._mark = None
        if self._is_counted:
            self.n_measurable += 1
        trained = self._take_logged_metrics(trainer, "train")
        pending, self._pending = self._pending, {}
        self._report_epoch(trainer, self._select_stage_values(trained, pending), within=False)

    def _select_stage_values(self, trained: dict[str, float], validated: dict[str, float]) -> dict[str, float]:
        """Return an epoch's metrics: the first one of the stage that counts, of the others validation's first."""
        values = {**trained, **validated}
        by_stage = {"train": trained, "val": validated}
        counting = values if self._counted is None else by_stage.get(self._counted.stage, {})
        metric = self._objective.metric
        self._is_validated = metric in validated
        return {**values, metric: counting[metric]} if metric in counting else {}

    def _take_logged_metrics(self, trainer: Any, stage: Stage) -> dict[str, float]:
        """Return the metrics that a stage logged since it was asked last; of several processes what rank 0 holds."""
        held = trainer.callback_metrics
        names = [name for name in self._objective.metric_names if name in held and self._log.has_logged(name, stage)]
        self._log.reset_stage(stage)
        found: dict[str, float] = trainer.strategy.broadcast({name: float(held[name]) for name in names})
        return found

    @property
    def _is_counted(self) -> bool:
        """Whether the fit that runs is one of those that the score comes from."""
        return self.is_scored_fit(self._fit)

    def is_scored_fit(self, number: int) -> bool:
        """Tell whether the score comes from a fit; of a mean so does each one more than the pre-flight has seen."""
        if self._counted is None:
            return self.fits.keys() <= {number}
        return number in self._counted.numbers or (self._is_mean and number > self._counted.n_fits)

    @property
    def _is_mean(self) -> bool:
        """Whether each fit is one report: it cannot go on from a checkpoint, for the fits before it would be lost."""
        return self._counted is not None and self._counted.is_mean

    def _report_epoch(self, trainer: Any, values: Mapping[str, float], *, within: bool) -> None:
        """Report an epoch that measured the metric, after its checkpoint; ``within``: the epoch goes on."""
        if within and self._is_counted:
            self.n_measurable += 1
        if self.stopped or self._objective.metric not in values:
            if not within and not self.checkpoints.are_up_to_date and not self.stopped:
                self.checkpoints.write_last(trainer, self._create_state(trainer, within=False), is_best=False)
            if not within:
                self._send_reports(trainer, epoch_is_over=True)
            return
        value = values[self._objective.metric]
        counts = self._is_counted
        # the epoch from 1; where validation runs several times an epoch, the count of reports
        known = self.fits.get(self._fit, {})
        number = len(known) + 1 if validates_within_epoch(trainer) else trainer.current_epoch + within
        epoch = max(number, max(known, default=0) + 1)
        self.fits.setdefault(self._fit, {})[epoch] = value
        if not counts:
            return
        is_best = is_improvement(self._objective.mode, value, self._best)
        self._best = value if is_best else self._best
        if self._is_mean:
            self._save_best_of_fits(trainer, is_best=is_best)
            return
        others = tuple(values.get(name, math.nan) for name in self._objective.others)
        self._add_report(EpochReport(epoch, value, is_last_report(trainer, is_validated=self._is_validated), others))
        self.checkpoints.write_last(trainer, self._create_state(trainer, within=within), is_best=is_best)
        if not within or not self._reports_epochs_whole:
            self._send_reports(trainer, epoch_is_over=not within)

    def _record_evaluation(self, trainer: Any) -> None:
        """Take what was logged outside ``Trainer.fit``: it counts where the fit itself does not log the metric."""
        stage = stage_of(trainer)
        values = self._take_logged_metrics(trainer, stage)
        metric = self._objective.metric
        wanted = stage if self._counted is None else self._counted.stage
        if metric not in values or stage != wanted or not self._is_counted or self.fits.get(self._fit):
            return
        if self._fit == 0 or (self._evaluated is not None and (self._evaluated.stage, stage) == ("validate", "test")):
            return
        self.n_measurable += 1
        epoch = max(1, trainer.current_epoch)
        self._evaluated = _Evaluation(stage=stage, epoch=epoch, values=values)
        is_best = is_improvement(self._objective.mode, values[metric], self._best)
        self._best = values[metric] if is_best else self._best
        if self._is_mean:
            self._save_best_of_fits(trainer, is_best=is_best)
        else:
            self.checkpoints.write_last(
                trainer, self._create_state(trainer, within=False, then=(epoch, values)), is_best=True
            )

    def report_fit(self, trainer: Any | None) -> None:
        """Report a fit as a whole: one of several, or one that the program measures behind it."""
        evaluated, self._evaluated = self._evaluated, None
        if self.stopped or self._is_reported or not self._fit or not self._is_counted:
            return
        self._is_reported = True
        metric, mode = self._objective.metric, self._objective.mode
        if evaluated is not None:
            self.fits.setdefault(self._fit, {})[evaluated.epoch] = evaluated.values[metric]
        curve = self.fits.get(self._fit, {})
        if self._counted is not None and self._counted.is_mean:
            scores = [
                score_of_fit(self.fits[number], mode) for number in sorted(self.fits) if self.is_scored_fit(number)
            ]
            known = [score for score in scores if score is not None]
            if not known or not curve:
                return
            n_fits = len(self._counted.numbers)
            self._add_report(
                EpochReport(len(scores), math.fsum(known) / len(known), len(scores) >= n_fits, n_fits=n_fits)
            )
        elif evaluated is not None:
            others = tuple(evaluated.values.get(name, math.nan) for name in self._objective.others)
            self._add_report(EpochReport(evaluated.epoch, evaluated.values[metric], True, others))
        self._send_reports(trainer)

    def _add_report(self, epoch: EpochReport) -> None:
        self._curve.append((epoch.epoch, epoch.value))
        if epoch.others:
            self._measured[epoch.epoch] = epoch.others
        self._waiting.append(epoch)

    def _send_reports(self, trainer: Any | None, *, epoch_is_over: bool = False) -> None:
        """Report what waits; stop the Trainer where that is the answer."""
        waiting, self._waiting = self._waiting, []
        if waiting and self._verify is not None:
            self._verify()
            self._verify = None
        for epoch in waiting:
            stops = self._report(epoch)
            if trainer.strategy.broadcast(stops) if trainer is not None else stops:
                self.stopped = True
                if trainer is not None and epoch_is_over:
                    self.checkpoints.write_at_stop(trainer, partial(self._create_state, trainer, within=False))
                if trainer is not None:
                    stop_after_epoch(trainer)
                return

    def _restore_reports(self, mark: CheckpointState) -> None:
        """Know what was reported before the checkpoint. In a trial that goes on only its first fit does."""
        self._curve = list(mark.curve)
        self._measured = dict(mark.others)
        curve = dict(mark.curve)
        self.fits[self._fit] = curve
        self.n_measurable = len(curve)
        best = find_best_epoch(curve, self._objective.mode)
        self._best = None if best is None else curve[best]

    def _create_state(
        self, trainer: Any, *, within: bool, then: tuple[int, Mapping[str, float]] | None = None
    ) -> CheckpointState:
        """Return how far the trial is; ``then``: what is reported later, when the program is through."""
        curve, others = list(self._curve), dict(self._measured)
        if then is not None:
            epoch, values = then
            curve.append((epoch, values[self._objective.metric]))
            others |= {epoch: tuple(values.get(name, math.nan) for name in self._objective.others)}
        return create_checkpoint_state(
            trainer,
            self._files.folder,
            curve=curve,
            others=others,
            last=then is not None or is_last_report(trainer, is_validated=self._is_validated),
            fit=self._n_fits,
            pbt_state=self._pbt_state,
            epoch_is_over=not within,
        )

    def checkpoint_of(self, number: int) -> Path:
        """Return the checkpoint of the best epoch of a fit that counts."""
        return self._files.fit_checkpoint(number) if self._is_mean else self._files.best_checkpoint

    def _save_best_of_fits(self, trainer: Any, *, is_best: bool) -> None:
        targets = [self._files.best_checkpoint] if is_best and self.checkpoints.keeps_best else []
        curve = self.fits.get(self._fit, {})
        if self._keeps_each_fit and find_best_epoch(curve, self._objective.mode) == max(curve, default=None):
            targets.append(self._files.fit_checkpoint(self._fit))
        if targets:
            self.checkpoints.write(trainer, self._create_state(trainer, within=False), targets)


def _end_repetition(trainer: Any) -> None:
    """Let loggers write what comes now: a trial that goes on is where its checkpoint was written."""
    for logger in trainer.loggers:
        if hasattr(logger, "end_repetition"):
            logger.end_repetition()


@lru_cache
def report_callback_class(package: ModuleType) -> Any:
    """Return the callback's class, below the Callback of the Lightning package that the program uses."""
    return type("ReportCallback", (ReportCallback, package.Callback), {})

"""What a retrained run evaluates behind its training: data that the search never saw, with the best epoch's weights.

That is the program's own test, and the part of the validation set that ``holdout`` keeps. What the program tests by
itself is taken as it is; where it calls no ``Trainer.test`` and has a test, that is run here, when the program is
through. It cannot disturb the training then. A test that fails is a warning, for the run itself has not failed.
"""

import contextlib
import importlib
import inspect
import math
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tune.experiment.counted_fits import Stage
from tune.paths import VersionPaths
from tune.trial.disk_space import find_disk_full_error
from tune.trial.failure import format_traceback
from tune.trial.fits import FitLog
from tune.trial.lightning.holdout import HOOK, HoldoutSplit
from tune.trial.lightning.logger import VersionLogger
from tune.trial.lightning.packages import package_of

MOST_CHARACTERS = 200
"""Of an error in a warning; the log has all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutValues:
    """What the data were worth that the search never saw, as ``TrialRecord`` has it."""

    test: dict[str, float] | None = None
    holdout: dict[str, float] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Fit:
    """A fit that counts."""

    trainer: Any
    module: Any
    kept: Any = None
    """The loaders of the part that the search does not see."""


@dataclass(slots=True)
class _Evaluation:
    """One call of ours."""

    values: dict[str, float] = field(default_factory=dict)


class HeldOutCallback:
    """The logic of the callback, whichever Lightning it is for: it knows the fits, and takes what tests log."""

    def __init__(
        self,
        metrics: tuple[str, ...],
        files: VersionPaths,
        log: FitLog,
        split: HoldoutSplit,
        counts: Callable[[int], bool],
        *,
        trusts_checkpoints: bool,
    ) -> None:
        """``metrics``: the searched ones. ``counts``: tells whether the score comes from a fit."""
        self._metrics = metrics
        self._files = files
        self._log = log
        self._split = split
        self._trusts_checkpoints = trusts_checkpoints
        self._fits: dict[int, _Fit] = {}
        self._tests: dict[int, dict[str, float]] = {}  # what the program's own tests logged, by the fit before them
        self._kept: dict[int, dict[str, float]] = {}  # what was logged on the hold-outs of fits
        self._warnings: list[str] = []
        self._ours: _Evaluation | None = None  # the evaluation that runs
        self._counts = counts
        self._test_loaders: Any = None

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Keep a fit that counts: its Trainer is asked when the program is through."""
        number = self._log.current_fit
        if self._counts(number):
            self._fits[number] = _Fit(trainer=trainer, module=pl_module)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Keep the loaders of what the fit has not been validated on."""
        self._keep_loaders()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Likewise of a program that validates behind its fit."""
        if self._ours is not None:
            self._ours.values = _read_metrics(trainer)
        elif not trainer.sanity_checking:
            self._keep_loaders()

    def _keep_loaders(self) -> None:
        fit = self._fits.get(self._log.current_fit)
        if fit is not None and self._split.kept is not None:
            fit.kept = self._split.kept

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """Take what a test logged."""
        values = _read_metrics(trainer)
        if self._ours is not None:
            self._ours.values = values
        elif self._log.current_fit:
            self._tests.setdefault(self._log.current_fit, {}).update(values)

    def evaluate(
        self,
        stage: Stage | None,
        test_loaders: Any,
        others: tuple[Any, ...],
        checkpoint_of: Callable[[int], Path],
    ) -> None:
        """Run what the program has not run; ``others``: our callbacks that are to hear nothing of it.

        ``stage``: where the searched metric is logged. ``test_loaders``: what a system returns beside its loaders of
        training and validation. ``checkpoint_of``: the best epoch's of a fit, by its number.
        """
        self._test_loaders = test_loaders
        fits = {number: fit for number, fit in self._fits.items() if self._counts(number)}
        own = {number: values for number, values in self._tests.items() if number in fits}
        if stage == "test":
            self._warnings.append("the search's metric is one of the test: no test data are left that it has not seen")
            self._tests = {}
        elif not self._tests:
            self._tests = self._evaluate_fits("the test", fits, self._run_test, others, checkpoint_of)
        else:
            self._tests = own or dict([self._tests.popitem()])
        self._kept = self._evaluate_fits("the hold-out", fits, self._validate_kept, others, checkpoint_of)

    @property
    def values(self) -> HeldOutValues:
        """What came of it."""
        kept = {name: value for name, value in _mean_of_fits(self._kept).items() if name in self._metrics}
        return HeldOutValues(
            test=_mean_of_fits(self._tests),
            holdout=kept if self._split.is_active else None,
            warnings=tuple(dict.fromkeys(self._warnings)),
        )

    def _evaluate_fits(
        self,
        what: str,
        fits: Mapping[int, _Fit],
        run: Callable[[_Fit, Path], bool],
        others: tuple[Any, ...],
        checkpoint_of: Callable[[int], Path],
    ) -> dict[int, dict[str, float]]:
        """Evaluate each fit; return what was logged, by the number of the fit."""
        found = {}
        for number, fit in fits.items():
            self._ours = _Evaluation()
            try:
                with _without_callbacks(fit.trainer, others):
                    was_run = run(fit, checkpoint_of(number))
            except Exception as error:  # the program may raise anything
                if find_disk_full_error(error, self._files.folder) is not None:
                    raise
                sys.stderr.write(f"{what} failed:\n{format_traceback(error)}")
                self._warnings.append(f"{what} failed: {_describe_error(error)}")
                continue
            finally:
                values, self._ours = self._ours.values, None
            if values:
                found[number] = values
            elif was_run:
                self._warnings.append(f"{what} logged nothing")
        return found

    def _run_test(self, fit: _Fit, checkpoint: Path) -> bool:
        """Run the program's test; return whether it has one."""
        package, data = package_of(type(fit.module)), getattr(fit.trainer, "datamodule", None)
        has_module = data is not None and _has_hook(data, "test_dataloader", package.LightningDataModule)
        has_loaders = self._test_loaders is not None or has_module
        has_loaders = has_loaders or _has_hook(fit.module, "test_dataloader", package.LightningModule)
        if not has_loaders or not _has_hook(fit.module, "test_step", package.LightningModule):
            return False
        given = {"datamodule": data} if has_module else {"dataloaders": self._test_loaders}
        with _replace_loggers(fit.trainer, package, keeps_ours=True):
            fit.trainer.test(fit.module, **given, **self._checkpoint_arguments(fit.trainer.test, checkpoint))
        return True

    def _validate_kept(self, fit: _Fit, checkpoint: Path) -> bool:
        """Validate on what the search does not see; return whether there is any."""
        if fit.kept is None:
            return False
        package, data = package_of(type(fit.module)), getattr(fit.trainer, "datamodule", None)
        has_module = data is not None and _has_hook(data, HOOK, package.LightningDataModule)
        given = {"datamodule": data} if has_module else {"dataloaders": fit.kept}
        with self._split.serve_kept(fit.kept), _replace_loggers(fit.trainer, package, keeps_ours=False):
            fit.trainer.validate(fit.module, **given, **self._checkpoint_arguments(fit.trainer.validate, checkpoint))
        return True

    def _checkpoint_arguments(self, stage: Callable[..., Any], checkpoint: Path) -> dict[str, Any]:
        arguments: dict[str, Any] = {"ckpt_path": str(checkpoint), "verbose": False}
        if "weights_only" in inspect.signature(stage).parameters:  # Lightning 2.6
            arguments["weights_only"] = not self._trusts_checkpoints
        return arguments


def _has_hook(owner: Any, name: str, base: Any) -> bool:
    """Return whether a module, or a datamodule, has a method of its own, or was given one."""
    return name in vars(owner) or getattr(type(owner), name) is not getattr(base, name)


def _read_metrics(trainer: Any) -> dict[str, float]:
    """Return the metrics of a stage that has ended, those that are numbers."""
    found = {}
    for name, value in trainer.callback_metrics.items():
        with contextlib.suppress(TypeError, ValueError, RuntimeError):
            found[str(name)] = float(value)
    return found


def _mean_of_fits(values: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """Return the mean over fits of each metric that all of them have."""
    if not values:
        return {}
    first, *more = values.values()
    names = [name for name in first if all(name in each for each in more)]
    return {name: _mean([each[name] for each in values.values()]) for name in names}


def _mean(values: list[float]) -> float:
    return statistics.fmean(values) if all(map(math.isfinite, values)) else math.nan


def _describe_error(error: Exception) -> str:
    said = str(error).strip().partition("\n")[0][:MOST_CHARACTERS]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


@contextlib.contextmanager
def _without_callbacks(trainer: Any, others: tuple[Any, ...]) -> Iterator[None]:
    """Let a Trainer have none of these callbacks meanwhile."""
    before = trainer.callbacks
    trainer.callbacks = [each for each in before if not any(each is other for other in others)]
    try:
        yield
    finally:
        trainer.callbacks = before


@contextlib.contextmanager
def _replace_loggers(trainer: Any, package: ModuleType, *, keeps_ours: bool) -> Iterator[None]:
    """Let a Trainer log nowhere meanwhile, or into the version alone: the program may have closed its trackers' runs.

    A module that asks for ``self.logger.experiment`` finds one that takes everything, as in ``fast_dev_run``.
    """
    dummy = importlib.import_module(f"{package.__name__}.loggers.logger").DummyLogger
    before = trainer.loggers
    trainer.loggers = [each if keeps_ours and isinstance(each, VersionLogger) else dummy() for each in before]
    try:
        yield
    finally:
        trainer.loggers = before


@lru_cache
def held_out_callback_class(package: ModuleType) -> Any:
    """Return the callback's class, below the Callback of the Lightning package that the program uses."""
    return type("HeldOutCallback", (HeldOutCallback, package.Callback), {})

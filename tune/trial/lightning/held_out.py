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
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tune.experiment.counted_fits import Stage
from tune.internals.private_apis import patch_attribute
from tune.paths import VersionPaths
from tune.trial.describe_exception import format_traceback
from tune.trial.disk_space import find_disk_full_error
from tune.trial.fits import FitLog
from tune.trial.lightning.holdout import HOOK, HoldoutSplit, split_into_parts
from tune.trial.lightning.logger import VersionLogger
from tune.trial.lightning.packages import package_of

WORDS = {"test": "the test", "holdout": "the hold-out"}
MOST_CHARACTERS = 200
"""Of an error in a warning; the log has all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutValues:
    """What the data were worth that the search never saw, as ``TrialRecord`` has it."""

    test: dict[str, float] | None = None
    holdout: dict[str, float] | None = None
    parts: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    failure: str | None = None
    """The first of the warnings that tells of an exception; None: there was none."""


@dataclass(slots=True, kw_only=True)
class _Fit:
    """A fit that counts."""

    trainer: Any
    module: Any
    kept: Any = None
    """The loaders of the part that the search does not see."""


@dataclass(slots=True, kw_only=True)
class _Evaluation:
    """A call of ours, of ``Trainer.test`` or ``Trainer.validate``."""

    trainer: Any
    module: Any
    data: Any
    """The datamodule that has the loaders; None: the module has them, or they are given."""
    stage: str
    hook: str
    """The name of what returns the loaders."""
    loaders: Any = None
    """Those to be taken; None: those that the hook returns."""
    logs: bool
    """Whether what is logged goes into the version's event file."""

    def find_loaders(self) -> Any:
        """Return the loaders."""
        return self.loaders if self.loaders is not None else getattr(self.data or self.module, self.hook)()


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
        self._parts: dict[
            str, dict[int, list[dict[str, float]]]
        ] = {}  # on parts of the data of each fit, by what it is
        self._warnings: list[str] = []
        self._failure: str | None = None
        self._ours: dict[str, float] | None = None  # what the evaluation logged that runs
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
            self._ours.update(_read_metrics(trainer))
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
            self._ours.update(values)
        elif self._log.current_fit:
            self._tests.setdefault(self._log.current_fit, {}).update(values)

    def evaluate_held_out(self, stage: Stage | None, test_loaders: Any, checkpoint_of: Callable[[int], Path]) -> None:
        """Run what the program has not run. Its epochs have all been reported by now.

        ``stage``: where the searched metric is logged. ``test_loaders``: what a system returns beside its loaders of
        training and validation. ``checkpoint_of``: the best epoch's of a fit, by its number.
        """
        self._test_loaders = test_loaders
        fits = {number: fit for number, fit in self._fits.items() if self._counts(number)}
        own = {number: values for number, values in self._tests.items() if number in fits}
        if stage == "test":
            self._warnings.append(
                "the test logs the search's metric: no test data are left that the search has not seen"
            )
            self._tests = {}
        elif not self._tests:
            self._tests = self._evaluate_fits("test", fits, self._plan_test, checkpoint_of)
        else:
            self._tests = own or dict([self._tests.popitem()])
        self._kept = self._evaluate_fits("holdout", fits, self._plan_validation, checkpoint_of)

    @property
    def values(self) -> HeldOutValues:
        """What came of it."""
        kept = {name: value for name, value in _mean_of_fits(self._kept).items() if name in self._metrics}
        parts = {}
        for what, fits in self._parts.items():
            of_parts = [_mean_of_fits(dict(enumerate(each))) for each in zip(*fits.values(), strict=False)]
            names = [name for name in of_parts[0] if all(name in each for each in of_parts)] if of_parts else []
            parts[what] = {name: [each[name] for each in of_parts] for name in names}
        return HeldOutValues(
            test=_mean_of_fits(self._tests),
            holdout=kept if self._split.is_active else None,
            parts=parts,
            warnings=tuple(dict.fromkeys(self._warnings)),
            failure=self._failure,
        )

    def _evaluate_fits(
        self,
        what: str,
        fits: Mapping[int, _Fit],
        plan: Callable[[_Fit], _Evaluation | None],
        checkpoint_of: Callable[[int], Path],
    ) -> dict[int, dict[str, float]]:
        """Evaluate each fit; return what was logged, by the number of the fit."""
        found = {}
        for number, fit in fits.items():
            planned = plan(fit)
            if planned is None:
                continue
            try:
                values = self._run(planned, checkpoint=checkpoint_of(number))
                parts = self._run_parts(planned)
            except Exception as error:  # the program may raise anything
                if find_disk_full_error(error, self._files.folder) is not None:
                    raise
                sys.stderr.write(f"{WORDS[what]} failed:\n{format_traceback(error)}")
                self._warnings.append(f"{WORDS[what]} failed: {_describe_error(error)}")
                self._failure = self._failure or self._warnings[-1]
                continue
            if values:
                found[number] = values
                self._parts.setdefault(what, {})[number] = parts
            else:
                self._warnings.append(f"{WORDS[what]} logged nothing")
        return found

    def _plan_test(self, fit: _Fit) -> _Evaluation | None:
        """Return how the program's test is run; None where it has none."""
        package, data = package_of(type(fit.module)), getattr(fit.trainer, "datamodule", None)
        has_data = data is not None and _has_hook(data, "test_dataloader", package.LightningDataModule)
        has_loaders = self._test_loaders is not None or has_data
        has_loaders = has_loaders or _has_hook(fit.module, "test_dataloader", package.LightningModule)
        if not has_loaders or not _has_hook(fit.module, "test_step", package.LightningModule):
            return None
        return _Evaluation(
            trainer=fit.trainer,
            module=fit.module,
            data=data if has_data else None,
            stage="test",
            hook="test_dataloader",
            loaders=None if has_data else self._test_loaders,
            logs=True,
        )

    def _plan_validation(self, fit: _Fit) -> _Evaluation | None:
        """Return how it is validated on what the search does not see; None where there is nothing."""
        if fit.kept is None:
            return None
        package, data = package_of(type(fit.module)), getattr(fit.trainer, "datamodule", None)
        has_data = data is not None and _has_hook(data, HOOK, package.LightningDataModule)
        return _Evaluation(
            trainer=fit.trainer,
            module=fit.module,
            data=data if has_data else None,
            stage="validate",
            hook=HOOK,
            loaders=fit.kept,
            logs=False,
        )

    def _run_parts(self, planned: _Evaluation) -> list[dict[str, float]]:
        """Evaluate parts of the data one by one, with the weights that the module has now; none where that fails.

        A datamodule has its data by now: it is not set up once more for each part.
        """
        try:
            parts = split_into_parts(planned.find_loaders())
            return [self._run(replace(planned, loaders=part, logs=False), sets_up=False) for part in parts]
        except Exception as error:  # the program may raise anything
            sys.stderr.write(f"parts of the data cannot be evaluated:\n{format_traceback(error)}")
            return []

    def _run(self, planned: _Evaluation, *, checkpoint: Path | None = None, sets_up: bool = True) -> dict[str, float]:
        """Run an evaluation; return what was logged. Without a checkpoint the weights are those of the module."""
        given: dict[str, Any] = {"verbose": False}
        run = getattr(planned.trainer, planned.stage)
        if checkpoint is not None:
            given |= self._checkpoint_arguments(run, checkpoint)
        given |= {"dataloaders": planned.loaders} if planned.data is None else {"datamodule": planned.data}
        package = package_of(type(planned.module))
        found: dict[str, float] = {}
        self._ours = found
        try:
            with (
                _serve_loaders(planned, sets_up=sets_up),
                _replace_loggers(planned.trainer, package, logs=planned.logs),
            ):
                run(planned.module, **given)
        finally:
            self._ours = None
        return found

    def _checkpoint_arguments(self, stage: Callable[..., Any], checkpoint: Path) -> dict[str, Any]:
        arguments: dict[str, Any] = {"ckpt_path": str(checkpoint)}
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
def _serve_loaders(planned: _Evaluation, *, sets_up: bool) -> Iterator[None]:
    """Let a datamodule return these loaders meanwhile, and be set up or not."""
    with contextlib.ExitStack() as patches:
        if planned.data is not None and planned.loaders is not None:
            patches.enter_context(patch_attribute(planned.data, planned.hook, lambda: planned.loaders))
        for name in () if planned.data is None or sets_up else ("prepare_data", "setup", "teardown"):
            patches.enter_context(patch_attribute(planned.data, name, _do_nothing))
        yield


def _do_nothing(*args: Any, **given: Any) -> None:
    """Stand in the place of a hook."""


@contextlib.contextmanager
def _replace_loggers(trainer: Any, package: ModuleType, *, logs: bool) -> Iterator[None]:
    """Let a Trainer log nowhere meanwhile, or into the version alone: the program may have closed its trackers' runs.

    A module that asks for ``self.logger.experiment`` finds one that takes everything, as in ``fast_dev_run``.
    """
    dummy = importlib.import_module(f"{package.__name__}.loggers.logger").DummyLogger
    before = trainer.loggers
    trainer.loggers = [each if logs and isinstance(each, VersionLogger) else dummy() for each in before]
    try:
        yield
    finally:
        trainer.loggers = before


@lru_cache
def held_out_callback_class(package: ModuleType) -> Any:
    """Return the callback's class, below the Callback of the Lightning package that the program uses."""
    return type("HeldOutCallback", (HeldOutCallback, package.Callback), {})

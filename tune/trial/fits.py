"""The fits of a program, what each of them logged, and which of them a trial's score comes from.

A fit is one ``Trainer.fit`` with what the program evaluates behind it; further fits of the same Trainer belong to it.

Whether a fit begins with weights that an earlier fit trained: fine-tuning does, a fold of cross-validation does not.

Weights are compared by their values, so it does not matter how they came: in one module, from a checkpoint, by
``load_state_dict``, or as a part of another module.
"""

import contextlib
import functools
import hashlib
import inspect
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tune.errors import MetricError, did_you_mean, list_names
from tune.experiment.counted_fits import OUTSIDE, CountedFits, FitsRule, Stage
from tune.internals.private_apis import patch_attribute
from tune.promotion.metric.metric import BY_STEP

if TYPE_CHECKING:
    import torch


MOST_NUMBERS = 65_536
"""Of a parameter that are looked at: training changes all of it, or nearly all."""


class TrainedWeights:
    """Remembers, by digests, the parameters that fits began with and those that they made of them."""

    def __init__(self) -> None:
        self._initial: set[bytes] = set()
        self._trained: dict[bytes, int] = {}  # the number of the last fit that had it

    @property
    def has_any(self) -> bool:
        """Whether training has changed any parameter so far."""
        return bool(self._trained)

    def begin_fit(self, number: int, module: "torch.nn.Module") -> int | None:
        """Return the last earlier fit that trained what a module holds as this one begins; None where none did."""
        digests = set(_hash_parameters(module))
        found = [self._trained[each] for each in digests & self._trained.keys() if self._trained[each] != number]
        self._initial |= digests - self._trained.keys()
        return max(found, default=None)

    def record_weights(self, number: int, module: "torch.nn.Module") -> None:
        """Remember what a fit has made of the parameters so far."""
        for digest in _hash_parameters(module):
            if digest not in self._initial:
                self._trained[digest] = number


def digest_weights(module: "torch.nn.Module") -> str:
    """Return a digest of a module's parameters; empty where it has none that can be looked at."""
    whole = hashlib.blake2b(digest_size=16)
    n_parameters = 0
    for digest in _hash_parameters(module):
        whole.update(digest)
        n_parameters += 1
    return whole.hexdigest() if n_parameters else ""


def _hash_parameters(module: "torch.nn.Module") -> Iterator[bytes]:
    import torch  # in the trial's process alone: others read what it found

    for parameter in module.parameters():
        with contextlib.suppress(RuntimeError, TypeError, ValueError):  # it may have no values yet
            values: Any = parameter.detach().reshape(-1)
            values = values[:: max(1, len(values) // MOST_NUMBERS)].cpu().contiguous()
            if len(values):
                yield hashlib.blake2b(values.view(torch.uint8).numpy().tobytes(), digest_size=16).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSummary:
    """What one fit did: plain data, for it was another process's."""

    module: str
    """The name of the LightningModule's class."""
    layers: frozenset[str]
    """The classes of the modules in it: one class may train different networks."""
    goes_on_with: int | None
    """The last earlier fit that trained weights which it began with; None: it trains a fresh module."""
    logged: Mapping[Stage, frozenset[str]]
    """The names of Lightning's ``callback_metrics`` that were logged, by stage."""
    max_epochs: int | None
    """Of the Trainer as the program built it; None where it has no such bound."""
    of_steps: frozenset[tuple[Stage, str]] = frozenset()
    """The names that hold the value of an epoch's last batch, one of several: they were logged for steps alone."""

    def has_metric(self, metric: str) -> bool:
        """Return whether a metric is logged in any stage."""
        return any(metric in names for names in self.logged.values())


NEVER_FITS = "the program never calls Trainer.fit"
NEVER_FITS_HINT = "It comes to its end without: an option, or a file that lies there, may lead it past its training."


def select_counted_fits(fits: Sequence[FitSummary], metric: str, rule: FitsRule | None) -> CountedFits:
    """Return which fits a trial's score comes from; ``rule`` None: what such programs mean.

    That is the mean where several fits train modules of one class with layers of the same classes, each a fresh one,
    as those of cross-validation are; else the last fit that logs the metric. Of fits that train the same weights
    further, the last stands for all. Raises MetricError where no fit does, or not the one that ``rule`` names.
    """
    logging = [number for number, fit in enumerate(fits, start=1) if fit.has_metric(metric)]
    names = sorted({name for fit in fits for logged in fit.logged.values() for name in logged})
    if not logging:
        raise _build_never_logged_error(fits, metric, names)
    last = fits[logging[-1] - 1]
    alike = [number for number in logging if _builds_the_same(fits[number - 1], last)]
    gone_on_with = {fits[number - 1].goes_on_with for number in logging}
    match rule:
        case int(number) if number not in logging:
            known = ", ".join(map(str, logging))
            raise MetricError(
                None, f"fit {number} does not log {metric!r}", f"Of its {len(fits)} fits these log it: {known}."
            )
        case int(number):
            counted = [number]
        case "mean":
            counted = logging
        case "last":
            counted = logging[-1:]
        case _:
            counted = [number for number in alike if number not in gone_on_with]
    chosen = fits[counted[-1] - 1]
    stage = _stage_of(chosen, metric)
    return CountedFits(
        numbers=tuple(counted),
        n_fits=len(fits),
        module=chosen.module,
        stage=stage,
        is_of_last_batch=(stage, metric) in chosen.of_steps,
        max_epochs=chosen.max_epochs,
    )


def _builds_the_same(one: FitSummary, other: FitSummary) -> bool:
    """Tell whether two fits train the same network, as far as classes tell: layers' sizes may depend on the fold."""
    return (one.module, one.layers) == (other.module, other.layers)


def _build_never_logged_error(fits: Sequence[FitSummary], metric: str, names: Sequence[str]) -> MetricError:
    listed, near = list_names(names, what="logged"), did_you_mean(metric, names)
    hint = listed if near is None else f"Did you mean {near!r}? {listed}"
    if not fits:
        return MetricError(None, NEVER_FITS, hint if names else NEVER_FITS_HINT)
    validates = any({"val", "validate"} & fit.logged.keys() for fit in fits)
    what = f"{metric!r} is never logged"
    return MetricError(None, what if validates else f"{what}, and nothing is validated", hint)


def _stage_of(fit: FitSummary, metric: str) -> Stage:
    """Return the stage whose value counts: validation within the fit before all others."""
    order: tuple[Stage, ...] = ("val", "train", "validate", "test")
    return next(stage for stage in order if metric in fit.logged.get(stage, ()))


def _is_same_metric(metric: str, name: str) -> bool:
    """Return whether Lightning may show under ``metric`` what was logged as ``name``."""
    return metric in (name, f"{name}_step", f"{name}_epoch") or metric.startswith(f"{name}/dataloader_idx_")


@dataclass(slots=True, kw_only=True)
class _LoggedFit:
    trainer: Any
    """A weak reference."""
    module: str
    layers: frozenset[str]
    max_epochs: int | None
    goes_on_with: int | None = None
    logged: dict[Stage, set[str]] = field(default_factory=dict)
    called: set[tuple[Stage, str]] = field(default_factory=set)
    of_steps: set[tuple[Stage, str]] = field(default_factory=set)


class FitLog:
    """Keeps, while a program runs, its fits and what ``LightningModule.log`` was called with in each."""

    def __init__(self, *, compares_weights: bool = False) -> None:
        """``compares_weights``: whether it is noted which fits train the weights of earlier ones."""
        self._weights = TrainedWeights() if compares_weights else None
        self._fits: list[_LoggedFit] = []
        self._is_restored = False
        self._module: Callable[[], Any] = lambda: None  # of the fit before
        self._fresh: set[tuple[Stage, str]] = set()
        self._max_epochs: weakref.WeakKeyDictionary[Any, int | None] = weakref.WeakKeyDictionary()
        self._ever: set[str] = set()

    @property
    def current_fit(self) -> int:
        """The number of the fit that runs, or ran last, from 1."""
        return len(self._fits)

    @property
    def metric_names(self) -> set[str]:
        """All names of ``callback_metrics`` that were logged."""
        return {name for fit in self._fits for names in fit.logged.values() for name in names}

    @property
    def fit_summaries(self) -> list[FitSummary]:
        """The fits so far."""
        return [
            FitSummary(
                module=fit.module,
                layers=fit.layers,
                goes_on_with=fit.goes_on_with,
                logged={stage: frozenset(names) for stage, names in fit.logged.items()},
                max_epochs=fit.max_epochs,
                of_steps=frozenset(fit.of_steps),
            )
            for fit in self._fits
        ]

    def add_trainer(self, trainer: Any, max_epochs: int | None) -> None:
        """Keep the bound of a Trainer as the program, or the space, gave it."""
        self._max_epochs[trainer] = max_epochs

    def begin_fit(self, trainer: Any, pl_module: Any) -> None:
        """Count a fit, unless the Trainer of the last one fits again."""
        if self._fits and self._fits[-1].trainer() is trainer:
            return
        max_epochs = self._max_epochs.get(trainer)
        self._fits.append(
            _LoggedFit(
                trainer=weakref.ref(trainer),
                module=type(pl_module).__qualname__,
                layers=frozenset(type(each).__qualname__ for each in pl_module.modules()),
                max_epochs=max_epochs if max_epochs is not None and max_epochs > 0 else None,
            )
        )

    def max_epochs_of(self, trainer: Any) -> int | None:
        """Return the bound of a Trainer as the program, or the space, gave it."""
        return self._max_epochs.get(trainer)

    def note_restored(self) -> None:
        """Take note that the fit that begins goes on from a checkpoint; it may be of an earlier run."""
        self._is_restored = True

    def compare_weights(self, pl_module: Any) -> None:
        """Take note of what the fit begins with, once all is restored."""
        if self._weights is None or self._fits[-1].goes_on_with is not None:
            return
        found = self._weights.begin_fit(self.current_fit, pl_module)
        before = self._module()
        is_same = before is pl_module and not self._weights.has_any  # training changes nothing here
        if found is None and (is_same or self._is_restored):
            found = self.current_fit - 1 or None
        self._is_restored = False
        self._fits[-1].goes_on_with = found
        self._module = weakref.ref(pl_module)

    def keep_weights(self, pl_module: Any) -> None:
        """Take note of what the fit has trained so far."""
        if self._weights is not None and self._fits:
            self._weights.record_weights(self.current_fit, pl_module)

    def add_logged_name(self, pl_module: Any, name: str, find_step_name: Callable[[], str | None]) -> None:
        """Take note of a name that a module logs, with the stage of its Trainer.

        ``find_step_name``: returns the name under which the value of the last step is left; None: under none.
        """
        trainer = getattr(pl_module, "_trainer", None)
        if trainer is None or trainer.sanity_checking:
            return
        stage = stage_of(trainer)
        fit = self._fits[-1] if self._fits else None
        if fit is not None and (stage, name) not in fit.called:
            fit.called.add((stage, name))
            if _has_several_batches(trainer, stage) and (step_name := find_step_name()) is not None:
                fit.of_steps.add((stage, step_name))
        self._fresh.add((stage, name))
        self._ever.add(name)

    def end_stage(self, trainer: Any, stage: Stage) -> None:
        """Take note of what a stage that ends has logged, by its names in ``callback_metrics``."""
        if self._fits:
            known = self._fits[-1].logged.setdefault(stage, set())
            known.update(name for name in trainer.callback_metrics if self.has_logged(name, stage))

    def has_logged(self, metric: str, stage: Stage) -> bool:
        """Return whether a stage has logged a metric since ``reset_stage``.

        What no call of ``LightningModule.log`` brought was put there by the program itself, whenever it likes.
        """
        if not any(_is_same_metric(metric, name) for name in self._ever):
            return stage in ("train", *OUTSIDE)
        return any(at == stage and _is_same_metric(metric, name) for at, name in self._fresh)

    def reset_stage(self, stage: Stage) -> None:
        """Count what a stage logs from now on alone."""
        self._fresh = {(at, name) for at, name in self._fresh if at != stage}


def stage_of(trainer: Any) -> Stage:
    """Return what a Trainer does now."""
    outside = OUTSIDE.get(str(trainer.state.fn and trainer.state.fn.value))
    return outside or ("val" if trainer.validating else "train")


def _has_several_batches(trainer: Any, stage: Stage) -> bool:
    """Tell whether an epoch of a stage has more than one batch."""
    if stage == "train":
        return bool(trainer.num_training_batches > 1)
    n_batches = sum(trainer.num_test_batches if stage == "test" else trainer.num_val_batches)
    return bool(n_batches > 1)


@contextlib.contextmanager
def record_logged_names(package: ModuleType, log: FitLog) -> Iterator[None]:
    """Let ``LightningModule.log`` note each name; ``log_dict`` and the ``log`` of callbacks call it."""
    module_class = package.LightningModule
    with patch_attribute(module_class, "log", _wrap_log(module_class.log, log, package)):
        yield


def _wrap_log(before: Callable[..., None], log: FitLog, package: ModuleType) -> Callable[..., None]:
    signature = inspect.signature(before)

    def find_step_name(call: inspect.BoundArguments) -> str | None:
        """Return ``loss`` of a value that is kept for steps alone, ``loss_step`` of one for steps and epochs."""
        from tune.internals.lightning_internals import is_logged_by_epoch  # it imports torch

        said = call.arguments
        if not is_logged_by_epoch(package, said["self"], said.get("on_epoch")):
            return str(said["name"])
        return f"{said['name']}{BY_STEP}" if said.get("on_step") else None

    @functools.wraps(before)
    def replacement(pl_module: Any, name: str, *args: Any, **given: Any) -> None:
        before(pl_module, name, *args, **given)
        log.add_logged_name(pl_module, name, lambda: find_step_name(signature.bind(pl_module, name, *args, **given)))

    return replacement

"""A space: what may vary of which program, how it is judged and how it is searched."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tune.errors import SpaceError, file_and_line
from tune.space.conditions import Condition
from tune.space.constraints import Requirement
from tune.space.dimensions import Dimension, Value, describe_dimension, is_continuous, is_number
from tune.space.library_args import arguments_of_class, check_argument
from tune.space.search_methods import BOUNDS, SAMPLERS, SCHEDULERS
from tune.space.settings import Settings

OURS = {"seed": "`seed:` sets it", "search_space": "it is the space's constants"}
"""Arguments of samplers that the search sets, with the reason."""


def check_search_args(settings: Settings, where_sampler: str | None, where_scheduler: str | None) -> None:
    """Raise SpaceError at an argument that the sampler or the scheduler does not take."""
    known = arguments_of_class("optuna", *SAMPLERS[settings.sampler].source)
    for name, value in settings.sampler_args.items():
        check_argument(name, value, known, OURS, f"sampler_args of {settings.sampler}", where_sampler)
    for name, value in settings.scheduler_args.items():
        _check_scheduler_arg(settings.scheduler, name, value, where_scheduler)


def _check_scheduler_arg(scheduler: str, name: str, value: Value, where: str | None) -> None:
    owner = f"scheduler_args of {scheduler}"
    known = SCHEDULERS[scheduler].arguments
    if not known:
        raise SpaceError(where, f"the scheduler {scheduler} takes no arguments, got {name!r}", "Take it out.")
    check_argument(name, value, known, {}, owner, where)
    if not is_number(value):
        return
    least, most = BOUNDS[name]
    if not (least <= value < math.inf):  # NaN neither
        raise SpaceError(where, f"{owner}: {name} must be at least {least:g}, got {value}", "Write a larger number.")
    if value > most:
        raise SpaceError(where, f"{owner}: {name} must be at most {most:g}, got {value}", "Write a smaller number.")


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The program exposes a LightningModule and its data, and leaves the Trainer to us."""

    class_name: str | None = None
    """Its LightningModule; None where the program holds one alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The program builds its own Trainer and calls `fit` itself."""

    args: tuple[str, ...] = ()
    """What it is given on its command line."""


Shape = System | Script
Mode = Literal["min", "max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What a search is after."""

    metric: str
    """A name given to `self.log`."""
    mode: Mode
    """Whether less or more of it is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A space file, read and checked as far as it can be without the program's source."""

    path: Path
    """The file, absolute."""
    program: Path
    """The program's file, absolute."""
    shape: Shape
    """How the program is run."""
    metric: str
    """A name given to `self.log`."""
    mode: Mode
    """Whether less or more of the metric is better."""
    others: tuple[Objective, ...] = ()
    """Further metrics. The one above leads: a trial is worth what all of them are in its best epoch by that one."""
    dimensions: dict[str, Dimension]
    """What each constant may be, by the name that the file uses, in its order; at least one."""
    settings: Settings
    """The optional keys; the command line's options replace them."""
    conditions: dict[str, Condition] = field(default_factory=dict)
    """Of the constants that vary only when others have certain values."""
    requirements: tuple[Requirement, ...] = ()
    """What must be true of every configuration but the baseline."""
    lines: dict[str, int]
    """The line of ``constants`` and ``constants.LR``, counted from 1."""
    origin: str | None = None
    """What an error calls the space where no file holds it: ``search()``. None: by its file."""

    @property
    def name(self) -> str:
        """The file's name without its suffix: ``lr_bs``."""
        return self.path.stem

    @property
    def args(self) -> tuple[str, ...]:
        """What a script is given on its command line."""
        return self.shape.args if isinstance(self.shape, Script) else ()

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """Every metric, the leading one first."""
        return (Objective(metric=self.metric, mode=self.mode), *self.others)

    @property
    def goal(self) -> str:
        """What the search is after, in words: ``maximise Accuracy/Val, minimise n_params``."""
        words = {"min": "minimise", "max": "maximise"}
        return ", ".join(f"{words[each.mode]} {each.metric}" for each in self.objectives)

    @property
    def stops_early(self) -> bool:
        """Whether a scheduler stops weak trials: of several metrics one has to be named for it."""
        settings = self.settings
        return settings.scheduler != "none" and (not self.others or "metric" in settings.scheduler_args)

    @property
    def trains_repeats(self) -> bool:
        """Whether a configuration that has finished is trained once more: the members of a population part later."""
        return self.settings.repeats or self.settings.scheduler == "pbt"

    def place_of_entry(self, key: str) -> str:
        """Return ``file:line`` of an entry such as ``constants.LR``, the file where it has none, or the origin."""
        return self.origin or file_and_line(self.path, self.lines.get(key))


def note_space(space: Space) -> dict[str, Any]:
    """Return what trials run by, for the ledger: the settings, and each constant's range in words."""
    ranges = {f"constants.{key}": describe_dimension(dimension) for key, dimension in space.dimensions.items()}
    return {**asdict(space.settings), **ranges}


def check_settings(space: Space) -> None:
    """Raise SpaceError where settings do not go together; once for the file, and again with the command line's."""
    check_search_args(space.settings, space.place_of_entry("sampler_args"), space.place_of_entry("scheduler_args"))
    _check_grid(space)
    _check_several(space)
    _check_population(space)
    scheduler, checkpoints = space.settings.scheduler, space.settings.checkpoints
    if checkpoints in ("best", "none") and SCHEDULERS[scheduler].pauses_trials and space.stops_early:
        what = f"checkpoints: {scheduler} pauses trials, which go on from their last checkpoint, got {checkpoints}"
        raise SpaceError(space.place_of_entry("checkpoints"), what, "Leave it out, or take another scheduler.")
    _check_seeds(space)


def _check_seeds(space: Space) -> None:
    settings = space.settings
    if settings.seeds_per_trial == 1:
        return
    if settings.fits not in ("auto", "mean"):
        what = f"seeds_per_trial: the score is the mean over all seeds, got `fits: {settings.fits}`"
        raise SpaceError(space.place_of_entry("seeds_per_trial"), what, "Take one of the two out.")
    if SCHEDULERS[settings.scheduler].pauses_trials and space.stops_early:
        what = f"seeds_per_trial: {settings.scheduler} pauses trials, and one of several seeds begins anew"
        raise SpaceError(space.place_of_entry("seeds_per_trial"), what, "Take asha, median or none.")


def _check_grid(space: Space) -> None:
    if space.settings.sampler != "grid":
        return
    for key, dimension in space.dimensions.items():
        if is_continuous(dimension):
            what = f"sampler: a grid has no points on a continuous range, got {key}: {describe_dimension(dimension)}"
            hint = f"Write {key} as a choice, an int range or `quniform: [low, high, q]`, or take another sampler."
            raise SpaceError(space.place_of_entry("sampler"), what, hint)


def _check_several(space: Space) -> None:
    named = space.settings.scheduler_args.get("metric")
    if named is not None and named != space.metric:
        owner = f"scheduler_args of {space.settings.scheduler}"
        what = f"{owner}: trials are compared by the first metric, {space.metric}, got metric={named!r}"
        hint = "Put it first under `metric`." if named in {each.metric for each in space.others} else "Take it out."
        raise SpaceError(space.place_of_entry("scheduler_args"), what, hint)
    if space.others and space.settings.sampler == "cmaes":
        what = f"sampler: cmaes follows one metric, got {1 + len(space.others)}"
        raise SpaceError(space.place_of_entry("sampler"), what, "Take tpe, gp, qmc, random or grid.")


def _check_population(space: Space) -> None:
    if space.settings.scheduler == "pbt" and space.conditions:
        name = next(iter(space.conditions))
        what = f"constants: pbt changes every constant while a trial trains, and knows no `when`, got one at {name}"
        raise SpaceError(
            space.place_of_entry(f"constants.{name}"), what, "Take the condition out, or take another scheduler."
        )

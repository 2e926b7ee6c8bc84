"""How a space is searched: the optional keys of a space file. A command-line option of the same name wins.

SETTINGS is the table of them: the space file, the command line and its help, ``resume`` and the API go by it.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tune.errors import SpaceError, suggest_name
from tune.space.dimensions import Value, is_int, is_number
from tune.space.library_args import check_trainer_args
from tune.space.parse_dimension import as_number
from tune.space.search_methods import SAMPLERS, SCHEDULERS

LEAST_SHARE = 1e-4
"""Ray counts cores and GPUs in ten-thousandths."""

AUTO: Literal["auto"] = "auto"
"""Of `gpus_per_trial`: as much of a GPU as the pre-flight says that a trial needs."""

CHECKPOINTS = (AUTO, "epoch", "best", "none")
"""When checkpoints are written, in words; a time is one more way to say it."""

RACE_SHARE = 0.2
"""The share of a time budget that the race of a confirmation takes at most: more costs more than it finds."""
CONFIRM_SHARE = 0.5
"""The share of a time budget that a confirmation takes from the search at most, the runs of its verdict too."""

MOST_CONFIRMED = 100
"""Trials that race, and seeds of a race: more is a search of its own."""

MAX_SEED = 2**32 - 1
"""NumPy takes no larger seed."""

UNITS_S = {"d": 86400, "h": 3600, "m": 60, "s": 1}
DURATION = re.compile(r"(?:([0-9.]+)d)?(?:([0-9.]+)h)?(?:([0-9.]+)m)?(?:([0-9.]+)s)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """How the best trials of a search are confirmed."""

    top: int = 3
    """How many of them race for being the best."""
    seeds: int = 3
    """How many fresh seeds the race has at most."""

    def count_runs(self, n_verdict_seeds: int) -> int:
        """Return how many whole trainings it takes at most, with so many seeds of the verdict."""
        return (self.top * self.seeds if self.top > 1 else 0) + 2 * n_verdict_seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The optional keys, each with its default."""

    trials: int = 20
    """How many trials in all, the baseline and those taken from the ledger included."""
    time_budget_s: float | None = None
    """Seconds after which no new trial starts; None for no limit. `time_budget` in the file, as in ``1h30m``."""
    sampler: str = "tpe"
    """Who draws the next values: one of SAMPLERS."""
    sampler_args: dict[str, Value] = field(default_factory=dict)
    """Keyword arguments of the Optuna sampler."""
    scheduler: str = "asha"
    """Who stops weak trials: one of SCHEDULERS."""
    scheduler_args: dict[str, Value] = field(default_factory=dict)
    """Keyword arguments of the scheduler."""
    trainer: dict[str, Value] = field(default_factory=dict)
    """Arguments of the Lightning Trainer, over those that the program gives."""
    cpus_per_trial: float | None = None
    """CPU cores that a trial takes, above 0; None for one, and one for each further DataLoader worker."""
    gpus_per_trial: float | Literal["auto"] | None = None
    """GPUs that a trial takes: 0, a share of one, or a whole number; AUTO to measure it, None to go by the machine."""
    workers_per_trial: int | None = None
    """Processes that train a trial together; None for one, and with two GPUs or more one for each."""
    concurrency: int | None = None
    """Trials that run at once; None for as many as fit."""
    repeats: bool = False
    """Whether a configuration that has finished is trained once more when it is drawn again."""
    hang_after_s: float = 600
    """Seconds of silence after which a trial fails, and at least 10 of its epochs. `hang_after` in the file."""
    give_up_after: int = 5
    """Failures in a row with one cause that end the search."""
    fits: Literal["auto", "mean", "last"] | int = AUTO
    """Which fits count where a program fits several times: all (their mean), the last, or one by its number from 1.
    AUTO: the mean where each trains a fresh module of one class, else the last."""
    max_failures: int = 1
    """How often a trial whose process died goes on from its last checkpoint."""
    own_folder: bool = False
    """Give each trial a working directory of its own; data at relative paths is not found from there."""
    keep_checkpoints: int | None = None
    """How many trials keep theirs beside the baseline and those that run, the best; None: all, while the disk lasts."""
    checkpoints: Literal["auto", "epoch", "best", "none"] | float = AUTO
    """When a trial writes: after each epoch, each best one, never, or at most once in so many seconds. AUTO: after each
    epoch, unless that takes more than a twentieth of the time. The best epoch's is written whenever any is."""
    confirm: Confirm | None = None
    """Whether the best trials are trained again with fresh seeds at the end, for a verdict on their gain; None: no."""
    holdout: float | None = None
    """The share of the validation set that no trial is scored on, above 0 and below 1: `retrain` measures the gain on
    it. None: trials are scored on all of it."""
    seeds_per_trial: int = 1
    """How many seeds a trial is trained with: its score is their mean, and it is judged after each."""
    seed: int = 0
    """Of the sampler, and the program's seed in every trial: trials differ by their constants alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known of one key of a space file beside its default and its meaning, which Settings has."""

    check: Callable[[Value, str | None], Any]
    """Returns the value as Settings holds it; raises SpaceError at a place."""
    help: str | None = None
    """What the option of the same name does; None: there is no such option."""
    placeholder: str = "N"
    """What stands for its value in the help; empty for an option that is true when it is given."""
    is_text: bool = False
    """Whether the value of the option is never a number or a list."""
    may_change: bool = False
    """Whether `resume` may change it in the middle of a search."""


def check_setting(name: str, value: Value, where: str | None) -> Any:
    """Return a setting as Settings holds it; ``name`` as the file writes it. Raise SpaceError at ``where``."""
    return SETTINGS[name].check(value, where)


def set_to(settings: Settings, name: str, value: Value, where: str | None) -> Settings:
    """Return the settings with one more checked; entries of `trainer` and the `_args` are added to those there."""
    checked = check_setting(name, value, where)
    if name == "confirm" and value is True and settings.confirm is not None:
        return settings  # the option says no more than that: how is what the file says
    if isinstance(checked, dict):
        checked = {**getattr(settings, name), **checked}
    return replace(settings, **{field_of_setting(name): checked})


def field_of_setting(name: str) -> str:
    """Return the field of Settings that holds a key of a space file; that of a time says its unit."""
    return name if name in Settings.__dataclass_fields__ else f"{name}_s"


def check_gpus_per_trial(value: Value, where: str | None) -> float | Literal["auto"] | None:
    """Return how many GPUs a trial takes."""
    if value is None:
        return None
    if value == AUTO:
        return AUTO
    if not is_number(value) or not 0 <= value < math.inf:
        what = f"gpus_per_trial: must be 0 or more, or auto, got {value!r}"
        raise SpaceError(where, what, "Write `gpus_per_trial: 0.5`.")
    if 0 < value < LEAST_SHARE:
        raise SpaceError(
            where,
            f"gpus_per_trial: a share must be at least {LEAST_SHARE}, got {value!r}",
            "Write `gpus_per_trial: 0.1`.",
        )
    if value > 1 and value != int(value):
        what = f"gpus_per_trial: above 1 only whole GPUs can be given out, got {value}"
        raise SpaceError(where, what, f"Write {int(value)} or {int(value) + 1}.")
    return value


def check_checkpoints(value: Value, where: str | None) -> Value:
    """Return when checkpoints are written: a word, or seconds, of ``10m``."""
    if value in CHECKPOINTS:
        return value
    seconds = None if value is None or isinstance(value, bool) else _parse_seconds(value)
    if seconds is not None and 0 < seconds < math.inf:
        return seconds
    what = f"checkpoints: must be {', '.join(CHECKPOINTS)} or a time, got {value!r}"
    raise SpaceError(where, what, "Write `checkpoints: best`, or `checkpoints: 10m`.")


def check_confirm(value: Value, where: str | None) -> Confirm | None:
    """Return how the best trials are confirmed, of ``true`` or ``{top: 3, seeds: 3}``; None for ``false``."""
    if value is None or isinstance(value, bool):
        return Confirm() if value else None
    example = "confirm: {top: 3, seeds: 3}"
    if not isinstance(value, dict):
        what = f"confirm: must be true, false or a mapping, got {value!r}"
        raise SpaceError(where, what, f"Write `confirm: true` or `{example}`.")
    numbers: dict[str, int] = {}
    for name, number in value.items():
        if name not in ("top", "seeds"):
            hint = suggest_name(str(name), ("top", "seeds"), what="keys of `confirm`")
            raise SpaceError(where, f"confirm: no such key, got {name!r}", hint)
        least = 2 if name == "seeds" else 1
        if not is_int(number) or not least <= number <= MOST_CONFIRMED:
            what = f"confirm: {name} must be a whole number, {least} to {MOST_CONFIRMED}, got {number!r}"
            raise SpaceError(where, what, f"Write `{example}`.")
        numbers[name] = number
    return Confirm(**numbers)


def _check_trainer(value: Value, where: str | None) -> dict[str, Value]:
    arguments: dict[str, Value] = _mapping("trainer", "{max_epochs: 10}")(value, where)
    check_trainer_args(arguments, where)
    return arguments


def _build_check(
    name: str, what: str, example: object, holds: Callable[[Value], bool], *, or_none: bool = False
) -> Callable[[Value, str | None], Any]:
    """Return what refuses each value that is not ``what``, in words; ``holds`` tells."""

    def check_value(value: Value, where: str | None) -> Any:
        if (value is None and or_none) or holds(value):
            return value
        raise SpaceError(where, f"{name}: must be {what}, got {value!r}", f"Write `{name}: {example}`.")

    return check_value


def _whole_number(
    name: str, example: int, *, least: int = 1, most: float = math.inf, or_none: bool = False
) -> Callable[[Value, str | None], Any]:
    what = f"a whole number, {least} {'or more' if most == math.inf else f'to {most}'}"
    return _build_check(name, what, example, lambda value: is_int(value) and least <= value <= most, or_none=or_none)


def _true_or_false(name: str) -> Callable[[Value, str | None], Any]:
    return _build_check(name, "true or false", "true", lambda value: isinstance(value, bool))


def _mapping(name: str, example: str) -> Callable[[Value, str | None], Any]:
    return _build_check(name, "a mapping", example, lambda value: isinstance(value, dict))


def _one_of(name: str, known: Collection[str]) -> Callable[[Value, str | None], str]:
    def check_value(value: Value, where: str | None) -> str:
        if value is None:
            raise SpaceError(where, f"{name}: no name, got null", f"{name.capitalize()}s: {', '.join(known)}.")
        if not isinstance(value, str) or value not in known:
            hint = suggest_name(str(value), known, what=f"{name}s")
            raise SpaceError(where, f"{name}: no such {name}, got {value!r}", hint)
        return value

    return check_value


def _time(name: str, *, or_none: bool = False) -> Callable[[Value, str | None], float | None]:
    """Return what reads seconds, of ``1h30m``, ``90s`` or a plain number of them."""

    def check_value(value: Value, where: str | None) -> float | None:
        if value is None and or_none:
            return None
        seconds = None if value is None else _parse_seconds(value)
        if seconds is None or not 0 < seconds < math.inf:
            what = f"{name}: must be a time above 0, got {value!r}"
            raise SpaceError(where, what, "Write `30m`, `1h30m` or seconds.")
        return seconds

    return check_value


def _parse_seconds(value: Value) -> float | None:
    number = as_number(value) if isinstance(value, str) else value  # the command line has text alone
    try:
        return float(number) if is_number(number) else _parse_duration(str(value))
    except OverflowError:
        return None


def _parse_duration(text: str) -> float | None:
    match = DURATION.fullmatch(text)
    if match is None or not text:
        return None
    numbers = [as_number(part or "0") for part in match.groups()]
    if None in numbers:  # 1.2.3h
        return None
    return float(sum(number * unit for number, unit in zip(numbers, UNITS_S.values(), strict=True) if number))


def _list_words(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}"


SETTINGS = {
    "trials": Setting(
        check=_whole_number("trials", 20), help="number of trials, the baseline included", may_change=True
    ),
    "time_budget": Setting(
        check=_time("time_budget", or_none=True),
        help="start no trial after this time: 30m, 2h, 1h30m or seconds",
        placeholder="TIME",
        is_text=True,
        may_change=True,
    ),
    "seed": Setting(
        check=_whole_number("seed", 0, least=0, most=MAX_SEED), help="seed of the sampler and of every trial"
    ),
    "seeds_per_trial": Setting(
        check=_whole_number("seeds_per_trial", 3, most=MOST_CONFIRMED),
        help="train each trial with N seeds, and judge it by their mean",
    ),
    "sampler": Setting(
        check=_one_of("sampler", SAMPLERS), help=_list_words(SAMPLERS), placeholder="NAME", is_text=True
    ),
    "sampler_args": Setting(check=_mapping("sampler_args", "{n_startup_trials: 10}")),
    "scheduler": Setting(
        check=_one_of("scheduler", SCHEDULERS), help=_list_words(SCHEDULERS), placeholder="NAME", is_text=True
    ),
    "scheduler_args": Setting(check=_mapping("scheduler_args", "{grace_period: 2}")),
    "trainer": Setting(check=_check_trainer),
    "concurrency": Setting(
        check=_whole_number("concurrency", 2, or_none=True), help="trials at a time", may_change=True
    ),
    "cpus_per_trial": Setting(
        check=_build_check(
            "cpus_per_trial",
            "a number above 0",
            1,
            lambda value: is_number(value) and LEAST_SHARE <= value < math.inf,
            or_none=True,
        ),
        help="cores for each trial; default: one, or one for each DataLoader worker",
        may_change=True,
    ),
    "gpus_per_trial": Setting(
        check=check_gpus_per_trial,
        help="GPUs for each trial; 0.5: two share one; auto: as many share one as have room",
        may_change=True,
    ),
    "workers_per_trial": Setting(
        check=_whole_number("workers_per_trial", 2, or_none=True),
        help="processes that train a trial together, with DDP",
    ),
    "fits": Setting(
        check=_build_check(
            "fits",
            "auto, mean, last or the number of a fit",
            "mean",
            lambda value: value in ("auto", "mean", "last") or (is_int(value) and value >= 1),
        ),
        help="which fits count where a program fits several times: auto, mean, last or a number",
        placeholder="WHICH",
    ),
    "max_failures": Setting(
        check=_whole_number("max_failures", 1, least=0),
        help="how often a trial is tried again after its worker died",
        may_change=True,
    ),
    "give_up_after": Setting(
        check=_whole_number("give_up_after", 5),
        help="end the search after N failures in a row with one cause",
        may_change=True,
    ),
    "hang_after": Setting(
        check=_time("hang_after"),
        help="fail a trial that is silent for this time, and for 10 epochs: 10m",
        placeholder="TIME",
        is_text=True,
        may_change=True,
    ),
    "own_folder": Setting(
        check=_true_or_false("own_folder"), help="give each trial a working directory of its own", placeholder=""
    ),
    "keep_checkpoints": Setting(
        check=_whole_number("keep_checkpoints", 3, or_none=True),
        help="keep those of the best N trials, of the baseline and of running trials",
        may_change=True,
    ),
    "checkpoints": Setting(
        check=check_checkpoints,
        help="when a trial writes them: auto, epoch, best, none or a time such as 10m",
        placeholder="WHEN",
        is_text=True,
        may_change=True,
    ),
    "confirm": Setting(
        check=check_confirm,
        help="train the best trials again at the end, with fresh seeds, to see whether the gain is real",
        placeholder="",
        may_change=True,
    ),
    "holdout": Setting(
        check=_build_check(
            "holdout",
            "a share above 0 and below 1",
            0.2,
            lambda value: is_number(value) and 0 < value < 1,
            or_none=True,
        ),
        help="share of the validation set that only `retrain` evaluates: 0.2",
        placeholder="SHARE",
    ),
    "repeats": Setting(
        check=_true_or_false("repeats"), help="train a configuration again if it is drawn again", placeholder=""
    ),
}
"""Every setting as the file writes it, in the order of the help. An option wins over the key of its name."""

MAY_CHANGE = tuple(name for name, setting in SETTINGS.items() if setting.may_change)
"""Settings that `resume` may change in the middle of a search; an edited space file may change others too."""

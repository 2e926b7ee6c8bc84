"""How a space is searched: the optional keys of a space file. A command-line option of the same name wins.

Each setting has one check, and the file and the command line both call it.
"""

import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tune.errors import SpaceError, suggest_name
from tune.space.dimensions import Value, is_int, is_number
from tune.space.library_args import SAMPLERS, SCHEDULERS, check_trainer_args
from tune.space.yaml_scalar import as_number

DURATIONS = ("time_budget", "hang_after")
"""Settings that are times; Settings holds them in seconds, with `_s` behind their name."""

LEAST_SHARE = 1e-4
"""Ray counts cores and GPUs in ten-thousandths."""

AUTO: Literal["auto"] = "auto"
"""Of `gpus_per_trial`: as much of a GPU as the pre-flight says that a trial needs."""

MAY_CHANGE = (
    *("trials", "time_budget", "concurrency", "cpus_per_trial", "gpus_per_trial"),
    *("max_failures", "give_up_after", "hang_after", "keep_checkpoints", "checkpoints", "confirm"),
)
"""Settings that `resume` may change in the middle of a search; an edited space file may change others too."""

CHECKPOINTS = (AUTO, "epoch", "best", "none")
"""When checkpoints are written, in words; a time is one more way to say it."""

SEEDS_OF_FIRST_VERDICT = 6
"""Fresh seeds that the first verdict on a program takes; a later one takes some more."""

CONFIRM_SHARE = 0.2
"""The share of a time budget that a confirmation takes from the search at most: more costs more than it finds."""

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

    @property
    def n_runs(self) -> int:
        """How many whole trainings it takes at most, where the verdict is the first one on its program."""
        return (self.top * self.seeds if self.top > 1 else 0) + 2 * SEEDS_OF_FIRST_VERDICT


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


def check_setting(name: str, value: Value, where: str | None) -> Value | Confirm:
    """Return a setting as Settings holds it; ``name`` as the file writes it. Raise SpaceError at ``where``."""
    return CHECKS[name](value, where)


def set_to(settings: Settings, name: str, value: Value, where: str | None) -> Settings:
    """Return the settings with one more checked; entries of `trainer` and the `_args` are added to those there."""
    checked = check_setting(name, value, where)
    if name == "confirm" and value is True and settings.confirm is not None:
        return settings  # the option says no more than that: how is what the file says
    field_name = f"{name}_s" if name in DURATIONS else name
    if isinstance(checked, dict):
        checked = {**getattr(settings, field_name), **checked}
    changes: dict[str, Any] = {field_name: checked}
    return replace(settings, **changes)


def check_trials(value: Value, where: str | None) -> int:
    """Return how many trials to run."""
    return _check_whole_number("trials", value, where, least=1, example="trials: 20")


def check_time_budget(value: Value, where: str | None) -> float | None:
    """Return seconds, of ``1h30m``, ``90s`` or a plain number of them."""
    return None if value is None else _check_time("time_budget", value, where)


def check_hang_after(value: Value, where: str | None) -> float:
    """Return seconds."""
    return _check_time("hang_after", value, where)


def check_give_up_after(value: Value, where: str | None) -> int:
    """Return how many failures in a row end the search."""
    return _check_whole_number("give_up_after", value, where, least=1, example="give_up_after: 5")


def check_sampler(value: Value, where: str | None) -> str:
    """Return the sampler's name."""
    return _one_of("sampler", value, where, SAMPLERS)


def check_scheduler(value: Value, where: str | None) -> str:
    """Return the scheduler's name."""
    return _one_of("scheduler", value, where, SCHEDULERS)


def check_cpus_per_trial(value: Value, where: str | None) -> float | None:
    """Return how many cores a trial takes."""
    if value is None:
        return None
    if is_number(value) and LEAST_SHARE <= value < math.inf:
        return value
    raise _build_error(where, f"cpus_per_trial: must be a number above 0, got {value!r}", "Write `cpus_per_trial: 1`.")


def check_gpus_per_trial(value: Value, where: str | None) -> float | Literal["auto"] | None:
    """Return how many GPUs a trial takes."""
    if value is None:
        return None
    if value == AUTO:
        return AUTO
    if not is_number(value) or not 0 <= value < math.inf:
        what = f"gpus_per_trial: must be 0 or more, or auto, got {value!r}"
        raise _build_error(where, what, "Write `gpus_per_trial: 0.5`.")
    if 0 < value < LEAST_SHARE:
        raise _build_error(
            where, f"gpus_per_trial: no share is that small, got {value!r}", "Write `gpus_per_trial: 0.1`."
        )
    if value > 1 and value != int(value):
        what = f"gpus_per_trial: above 1 only whole GPUs can be given out, got {value}"
        raise _build_error(where, what, f"Write {int(value)} or {int(value) + 1}.")
    return value


def check_workers_per_trial(value: Value, where: str | None) -> int | None:
    """Return how many processes train a trial together."""
    if value is None:
        return None
    return _check_whole_number("workers_per_trial", value, where, least=1, example="workers_per_trial: 2")


def check_concurrency(value: Value, where: str | None) -> int | None:
    """Return how many trials run at once."""
    if value is None:
        return None
    return _check_whole_number("concurrency", value, where, least=1, example="concurrency: 2")


def check_repeats(value: Value, where: str | None) -> bool:
    """Return whether a configuration that is drawn again is trained again."""
    if isinstance(value, bool):
        return value
    raise _build_error(where, f"repeats: must be true or false, got {value!r}", "Write `repeats: true`.")


def check_max_failures(value: Value, where: str | None) -> int:
    """Return how often a trial goes on after its process died."""
    return _check_whole_number("max_failures", value, where, least=0, example="max_failures: 1")


def check_fits(value: Value, where: str | None) -> Value:
    """Return which fits count."""
    if value in ("auto", "mean", "last") or (is_int(value) and value >= 1):
        return value
    what = f"fits: must be auto, mean, last or the number of a fit, got {value!r}"
    raise _build_error(where, what, "Write `fits: mean`.")


def check_own_folder(value: Value, where: str | None) -> bool:
    """Return whether each trial has a working directory of its own."""
    if isinstance(value, bool):
        return value
    raise _build_error(where, f"own_folder: must be true or false, got {value!r}", "Write `own_folder: true`.")


def check_keep_checkpoints(value: Value, where: str | None) -> int | None:
    """Return how many trials keep their checkpoints."""
    if value is None:
        return None
    return _check_whole_number("keep_checkpoints", value, where, least=1, example="keep_checkpoints: 3")


def check_checkpoints(value: Value, where: str | None) -> Value:
    """Return when checkpoints are written: a word, or seconds, of ``10m``."""
    if value in CHECKPOINTS:
        return value
    seconds = None if value is None or isinstance(value, bool) else _parse_seconds(value)
    if seconds is not None and 0 < seconds < math.inf:
        return seconds
    what = f"checkpoints: must be {', '.join(CHECKPOINTS)} or a time, got {value!r}"
    raise _build_error(where, what, "Write `checkpoints: best`, or `checkpoints: 10m`.")


def check_seeds_per_trial(value: Value, where: str | None) -> int:
    """Return how many seeds a trial is trained with."""
    n_seeds = _check_whole_number("seeds_per_trial", value, where, least=1, example="seeds_per_trial: 3")
    if n_seeds > MOST_CONFIRMED:
        what = f"seeds_per_trial: must be at most {MOST_CONFIRMED}, got {n_seeds}"
        raise _build_error(where, what, "Write `seeds_per_trial: 3`.")
    return n_seeds


def check_confirm(value: Value, where: str | None) -> Confirm | None:
    """Return how the best trials are confirmed, of ``true`` or ``{top: 3, seeds: 3}``; None for ``false``."""
    if value is None or isinstance(value, bool):
        return Confirm() if value else None
    example = "confirm: {top: 3, seeds: 3}"
    if not isinstance(value, dict):
        what = f"confirm: must be true, false or a mapping, got {value!r}"
        raise _build_error(where, what, f"Write `confirm: true` or `{example}`.")
    numbers: dict[str, int] = {}
    for name, number in value.items():
        if name not in ("top", "seeds"):
            hint = suggest_name(str(name), ("top", "seeds"), what="keys of `confirm`")
            raise _build_error(where, f"confirm: no such key, got {name!r}", hint)
        least = 2 if name == "seeds" else 1
        if not is_int(number) or not least <= number <= MOST_CONFIRMED:
            what = f"confirm: {name} must be a whole number, {least} to {MOST_CONFIRMED}, got {number!r}"
            raise _build_error(where, what, f"Write `{example}`.")
        numbers[name] = number
    return Confirm(**numbers)


def check_holdout(value: Value, where: str | None) -> float | None:
    """Return the share of the validation set that the search does not see."""
    if value is None:
        return None
    if is_number(value) and 0 < value < 1:
        return value
    what = f"holdout: must be a share above 0 and below 1, got {value!r}"
    raise _build_error(where, what, "Write `holdout: 0.2`.")


def check_seed(value: Value, where: str | None) -> int:
    """Return the seed."""
    seed = _check_whole_number("seed", value, where, least=0, example="seed: 0")
    if seed > MAX_SEED:
        raise _build_error(
            where, f"seed: must be at most {MAX_SEED}, got {seed}", "Write a smaller one, such as `seed: 0`."
        )
    return seed


def check_trainer(value: Value, where: str | None) -> dict[str, Value]:
    """Return the Trainer's arguments."""
    arguments = _check_mapping("trainer", value, where, example="trainer: {max_epochs: 10}")
    check_trainer_args(arguments, where)
    return arguments


def _sampler_args(value: Value, where: str | None) -> dict[str, Value]:
    return _check_mapping("sampler_args", value, where, example="sampler_args: {n_startup_trials: 10}")


def _scheduler_args(value: Value, where: str | None) -> dict[str, Value]:
    return _check_mapping("scheduler_args", value, where, example="scheduler_args: {grace_period: 2}")


CHECKS: dict[str, Callable[[Value, str | None], Value | Confirm]] = {
    "trials": check_trials,
    "time_budget": check_time_budget,
    "sampler": check_sampler,
    "sampler_args": _sampler_args,
    "scheduler": check_scheduler,
    "scheduler_args": _scheduler_args,
    "trainer": check_trainer,
    "cpus_per_trial": check_cpus_per_trial,
    "gpus_per_trial": check_gpus_per_trial,
    "workers_per_trial": check_workers_per_trial,
    "concurrency": check_concurrency,
    "repeats": check_repeats,
    "hang_after": check_hang_after,
    "give_up_after": check_give_up_after,
    "max_failures": check_max_failures,
    "fits": check_fits,
    "own_folder": check_own_folder,
    "keep_checkpoints": check_keep_checkpoints,
    "checkpoints": check_checkpoints,
    "confirm": check_confirm,
    "holdout": check_holdout,
    "seeds_per_trial": check_seeds_per_trial,
    "seed": check_seed,
}
"""Every setting as the file writes it."""


def _build_error(where: str | None, what: str, hint: str) -> SpaceError:
    return SpaceError(where, what, hint)


def _check_whole_number(name: str, value: Value, where: str | None, *, least: int, example: str) -> int:
    if is_int(value) and value >= least:
        return value
    raise _build_error(where, f"{name}: must be a whole number, {least} or more, got {value!r}", f"Write `{example}`.")


def _one_of(name: str, value: Value, where: str | None, known: Collection[str]) -> str:
    if value is None:
        raise _build_error(where, f"{name}: no name, got null", f"{name.capitalize()}s: {', '.join(known)}.")
    if not isinstance(value, str) or value not in known:
        raise _build_error(
            where, f"{name}: no such {name}, got {value!r}", suggest_name(str(value), known, what=f"{name}s")
        )
    return value


def _check_mapping(name: str, value: Value, where: str | None, *, example: str) -> dict[str, Value]:
    if isinstance(value, dict):
        return value
    raise _build_error(where, f"{name}: must be a mapping, got {value!r}", f"Write `{example}`.")


def _check_time(name: str, value: Value, where: str | None) -> float:
    seconds = None if value is None else _parse_seconds(value)
    if seconds is None or not 0 < seconds < math.inf:
        raise _build_error(where, f"{name}: must be a time above 0, got {value!r}", "Write `30m`, `1h30m` or seconds.")
    return seconds


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

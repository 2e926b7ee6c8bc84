"""Checks of a space: what its author may not have meant, and whether a configuration can be drawn from it."""

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Protocol, TypeGuard

from tune.errors import SpaceError
from tune.promotion.metric.metric import is_of_training
from tune.space.conditions import draw_config, only_active
from tune.space.constraints import Requirement
from tune.space.dimensions import (
    Choice,
    Dimension,
    FloatRange,
    Value,
    describe_dimension,
    is_in_dimension,
    is_int,
    is_number,
)
from tune.space.space import Space

LOG_NAMES = re.compile(r"(?:^|_)(?:lr|wd|learning_rate|weight_decay)$")
LOG_SPAN = 10
"""From this ratio of high to low on, equal steps leave the low end all but untried."""

LEAST_STEPS = 3
"""So many ordered numbers in a choice look like a range."""


class CheckedSite(Protocol):
    """What is known of the constant in the program."""

    @property
    def where(self) -> str:
        """Its file and line."""


class CheckedEntry(Protocol):
    """An entry of a space and the constant that it leads to; ``tune.promotion.resolve.PromotedConstant`` is one."""

    @property
    def key(self) -> str:
        """As the space file writes it."""

    @property
    def where(self) -> str:
        """Its file and line."""

    @property
    def dimension(self) -> Dimension:
        """What it may be."""

    @property
    def value(self) -> object:
        """What the source holds now; not a Value where only running the program can tell."""

    @property
    def constant(self) -> CheckedSite:
        """Where the source holds it."""


def space_warnings(promoted: Iterable[CheckedEntry]) -> tuple[str, ...]:
    """Return the warnings in the order of the space."""
    return tuple(f"{entry.where}: {entry.key}: {warning}" for entry in promoted for warning in _entry_warnings(entry))


def _entry_warnings(entry: CheckedEntry) -> Iterator[str]:
    yield from _linear_rate(entry.key, entry.dimension)
    yield from _value_outside(entry)
    if isinstance(entry.dimension, Choice):
        if len(entry.dimension.options) == 1:
            yield f"a choice of one never varies, got {entry.dimension.options[0]!r}; add options or take it out"
        yield from _numbers_as_categories(entry.dimension)


def _linear_rate(key: str, dimension: Dimension) -> Iterator[str]:
    name = re.split(r"\W+", key.rstrip("'\"]"))[-1].casefold()
    if not LOG_NAMES.search(name) or not isinstance(dimension, FloatRange) or dimension.log:
        return
    if dimension.low > 0 and dimension.high < LOG_SPAN * dimension.low:
        return
    low = dimension.low if dimension.low > 0 else dimension.high * 1e-4
    better = f"loguniform: [{low:g}, {dimension.high:g}]"
    yield f"a rate is searched best on a log scale, got {describe_dimension(dimension)}; write `{better}`"


def _value_outside(entry: CheckedEntry) -> Iterator[str]:
    value = entry.value
    if not _is_value(value) or is_in_dimension(entry.dimension, value):
        return
    yield (
        f"the hardcoded value {value!r} ({entry.constant.where}) is outside {describe_dimension(entry.dimension)}; "
        "trial 0 runs it, and the sampler never draws it"
    )


def _is_value(value: object) -> TypeGuard[Value]:
    return value is None or isinstance(value, bool | int | float | str | tuple | list | dict)


def _numbers_as_categories(choice: Choice) -> Iterator[str]:
    numbers = [option for option in choice.options if is_number(option)]
    if len(numbers) < max(LEAST_STEPS, len(choice.options)) or not _is_monotonic(numbers) or _are_sizes(numbers):
        return
    got = f"got {len(numbers)} ordered numbers"
    yield f"a choice knows no order, {got}; a range learns faster: write `{_format_enclosing_range(numbers)}`"


def _is_monotonic(numbers: list[int | float]) -> bool:
    return all(a < b for a, b in pairwise(numbers)) or all(a > b for a, b in pairwise(numbers))


def _are_sizes(numbers: list[int | float]) -> bool:
    """Tell powers of two, and doubles of one number: a size that others have to fit takes no value between."""
    powers = all(is_int(number) and number > 0 and number & (number - 1) == 0 for number in numbers)
    ordered = sorted(numbers)
    return powers or (all(map(is_int, ordered)) and all(high == 2 * low for low, high in pairwise(ordered)))


def _format_enclosing_range(numbers: list[int | float]) -> str:
    low, high = min(numbers), max(numbers)
    log = "log" if low > 0 and high >= LOG_SPAN * low else ""
    kind = "randint" if all(is_int(number) for number in numbers) else "uniform"
    return f"{log}{kind}: [{low}, {high}]"


N_DRAWS = 1000


def check_feasible(space: Space, dimensions: Mapping[str, Dimension], hardcoded: Mapping[str, Value]) -> None:
    """Raise SpaceError when none of 1,000 random configurations is allowed.

    ``dimensions`` are in the program's types; ``hardcoded`` holds the values that the source says.
    """
    if not space.requirements:
        return
    rng = random.Random(space.settings.seed)  # noqa: S311 - no secret
    left = set(range(len(space.requirements)))  # that no draw has met so far
    for _ in range(N_DRAWS):
        values = {**hardcoded, **draw_config(dimensions, space.conditions, rng)}
        met = [requirement.is_met(values) for requirement in space.requirements]
        if all(met):
            return
        left -= {place for place, is_met in enumerate(met) if is_met}
    raise _build_infeasible_error([space.requirements[place] for place in sorted(left)], space, values)


def allowed_options(space: Space, options: Mapping[str, Value], known: Mapping[str, Value]) -> dict[str, Value] | None:
    """Return the options that vary beside the known values; None where a requirement is not met."""
    active = only_active({**known, **options}, space.conditions)
    values = {name: value for name, value in active.items() if name in options}
    return values if all(each.is_met({**known, **values}) for each in space.requirements) else None


def metric_doubts(metric: str) -> tuple[str, ...]:
    """Return a warning about a metric whose name says that it is logged in training alone."""
    if not is_of_training(metric):
        return ()
    what = f"{metric} is a metric of training, by its name: a search by it chooses what fits the training data best"
    return (f"{what}; `metric` may name one of validation",)


def baseline_doubts(requirements: Sequence[Requirement], hardcoded: Mapping[str, Value]) -> tuple[str, ...]:
    """Return warnings about requirements that the hardcoded values do not meet."""
    return tuple(
        f"{each.where}: require: the hardcoded values do not meet {each.text!r}, {_describe_values(each, hardcoded)}; "
        "trial 0 runs them, and the sampler never draws them"
        for each in requirements
        if not each.is_met(hardcoded)
    )


def _build_infeasible_error(never: list[Requirement], space: Space, values: Mapping[str, Value]) -> SpaceError:
    hint = "Mend it, or the ranges of its constants."
    if not never:
        what = f"require: {len(space.requirements)} requirements that none of {N_DRAWS:,} draws meets together"
        return SpaceError(space.place_of_entry("require"), what, "Mend one, or the ranges of their constants.")
    first = never[0]
    why = first.explain_failure(values)
    cause = "" if why == "it is false" else f" ({why})"
    what = (
        f"require: none of {N_DRAWS:,} draws meets {first.text!r}, the last with "
        f"{_describe_values(first, values)}{cause}"
    )
    return SpaceError(first.where, what, hint)


def _describe_values(requirement: Requirement, values: Mapping[str, Value]) -> str:
    return ", ".join(f"{key}={values[key]!r}" for key in dict.fromkeys(requirement.names.values()))

"""What one constant may be: a range or a choice, and where a value lies in its range.

Both ends of every range are included.
"""

import math
import re
from dataclasses import dataclass
from typing import TypeGuard

Value = bool | int | float | str | None | tuple["Value", ...] | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatRange:
    """A float between two ends."""

    low: float
    """Included; above 0 where every order of magnitude is as likely."""
    high: float
    """Included; on the grid that starts at ``low``: the space file refuses one that is not."""
    log: bool = False
    """Whether every order of magnitude is as likely; False: every value."""
    step: float | None = None
    """Distance between two values, above 0; None: any value between the ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntRange:
    """An int between two ends."""

    low: int
    """Included; at least 1 where every order of magnitude is as likely."""
    high: int
    """Included, as in Optuna; Ray's ``randint`` leaves it out. On the grid that starts at ``low``."""
    log: bool = False
    """Whether every order of magnitude is as likely; False: every value."""
    step: int | None = None
    """Distance between two values, at least 1; None: 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a list, each as likely and in no order."""

    options: tuple[Value, ...]
    """At least one; no two equal."""


Dimension = FloatRange | IntRange | Choice

KINDS: dict[str, type[Dimension]] = {
    "uniform": FloatRange,
    "quniform": FloatRange,
    "loguniform": FloatRange,
    "randint": IntRange,
    "qrandint": IntRange,
    "lograndint": IntRange,
    "choice": Choice,
}
"""By the names of Ray Tune, which a space file uses: ``q`` has a step, ``log`` is by orders of magnitude."""

ON_GRID = 1e-8
"""So near, in steps, a float is a point of its grid; as Optuna has it."""


def kind_of(dimension: Dimension) -> str:
    """Return the name that a space file uses."""
    if isinstance(dimension, Choice):
        return "choice"
    scale = "log" if dimension.log else "" if dimension.step is None else "q"
    return f"{scale}{'uniform' if isinstance(dimension, FloatRange) else 'randint'}"


def arguments_of(dimension: Dimension) -> list[Value]:
    """Return what stands behind the kind in a space file."""
    if isinstance(dimension, Choice):
        return list(dimension.options)
    return [dimension.low, dimension.high, *([] if dimension.step is None else [dimension.step])]


def describe_dimension(dimension: Dimension) -> str:
    """Return the range on one line, as the terminal shows it: ``loguniform 0.0001 to 0.1``."""
    if isinstance(dimension, Choice):
        return "choice " + ", ".join(str(option) for option in dimension.options)
    low, high, *step = arguments_of(dimension)
    return f"{kind_of(dimension)} {low:g} to {high:g}" + (f" by {step[0]:g}" if step else "")


def extreme_values(dimension: Dimension) -> tuple[Value, ...]:
    """Return the ends of a range, or all of a choice."""
    return dimension.options if isinstance(dimension, Choice) else (dimension.low, dimension.high)


def is_in_dimension(dimension: Dimension, value: Value) -> bool:
    """Tell whether ``value`` is inside. A grid counts as its whole range. 1 and True are different values."""
    if isinstance(dimension, Choice):
        return any(is_same_value(value, option) for option in dimension.options)
    is_of_type = is_int(value) if isinstance(dimension, IntRange) else is_number(value)
    return is_of_type and is_number(value) and dimension.low <= value <= dimension.high


def is_continuous(dimension: Dimension) -> bool:
    """Tell whether a dimension has any value between its ends."""
    return isinstance(dimension, FloatRange) and dimension.step is None


def could_draw(dimension: Dimension, value: Value) -> bool:
    """Tell whether a sampler could draw a value: inside of the range, and on its grid."""
    if not is_in_dimension(dimension, value):
        return False
    if isinstance(dimension, Choice) or dimension.step is None:
        return True
    assert isinstance(value, int | float)
    steps = (value - dimension.low) / dimension.step
    return abs(steps - round(steps)) < ON_GRID


def n_points(dimension: Dimension) -> float:
    """Return how many values a dimension has; infinity where it is continuous."""
    if isinstance(dimension, Choice):
        return len(dimension.options)
    if is_continuous(dimension):
        return math.inf
    return round((dimension.high - dimension.low) / (dimension.step or 1)) + 1


def is_same_value(a: Value, b: Value) -> bool:
    """Equal, and a bool is no number."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def is_int(value: object) -> TypeGuard[int]:
    """Tell whether it is an int; True is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether it is an int or a float; True is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def numbers_of(choice: Choice) -> list[int | float] | None:
    """Return the options in order; None where they are not numbers, or too few to have an order."""
    numbers = [option for option in choice.options if is_number(option)]
    return sorted(numbers) if len(numbers) == len(choice.options) >= 2 else None


def place_in(dimension: Dimension, value: Value) -> float | None:
    """Return 0 at the lower end and 1 at the upper one; None for what has no order, or lies outside."""
    if isinstance(dimension, Choice):
        numbers = numbers_of(dimension)
        if numbers is None or not is_number(value) or value not in numbers:
            return None
        return numbers.index(value) / (len(numbers) - 1)
    if not is_number(value) or not dimension.low <= value <= dimension.high:
        return None
    if dimension.low == dimension.high:
        return 0.0
    if dimension.log:
        return math.log(value / dimension.low) / math.log(dimension.high / dimension.low)
    return (value - dimension.low) / (dimension.high - dimension.low)


ENTRY = re.compile(r"""\[\s*(?:'([^'\]]*)'|"([^"\]]*)")\s*\]""")


def canonical_name(name: str) -> str:
    """Return a name in the one spelling that names are compared in: ``CFG["a"]['b']`` is ``CFG.a.b``."""
    return ENTRY.sub(lambda match: "." + (match[1] or match[2] or ""), name) if "[" in name else name

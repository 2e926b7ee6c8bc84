"""What one constant may be: the seven kinds of range, named as in Ray Tune, and where a value lies in its range.

Both ends of every range are included.
"""

import math
from dataclasses import dataclass
from typing import TypeGuard, assert_never

Value = bool | int | float | str | None | tuple["Value", ...] | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """A float, every value as likely."""

    low: float
    """Included."""
    high: float
    """Included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QUniform:
    """A float on a grid, every point as likely."""

    low: float
    """Included."""
    high: float
    """Included when it lies on the grid that starts at ``low``; the space file refuses one that does not."""
    q: float
    """Distance between two points, above 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogUniform:
    """A float, every order of magnitude as likely."""

    low: float
    """Included; above 0."""
    high: float
    """Included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandInt:
    """An int, every value as likely."""

    low: int
    """Included."""
    high: int
    """Included, as in Optuna; Ray's ``randint`` leaves it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QRandInt:
    """An int on a grid, every point as likely."""

    low: int
    """Included."""
    high: int
    """Included; on the grid that starts at ``low``."""
    q: int
    """Distance between two points, at least 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRandInt:
    """An int, every order of magnitude as likely."""

    low: int
    """Included; at least 1."""
    high: int
    """Included, as in Optuna; Ray's ``lograndint`` leaves it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a list, each as likely and in no order."""

    options: tuple[Value, ...]
    """At least one; no two equal."""


Dimension = Uniform | QUniform | LogUniform | RandInt | QRandInt | LogRandInt | Choice

KINDS: dict[str, type[Dimension]] = {
    "uniform": Uniform,
    "quniform": QUniform,
    "loguniform": LogUniform,
    "randint": RandInt,
    "qrandint": QRandInt,
    "lograndint": LogRandInt,
    "choice": Choice,
}


ON_GRID = 1e-8
"""So near, in steps, a float is a point of its grid; as Optuna has it."""


def kind_of(dimension: Dimension) -> str:
    """Return the name that a space file uses."""
    return next(name for name, kind in KINDS.items() if type(dimension) is kind)


def arguments_of(dimension: Dimension) -> list[Value]:
    """Return what stands behind the kind in a space file."""
    match dimension:
        case Choice():
            return list(dimension.options)
        case QUniform() | QRandInt():
            return [dimension.low, dimension.high, dimension.q]
        case Uniform() | LogUniform() | RandInt() | LogRandInt():
            return [dimension.low, dimension.high]
        case _:
            assert_never(dimension)


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
    match dimension:
        case Choice():
            return any(is_same_value(value, option) for option in dimension.options)
        case Uniform() | QUniform() | LogUniform():
            return is_number(value) and dimension.low <= value <= dimension.high
        case RandInt() | QRandInt() | LogRandInt():
            return is_int(value) and dimension.low <= value <= dimension.high
        case _:
            assert_never(dimension)


def could_draw(dimension: Dimension, value: Value) -> bool:
    """Tell whether a sampler could draw a value: inside of the range, and on its grid."""
    if not is_in_dimension(dimension, value):
        return False
    if not isinstance(dimension, QUniform | QRandInt):
        return True
    assert isinstance(value, int | float)
    steps = (value - dimension.low) / dimension.q
    return abs(steps - round(steps)) < ON_GRID


def n_points(dimension: Dimension) -> float:
    """Return how many values a dimension has; infinity where it is continuous."""
    match dimension:
        case Choice():
            return len(dimension.options)
        case RandInt() | LogRandInt():
            return dimension.high - dimension.low + 1
        case QRandInt() | QUniform():
            return round((dimension.high - dimension.low) / dimension.q) + 1
        case Uniform() | LogUniform():
            return math.inf
        case _:
            assert_never(dimension)


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
    match dimension:
        case LogUniform() | LogRandInt():
            return math.log(value / dimension.low) / math.log(dimension.high / dimension.low)
        case Uniform() | QUniform() | RandInt() | QRandInt():
            return (value - dimension.low) / (dimension.high - dimension.low)
        case _:
            assert_never(dimension)

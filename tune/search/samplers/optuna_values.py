"""Ranges and values as Optuna has them: its distributions, and labels for options that it cannot hold."""

import itertools
from typing import Any, assert_never

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tune.space.dimensions import Choice, Dimension, FloatRange, IntRange, Value, is_number, is_same_value


def distribution_of(dimension: Dimension) -> BaseDistribution:
    """Return the Optuna distribution with the same ends."""
    match dimension:
        case FloatRange():
            return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)
        case IntRange():
            return IntDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step or 1)
        case Choice():
            return CategoricalDistribution(tuple(labels_of(dimension)))
        case _:
            assert_never(dimension)


def widen_dimension(dimension: Dimension, value: Value) -> Dimension | None:
    """Return the range with ends that hold a value too, as TPE can read it; None where no such range says that."""
    if isinstance(dimension, Choice) or not is_number(value) or (dimension.log and value <= 0):
        return None
    if isinstance(dimension, FloatRange):
        low, high = min(dimension.low, value), max(dimension.high, value)
        return FloatRange(low=low, high=high, log=dimension.log)
    if dimension.log and value < 1:
        return None
    return IntRange(low=min(dimension.low, int(value)), high=max(dimension.high, int(value)), log=dimension.log)


def labels_of(choice: Choice) -> dict[Any, Value]:
    """Return each option under the name that Optuna knows it by: itself where Optuna can store it, else its text.

    Optuna stores None, numbers and strings, and takes 1, 1.0 and True for the same.
    """
    options = choice.options
    plain = all(option is None or isinstance(option, bool | int | float | str) for option in options)
    distinct = not any(a == b for a, b in itertools.combinations(options, 2))
    return {option if plain and distinct else repr(option): option for option in options}


def to_label(dimension: Dimension, value: Value) -> Any:
    """Return a value as Optuna knows it."""
    if not isinstance(dimension, Choice):
        return value
    return next(label for label, option in labels_of(dimension).items() if is_same_value(option, value))


def from_label(dimension: Dimension, label: Any) -> Value:
    """Return the value that Optuna's parameter stands for."""
    return labels_of(dimension)[label] if isinstance(dimension, Choice) else label

"""Where a value lies in its range, on the range's own scale."""

import math
from typing import assert_never

from tune.space.dimensions import (
    Choice,
    Dimension,
    LogRandInt,
    LogUniform,
    QRandInt,
    QUniform,
    RandInt,
    Uniform,
    Value,
    is_number,
)


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

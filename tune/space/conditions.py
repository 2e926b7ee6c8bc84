"""Conditions of constants (`when:`), and random configurations of a space."""

import math
import random
from collections.abc import Iterator, Mapping
from typing import assert_never

from tune.errors import SpaceError, suggest_name
from tune.space.dimensions import (
    Choice,
    Dimension,
    FloatRange,
    IntRange,
    Value,
    canonical_name,
    describe_dimension,
    is_continuous,
    is_in_dimension,
    is_same_value,
)

Condition = dict[str, tuple[Value, ...]]
"""By name of another constant, the values of which it must have one."""


def read_conditions(
    dimensions: Mapping[str, Dimension], written: Mapping[str, Value], where: Mapping[str, str]
) -> dict[str, Condition]:
    """Return the conditions, each constant after those that it depends on; raise SpaceError at one that never holds.

    ``written`` holds what stands behind `when`, ``where`` the places of the entries; all by the constants' names.
    """
    conditions = {key: _read_condition(key, each, dimensions, where[key]) for key, each in written.items()}
    _check_cycles(conditions, where)
    for key in conditions:
        _check_possible(key, conditions, where[key])
    return conditions


def in_order(names: Mapping[str, object], conditions: Mapping[str, Condition]) -> list[str]:
    """Return the names, each after those that it depends on, else in their own order."""
    ordered: dict[str, None] = {}

    def add(name: str) -> None:
        for parent in conditions.get(name, {}):
            add(parent)
        ordered.setdefault(name)

    for name in names:
        add(name)
    return list(ordered)


def is_active(name: str, conditions: Mapping[str, Condition], values: Mapping[str, Value]) -> bool:
    """Tell whether a constant varies, where ``values`` holds those of the constants that do."""
    return all(
        parent in values and any(is_same_yaml_value(values[parent], option) for option in options)
        for parent, options in conditions.get(name, {}).items()
    )


def only_active(values: Mapping[str, Value], conditions: Mapping[str, Condition]) -> dict[str, Value]:
    """Return the values without those of constants that keep their hardcoded one."""
    active: dict[str, Value] = {}
    for name in in_order(values, conditions):
        if name in values and is_active(name, conditions, active):
            active[name] = values[name]
    return {name: value for name, value in values.items() if name in active}


def is_same_yaml_value(a: Value, b: Value) -> bool:
    """Equal, where a bool is no number, and YAML's list may stand for a tuple."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(is_same_yaml_value(x, y) for x, y in zip(a, b, strict=True))
    return is_same_value(a, b)


def restore_value(dimension: Dimension, value: Value) -> Value:
    """Return a value that was read from a file as the dimension has it: JSON and YAML make lists of tuples."""
    options = dimension.options if isinstance(dimension, Choice) else ()
    return next((option for option in options if is_same_yaml_value(option, value)), value)


def describe_condition(condition: Condition) -> str:
    """Return a condition as the terminal shows it: ``OPTIMIZER is sgd, DEPTH is 2 or 3``."""
    return ", ".join(f"{parent} is {_join_with_or(options)}" for parent, options in condition.items())


def _read_condition(key: str, written: Value, dimensions: Mapping[str, Dimension], where: str) -> Condition:
    if not isinstance(written, dict) or not written:
        what = f"{key}: when takes constants and their values, got {written!r}"
        raise SpaceError(where, what, "Write `when: {OPTIMIZER: sgd}`, or a list of values.")
    spellings = {canonical_name(name): name for name in dimensions}
    condition: Condition = {}
    for parent, value in written.items():
        name = spellings.get(canonical_name(parent))
        if name is None:
            others = [other for other in dimensions if other != key]
            what = f"{key}: when names a constant of this space, got {parent!r}"
            raise SpaceError(where, what, suggest_name(parent, others, what="its constants"))
        condition[name] = _read_options(key, name, value, dimensions[name], where)
    return condition


def _read_options(key: str, parent: str, written: Value, dimension: Dimension, where: str) -> tuple[Value, ...]:
    if is_continuous(dimension):
        what = f"{key}: when needs a parent that can be exactly a value, got {parent}: {describe_dimension(dimension)}"
        raise SpaceError(where, what, f"Make {parent} a choice, or take the condition out.")
    options = tuple(written) if isinstance(written, list) else (written,)
    if not options:
        raise SpaceError(where, f"{key}: when {parent} is one of no values, got []", "Write one, or a list of them.")
    for option in options:
        if not _can_be(dimension, option):
            what = f"{key}: {parent} is never {option!r}, got {parent}: {describe_dimension(dimension)}"
            raise SpaceError(where, what, _suggest_option(dimension, option))
    return options


def _can_be(dimension: Dimension, value: Value) -> bool:
    if isinstance(dimension, Choice):
        return any(is_same_yaml_value(value, option) for option in dimension.options)
    return is_in_dimension(dimension, value)


def _suggest_option(dimension: Dimension, got: Value) -> str:
    if not isinstance(dimension, Choice):
        return "Write a value of that range."
    if isinstance(got, str):
        return suggest_name(got, [str(option) for option in dimension.options], what="options")
    if any(isinstance(option, list | tuple) for option in dimension.options):
        return "Write one of its options; a list of lists where an option is a list."
    return "Write one of its options."


def _check_cycles(conditions: Mapping[str, Condition], where: Mapping[str, str]) -> None:
    for key in conditions:
        chain = [key]
        for name in _find_ancestors(key, conditions, chain):
            if name == key:
                what = f"{key}: when leads back to itself: {' needs '.join(chain)}"
                raise SpaceError(where[key], what, "One of them has to vary always.")


def _find_ancestors(key: str, conditions: Mapping[str, Condition], chain: list[str]) -> Iterator[str]:
    """Yield all that a constant depends on; ``chain`` is the way there."""
    seen = set()
    stack = [(parent, [*chain, parent]) for parent in conditions.get(key, {})]
    while stack:
        name, way = stack.pop(0)
        if name in seen:
            continue
        seen.add(name)
        chain[:] = way
        yield name
        stack += [(parent, [*way, parent]) for parent in conditions.get(name, {})]


def _check_possible(key: str, conditions: Mapping[str, Condition], where: str) -> None:
    """Raise SpaceError where a constant and its parents need different values of the same grandparent."""
    needed: Condition = {}
    for name in (key, *_find_ancestors(key, conditions, [])):
        for parent, options in conditions.get(name, {}).items():
            before = needed.get(parent, options)
            needed[parent] = tuple(
                option for option in before if any(is_same_yaml_value(option, other) for other in options)
            )
            if not needed[parent]:
                what = (
                    f"{key}: never varies: {parent} would have to be {_join_with_or(before)}, and "
                    f"{_join_with_or(options)} for {name}"
                )
                raise SpaceError(where, what, "Mend one of the two conditions.")


def _join_with_or(options: tuple[Value, ...]) -> str:
    return " or ".join(str(option) for option in options)


def draw_config(
    dimensions: Mapping[str, Dimension], conditions: Mapping[str, Condition], rng: random.Random
) -> dict[str, Value]:
    """Return a configuration, of the constants that vary in it."""
    return only_active({name: _draw_value(dimension, rng) for name, dimension in dimensions.items()}, conditions)


def _draw_value(dimension: Dimension, rng: random.Random) -> Value:
    match dimension:
        case Choice():
            return rng.choice(dimension.options)
        case FloatRange(step=float(step)):
            n_steps = round((dimension.high - dimension.low) / step)
            return min(dimension.low + rng.randint(0, n_steps) * step, dimension.high)
        case FloatRange(log=True):
            return _draw_log_uniform(dimension.low, dimension.high, rng)
        case FloatRange():
            return rng.uniform(dimension.low, dimension.high)
        case IntRange(log=True):
            drawn = round(_draw_log_uniform(dimension.low - 0.5, dimension.high + 0.5, rng))
            return min(max(drawn, dimension.low), dimension.high)
        case IntRange():
            return rng.randrange(dimension.low, dimension.high + 1, dimension.step or 1)
        case _:
            assert_never(dimension)


def _draw_log_uniform(low: float, high: float, rng: random.Random) -> float:
    return min(max(math.exp(rng.uniform(math.log(low), math.log(high))), low), high)

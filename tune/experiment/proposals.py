"""A configuration that somebody proposes to a search, checked as a space file is."""

import json
import math
from ast import literal_eval
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tune.errors import ConstantError, OptionError, SpaceError, suggest_name
from tune.experiment.requests import clean_line
from tune.promotion.find.literals import Unknown
from tune.promotion.resolve import PromotedConstant, fit_dimension, hardcoded_values
from tune.space.conditions import describe_condition, only_active, restore_value
from tune.space.dimensions import (
    Choice,
    Dimension,
    FloatRange,
    IntRange,
    Value,
    canonical_name,
    could_draw,
    describe_dimension,
    is_int,
    is_number,
)
from tune.space.parse_dimension import MAX_INT, parse_scalar
from tune.space.space import Space

LONGEST_WHY = 1000
"""Characters."""
LONGEST_VALUE = 10_000
"""Characters of a value that is written as text."""

Others = Literal["hardcoded", "best", "sampler"]
OTHERS: tuple[Others, ...] = get_args(Others)
"""Where the constants come from that a proposal does not name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedProposal:
    """A configuration that the space lets pass."""

    values: dict[str, Value]
    """Of all constants that vary in it, in the space's order; without those that the sampler draws."""
    outside: tuple[str, ...] = ()
    """The constants whose values are outside of their ranges, named or not."""


def check_shape(arguments: Mapping[str, Any]) -> None:
    """Raise OptionError unless the arguments of a request have the types of a proposal's."""
    named, outside, others = (arguments.get(key) for key in ("constants", "outside", "others"))
    if not isinstance(named, dict) or not isinstance(outside, bool | None) or others not in (*OTHERS, None):
        raise OptionError(None, "a proposal has constants", f"The others are one of {', '.join(OTHERS)}.")


def check_best(best: Mapping[str, Value] | None) -> Mapping[str, Value]:
    """Return the constants of the best trial, from which others are taken; raise OptionError where there is none."""
    if best is None:
        raise OptionError("--others", "no trial has a score yet, got best", "Leave it out.")
    return best


def check_proposal(
    named: Mapping[str, Value],
    space: Space,
    promoted: Sequence[PromotedConstant],
    base: Mapping[str, Value],
    *,
    outside: bool = False,
    sampled: bool = False,
) -> CheckedProposal:
    """Return the configuration; raise a UserError that says what is wrong with it.

    ``named`` are values by constants' names, as text or typed. ``base`` holds the other constants, as far as they are
    known. ``outside`` lets values pass that the space does not hold. ``sampled``: the sampler draws the other ones.
    """
    if sampled and outside:
        what = "--others sampler draws beside values inside of their ranges, got --outside"
        raise OptionError(None, what, "Leave one of the two out.")
    items = {item.key: item for item in promoted}
    values = _fit_values(named, items, outside=outside)
    if not values:
        hint = f"Name some: {', '.join(items)}."
        raise OptionError(None, "a proposal names at least one constant and its value", hint)
    known = {} if sampled else {name: value for name, value in base.items() if name in items}
    full = {name: {**known, **values}[name] for name in items if name in values or name in known}
    active = only_active(full, space.conditions)
    for name in values:
        if name not in active:
            what = f"{name}: varies only when {describe_condition(space.conditions[name])}"
            given = ", ".join(f"{each}={full[each]!r}" for each in space.conditions[name] if each in full) or "neither"
            raise SpaceError(None, f"{what}, got {given}", "Propose the other constants with it, or leave it out.")
    if not outside:  # what the sampler draws fulfils them with what is named, unless that is against one alone
        _check_requirements(space, active if sampled else {**base, **hardcoded_values(promoted), **active})
    return CheckedProposal(
        values=active,
        outside=tuple(name for name, value in active.items() if not could_draw(items[name].dimension, value)),
    )


def _check_requirements(space: Space, full: Mapping[str, Value]) -> None:
    for requirement in space.requirements:
        if not requirement.is_met(full):
            what = f"against `{requirement.text}`, which the space requires"
            raise SpaceError(None, what, "Change a value, or add --outside.")


def _fit_values(
    named: Mapping[str, Value], items: Mapping[str, PromotedConstant], *, outside: bool
) -> dict[str, Value]:
    spellings = _list_spellings(items)
    values: dict[str, Value] = {}
    for name, value in named.items():
        key = spellings.get(canonical_name(name)) if isinstance(name, str) else None
        if key is None:
            hint = suggest_name(str(name), items, what="its constants")
            raise ConstantError(None, f"{name!r} is no constant of this search", hint)
        if key in values:
            raise OptionError(None, f"{key}: named twice, the second time as {name!r}", "Keep one of the two.")
        values[key] = _fit_value(value, items[key], outside=outside)
    return values


def _list_spellings(items: Mapping[str, PromotedConstant]) -> dict[str, str]:
    """Return the constants' keys by every name that means one of them alone."""
    found: dict[str, str | None] = {}
    for key, item in items.items():
        for name in {canonical_name(each) for each in item.constant.names}:
            found[name] = None if name in found else key
    return {
        **{name: key for name, key in found.items() if key is not None},
        **{name: key for key in items for name in _spell_key(key)},
        **{canonical_name(key): key for key in items},
    }


def _fit_value(value: Value, item: PromotedConstant, *, outside: bool) -> Value:
    """Return a value in the constant's type; raise SpaceError where it is none, or lies outside and may not."""
    dimension = item.dimension
    read = _read_text(value, dimension) if isinstance(value, str) else value
    fitted = _fit_number(read, item) if not isinstance(dimension, Choice) else restore_value(dimension, read)
    if could_draw(dimension, fitted):
        return fitted
    if not outside:
        what = f"{item.key}: outside of {describe_dimension(dimension)}, got {_shorten(fitted)}"
        raise SpaceError(None, what, "Propose a value that the space holds, or add --outside.")
    return _fit_type(fitted, item) if isinstance(dimension, Choice) else fitted


def _read_text(text: str, dimension: Dimension) -> Value:
    """Return what a word stands for: an option that is a text stays as it is written."""
    if isinstance(dimension, Choice) and text in [each for each in dimension.options if isinstance(each, str)]:
        return text
    if len(text) <= LONGEST_VALUE and text[:1] in ("[", "(", "{"):
        for read in (json.loads, literal_eval):
            try:
                found: Value = read(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
                continue
            return found
    return None if text == "None" else parse_scalar(text)


def _fit_number(value: Value, item: PromotedConstant) -> Value:
    whole = isinstance(item.dimension, IntRange)
    kind = "a whole number" if whole else "a number"
    if not is_number(value):
        raise _wrong_type(item, value, kind)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _wrong_type(item, value, "finite")
    if isinstance(item.dimension, FloatRange):
        return number
    if not number.is_integer():
        raise _wrong_type(item, value, kind)
    if abs(int(value)) > MAX_INT:
        raise _wrong_type(item, value, "at most 2**53 in size")
    return int(value)


def _fit_type(value: Value, item: PromotedConstant) -> Value:
    """Return a value that is none of a choice's options; it has the type of the constant, or of an option."""
    for leaf in _list_leaves(value):
        if isinstance(leaf, float) and math.isnan(leaf):
            raise _wrong_type(item, value, "equal to itself")
        if is_int(leaf) and abs(leaf) > MAX_INT:
            raise _wrong_type(item, value, "at most 2**53 in size")
    options = item.dimension.options if isinstance(item.dimension, Choice) else ()
    kinds = {type(each) for each in options if each is not None}
    if isinstance(item.value, Unknown) or item.value is None:
        if type(value) not in kinds:
            raise _wrong_type(item, value, " or ".join(sorted(each.__name__ for each in kinds)))
        return value
    try:
        fitted = fit_dimension(item.key, item.constant, Choice(options=(value,)), item.where)
    except SpaceError:
        raise _wrong_type(item, value, f"of the constant's type, {type(item.value).__name__}") from None
    assert isinstance(fitted, Choice)
    return fitted.options[0]


def _list_leaves(value: Any) -> Iterator[Any]:
    """Yield a value, or what is in it however deep."""
    match value:
        case list() | tuple():
            for each in value:
                yield from _list_leaves(each)
        case dict():
            yield from _list_leaves(list(value.values()))
        case _:
            yield value


def _wrong_type(item: PromotedConstant, value: Value, kind: str) -> SpaceError:
    hint = f"It is searched in {describe_dimension(item.dimension)}."
    return SpaceError(None, f"{item.key}: must be {kind}, got {_shorten(value)}", hint)


def _shorten(value: Value) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of thousands of digits
        return "what has too many digits"
    return text if len(text) <= 100 else f"{text[:100]}..."


def check_why(why: Any) -> str:
    """Return the reason that somebody gave on one line; raise a UserError where it is none."""
    if not isinstance(why, str) or len(why) > LONGEST_WHY:
        what = f"--why: a text of at most {LONGEST_WHY} characters, got {len(why) if isinstance(why, str) else why!r}"
        raise OptionError(None, what, "Write less.")
    return clean_line(why)


def split_assignment(word: str, known: Iterable[str]) -> tuple[str, str]:
    """Return name and text of ``LR=3e-4``; a name may hold an equals sign. Raise OptionError where there is none."""
    names = {each for key in known for each in _spell_key(key)}
    places = [place for place, letter in enumerate(word) if letter == "="]
    if not places:
        raise OptionError(None, f"a constant and its value, got {word!r}", "Write `LR=3e-4`.")
    place = next((place for place in places if canonical_name(word[:place]) in names), places[0])
    return word[:place], word[place + 1 :]


def _spell_key(key: str) -> set[str]:
    """Return how a constant may be written: an option also without dashes, an override also without its sign."""
    name = canonical_name(key)
    return {name, name.removesuffix("="), name.removeprefix("--"), name.removesuffix("=").lstrip("-+")}

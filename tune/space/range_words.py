"""A range as one word of a command line: ``LR=1e-4..1e-1``, ``BATCH_SIZE=16,32,64``, ``DROPOUT=0.1``."""

import re
from dataclasses import dataclass, replace
from typing import NoReturn

from tune.errors import OptionError
from tune.space.dimensions import (
    Choice,
    Dimension,
    FloatRange,
    IntRange,
    Value,
    is_in_dimension,
    is_int,
    is_number,
    is_same_value,
)
from tune.space.parse_dimension import MAX_INT, as_number, parse_scalar
from tune.space.suggest_range import suggest_range

BETWEEN = ".."
"""Stands between the two ends of a range; both are included."""
MORE_DOTS = re.compile(r"\.{3,}")
COMMA = ","
"""Stands between the options of a choice."""

WIDE = 100
"""Where neither a name nor a value tells the scale: from this ratio of the ends on, orders of magnitude."""

CLOSING = {"]": "[", ")": "("}


@dataclass(frozen=True, slots=True)
class RangeWord:
    """A constant's name, and what the user wrote behind it."""

    word: str
    """All of it."""
    name: str
    """What stands before the first equals sign outside of brackets and quotes."""
    start: int | None = None
    """Where the range begins in the word; None: the range is a suggestion."""

    @property
    def text(self) -> str:
        """The range as it was written."""
        return "" if self.start is None else self.word[self.start :]

    @property
    def has_ends(self) -> bool:
        """Whether it writes the two ends of a range."""
        return BETWEEN in self.text

    @property
    def is_choice(self) -> bool:
        """Whether it writes the options of a choice."""
        return COMMA in self.text and not self.has_ends

    @property
    def is_guess(self) -> bool:
        """Whether it writes one value, around which a range is to be suggested."""
        return self.start is not None and not self.has_ends and not self.is_choice


def split_range(word: str) -> RangeWord:
    """Return the name and the range of a word; ``lr=`` is a name alone, as programs with hydra have it."""
    place = _equals_sign(word)
    if place is None or place + 1 == len(word):
        return RangeWord(word, word)
    return RangeWord(word, word[:place], place + 1)


def read_range(written: RangeWord, held: Value, suggested: Dimension | None, *, is_float: bool = False) -> Dimension:
    """Return the range or the choice that was written; raise OptionError, which points at what is wrong with it.

    ``held``: what the source holds; None where only running the program tells. ``suggested``: what `promote` would
    write, whose scale a range takes. ``is_float``: whether its parser makes a float of each number.
    """
    reader = _Reader(written, held)
    return reader.read_choice() if written.is_choice else reader.read_ends(suggested, is_float=is_float)


def read_guess(written: RangeWord, held: Value) -> float:
    """Return the number around which a range is to be suggested; raise OptionError, which points at a wrong one."""
    return _Reader(written, held).read_guess()


def widen_to(dimension: Dimension | None, guess: float, held: Value) -> Dimension | None:
    """Return a range that was suggested around ``guess`` so that it holds the value of the source, too."""
    match dimension:
        case Choice():
            missing = [value for value in (held, guess) if value is not None and not is_in_dimension(dimension, value)]
            options = (*dimension.options, *missing)
            return Choice(options=tuple(sorted(options)) if all(map(is_number, options)) else options)  # type: ignore[type-var]
        case FloatRange(log=True) | IntRange(log=True) if is_number(held) and held <= 0:
            return dimension
        case FloatRange(step=None) if is_number(held):
            return replace(dimension, low=min(dimension.low, held), high=max(dimension.high, held))
        case IntRange(step=None) if is_int(held):
            return replace(dimension, low=min(dimension.low, held), high=max(dimension.high, held))
        case _:
            return dimension


def _equals_sign(word: str) -> int | None:
    """Return the place of the first equals sign outside of brackets and quotes."""
    quote, depth = "", 0
    for place, letter in enumerate(word):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in CLOSING.values():
            depth += 1
        elif letter in CLOSING:
            depth -= 1
        elif letter == "=" and depth <= 0:
            return place
    return None


class _Reader:
    """What the reading of one word shares."""

    def __init__(self, written: RangeWord, held: Value) -> None:
        self._written = written
        self._held = held

    def check_kind(self) -> None:
        """Raise OptionError for a constant whose values no word can write."""
        if isinstance(self._held, list | tuple | dict):
            name = self._written.name
            self._refuse_range(
                self._written.text, 0, f"{name} holds {self._held!r}, which no range in a word can replace"
            )

    def read_choice(self) -> Choice:
        """Return the options between the commas."""
        self.check_kind()
        options: list[Value] = []
        place = self._written.start or 0
        for text in self._written.text.split(COMMA):
            if not text.strip():
                self._point_at(place, len(text) or 1, "there is no option here", "Take the comma away, or write one.")
            option = self.value(text, place)
            if any(is_same_value(option, other) for other in options):
                self._point_at(place, len(text), f"the option {text} stands twice", "Keep one of the two.")
            options.append(option)
            place += len(text) + len(COMMA)
        return Choice(options=tuple(options))

    def read_ends(self, suggested: Dimension | None, *, is_float: bool) -> Dimension:
        """Return the range between two ends, on the scale that was suggested."""
        self.check_kind()
        text, name = self._written.text, self._written.name
        if isinstance(self._held, str | bool):
            kind = "a text" if isinstance(self._held, str) else "true or false"
            self._refuse_range(text, 0, f"{name} is {kind}, and has no range", f"Write {name}={self._write_example()}.")
        if (dots := MORE_DOTS.search(text)) is not None:
            hint = f"Write {name}={text.replace(dots[0], BETWEEN)}."
            self._refuse_range(
                dots[0], dots.start(), f"two dots stand between the ends of a range, got {dots[0]!r}", hint
            )
        first, _, last = text.partition(BETWEEN)
        low = self._end("low", first, 0)
        high = self._end("high", last, len(first) + len(BETWEEN))
        if low >= high:
            hint = "The low end comes first." if low > high else "Write another end, or leave it out."
            self._refuse_range(text, 0, f"the low end must be below the high one, got {first} and {last}", hint)
        is_wide = low > 0 and high / low >= WIDE
        scale = suggest_range(name, low).dimension if suggested is None and low > 0 else suggested
        is_log = (is_wide and suggested is None) or isinstance(scale, Choice) or (scale is not None and scale.log)
        if is_log and low <= 0:
            least = "1" if is_int(low) and is_int(high) else f"{high / 1000:g}"
            what = f"{name} is searched by orders of magnitude, and {first} has none"
            self._refuse_range(first, 0, what, f"Write {name}={least}{BETWEEN}{last}.")
        is_share = isinstance(suggested, FloatRange) and self._held in (0, 1)  # a float that was written short
        if is_int(low) and is_int(high) and not is_float and not is_share:
            if self._held is None and high - low == 1:
                what = f"the source does not tell whether {name} is a whole number, and {text} has two of them"
                hint = f"Write {name}={float(low)}{BETWEEN}{float(high)} for all between, or {name}={low}{COMMA}{high}."
                self._refuse_range(text, 0, what, hint)
            return IntRange(low=low, high=high, log=is_log)
        return FloatRange(low=float(low), high=float(high), log=is_log)

    def read_guess(self) -> float:
        """Return the one value that was written, a number: other values are near to no other."""
        self.check_kind()
        text, name = self._written.text, self._written.name
        found = self.value(text, self._written.start or 0)
        if not is_number(found):
            is_other = self._held is not None and not is_same_value(found, self._held)
            other = self._held if is_other else "ANOTHER"
            example = "true,false" if isinstance(found, bool) else f"{text}{COMMA}{other}"
            hint = f"Write {name}={example}. A constant that is not named keeps its hardcoded value."
            self._refuse_range(text, 0, f"a choice needs several values, got {text!r} alone", hint)
        return found

    def value(self, text: str, place: int) -> Value:
        """Return what one option or one guess means, in the type of the source's value."""
        found = None if text.strip() == "None" else parse_scalar(text.strip())
        match self._held:
            case str():
                return text.strip()
            case bool() if not isinstance(found, bool):
                self._point_at(place, len(text), f"it must be true or false, got {text!r}", "Write true,false.")
            case int() | float() if not isinstance(self._held, bool) and found is not None:
                return self._number(found, text, place)
        return found

    def _end(self, which: str, text: str, offset: int) -> float:
        place = (self._written.start or 0) + offset
        found = as_number(text.strip())
        if found is None or abs(found) in (float("inf"),) or found != found:
            what = f"the {which} end must be a number, got {text!r}"
            self._point_at(place, len(text) or 1, what, f"Write {self._written.name}=LOW{BETWEEN}HIGH.")
        return self._number(found, text, place)

    def _number(self, found: Value, text: str, place: int) -> float:
        """Return a number as the constant's type has it."""
        name = self._written.name
        if not is_number(found):
            hint = f"Write {name}=LOW{BETWEEN}HIGH, {name}=ONE{COMMA}ANOTHER, or one number to look around."
            self._point_at(place, len(text), f"this is no number, and {name} is {self._held!r}, got {text!r}", hint)
        if isinstance(self._held, float):
            return float(found)
        if is_int(self._held) and not float(found).is_integer() and self._held not in (0, 1):
            what = f"{name} is a whole number in the source, {self._held}, got {text}"
            self._point_at(
                place, len(text), what, f"Write a whole number, or {name} = {float(self._held)} in the program."
            )
        if is_int(self._held) and float(found).is_integer():
            if abs(found) > MAX_INT:
                self._point_at(place, len(text), "it must be at most 2**53 in size", "Write a smaller one.")
            return int(found)
        return found

    def _write_example(self) -> str:
        return "true,false" if isinstance(self._held, bool) else f"{self._held},ANOTHER"

    def _refuse_range(
        self, text: str, offset: int, what: str, hint: str = "Use `promote`, and write it in the file."
    ) -> NoReturn:
        self._point_at((self._written.start or 0) + offset, len(text), what, hint)

    def _point_at(self, place: int, length: int, what: str, hint: str) -> NoReturn:
        """Raise OptionError with a line that points at a part of the word."""
        marks = " " * place + "^" * max(1, length)
        raise OptionError(self._written.name, what, f"{self._written.word}\n  {marks}\n  {hint}")

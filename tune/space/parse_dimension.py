"""One entry under `constants`: from what the file says to a Dimension, every bound checked; and what a plain word is.

A word is one of YAML 1.2's core schema, with Python's underscores between digits. YAML 1.1 loaders read ``1e-4`` as a
string and ``no`` as False; here, in a file and on the command line, they are a number and a string.
"""

import math
import re
from fractions import Fraction

from tune.errors import SpaceError, suggest_name
from tune.space.dimensions import (
    KINDS,
    Choice,
    Dimension,
    FloatRange,
    IntRange,
    Value,
    is_int,
    is_number,
    is_same_value,
)

WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

DIGITS = r"[0-9]+(?:_[0-9]+)*"
INT = re.compile(rf"[-+]?{DIGITS}")
BASED = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
FLOAT = re.compile(rf"[-+]?(?:\.{DIGITS}|{DIGITS}(?:\.(?:{DIGITS})?)?)(?:[eE][-+]?[0-9]+)?")
INF_OR_NAN = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

MAX_DIGITS = 400
"""A longer number stays a string: no float holds it, and Python refuses to read an int of some thousands of digits."""


def parse_scalar(text: str) -> bool | int | float | str | None:
    """Return None, a bool, an int, a float, or ``text`` itself."""
    if text in WORDS:
        return WORDS[text]
    number = as_number(text)
    return text if number is None else number


def as_number(text: str) -> int | float | None:
    """Return the number that ``text`` writes, or None."""
    if len(text) > MAX_DIGITS:
        return None
    if INT.fullmatch(text):
        return int(text)
    if BASED.fullmatch(text):
        return int(text, base=0)
    if FLOAT.fullmatch(text):
        return float(text)
    if INF_OR_NAN.fullmatch(text):
        return float(text.replace(".", ""))
    return None


MAX_INT = 2**53
"""Optuna keeps a trial's numbers as floats: beyond this, two ints become one."""

EXAMPLES = {
    "uniform": "[0.0, 0.5]",
    "quniform": "[0.0, 0.5, 0.1]",
    "loguniform": "[1e-4, 1e-1]",
    "randint": "[1, 8]",
    "qrandint": "[32, 256, 32]",
    "lograndint": "[16, 512]",
    "choice": "[16, 32, 64]",
}


def read_dimension(key: str, written: Value, where: str) -> Dimension:
    """Return the range that ``{loguniform: [1e-4, 1e-1]}`` writes; raise SpaceError, which starts with ``where``."""
    return _Entry(key, where).build_dimension(written)


class _Entry:
    """What an entry's checks share: its name and its place, which every error begins with."""

    def __init__(self, key: str, where: str) -> None:
        self.key = key
        self.where = where

    def build_error(self, what: str, hint: str) -> SpaceError:
        return SpaceError(self.where, f"{self.key}: {what}", hint)

    def build_dimension(self, written: Value) -> Dimension:
        kind, arguments = self._kind_and_arguments(written)
        if KINDS[kind] is Choice:
            return self._read_choice(arguments)
        return self._read_range(kind, arguments)

    def _kind_and_arguments(self, written: Value) -> tuple[str, list[Value]]:
        form = f"Write a kind and its arguments, such as `{self.key}: {{loguniform: [1e-4, 1e-1]}}`."
        if not isinstance(written, dict) or not written:
            raise self.build_error(f"no range, got {written!r}", form)
        written = {kind: arguments for kind, arguments in written.items() if kind != "when"}
        if not written:
            raise self.build_error("no range, got `when` alone", form)
        for kind in written:
            if kind not in KINDS:
                raise self.build_error(f"no such kind of range, got {kind!r}", suggest_name(kind, KINDS, what="kinds"))
        if len(written) > 1:
            raise self.build_error(f"one kind of range at a time, got {' and '.join(written)}", "Keep one of them.")
        ((kind, arguments),) = written.items()
        if not isinstance(arguments, list):
            raise self.build_error(f"{kind} takes a list, got {arguments!r}", f"Write `{kind}: {EXAMPLES[kind]}`.")
        return kind, arguments

    def _read_choice(self, options: list[Value]) -> Choice:
        if not options:
            raise self.build_error("choice needs at least one option, got []", "Write `choice: [16, 32, 64]`.")
        for place, option in enumerate(options):
            if isinstance(option, float) and math.isnan(option):
                raise self.build_error("an option cannot be nan", "Take it out.")
            if any(is_same_value(option, other) for other in options[:place]):
                raise self.build_error(f"choice holds the same option twice, got {option!r}", "Keep one of the two.")
        return Choice(options=tuple(options))

    def _read_range(self, kind: str, arguments: list[Value]) -> Dimension:
        names = ("low", "high", "q") if kind.startswith("q") else ("low", "high")
        if len(arguments) != len(names):
            got = ", ".join(repr(argument) for argument in arguments)
            raise self.build_error(
                f"{kind} takes {len(names)} numbers, {', '.join(names)}, got [{got}]",
                f"Write `{kind}: {EXAMPLES[kind]}`.",
            )
        read = self._read_int if kind.endswith("randint") else self._read_float
        numbers = [read(kind, name, argument) for name, argument in zip(names, arguments, strict=True)]
        self._check_order(*numbers[:2])
        if "log" in kind:
            self._check_log(kind, numbers[0])
        if kind.startswith("q"):
            self._check_grid(*numbers)
        low, high, *step = numbers
        if kind.endswith("randint"):
            return IntRange(low=int(low), high=int(high), log="log" in kind, step=int(step[0]) if step else None)
        return FloatRange(low=low, high=high, log="log" in kind, step=step[0] if step else None)

    def _read_float(self, kind: str, name: str, written: Value) -> float:
        number = self._read_number(kind, name, written)
        try:
            value = float(number)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise self.build_error(
                f"{name} must be finite, got {name}={number}", "Write a number that a trial could try."
            )
        return value

    def _read_int(self, kind: str, name: str, written: Value) -> int:
        number = self._read_number(kind, name, written)
        if isinstance(number, float) and not number.is_integer():  # 1e2 is a whole number, inf and nan are not
            raise self.build_error(
                f"{name} of {kind} must be a whole number, got {name}={number}",
                f"Write a whole number, or `{kind.replace('randint', 'uniform')}` for a float.",
            )
        if abs(number) > MAX_INT:
            raise self.build_error(f"{name} must be at most 2**53 in size, got {name}={number}", "Write a smaller one.")
        return int(number)

    def _read_number(self, kind: str, name: str, written: Value) -> int | float:
        if is_int(written) or is_number(written):
            return written
        what = f"{name} of {kind} must be a number, got {name}={written!r}"
        raise self.build_error(what, _number_hint(kind, written))

    def _check_order(self, low: float, high: float) -> None:
        if low > high:
            raise self.build_error(f"low must be below high, got low={low} high={high}", "Swap them.")
        if low == high:
            what = f"low must be below high, got low={low} high={high}"
            raise self.build_error(
                what, "A single value is no range: take it out of the space and write it in the program."
            )

    def _check_log(self, kind: str, low: float) -> None:
        if low > 0:
            return
        linear = kind.removeprefix("log")
        least = "at least 1" if kind == "lograndint" else "above 0"
        raise self.build_error(f"low of {kind} must be {least}, got low={low}", f"Write a low {least}, or `{linear}`.")

    def _check_grid(self, low: float, high: float, q: float) -> None:
        if q <= 0:
            raise self.build_error(f"q must be above 0, got q={q}", "Write the distance between two values.")
        start, end, step = (Fraction(str(number)) for number in (low, high, q))  # as written: 0.3 is 3/10
        if (end - start) % step == 0:
            return
        nearest = start + max(1, round((end - start) / step)) * step
        shown = nearest if isinstance(high, int) else float(nearest)
        raise self.build_error(
            f"high must be low and a multiple of q, got low={low} high={high} q={q}", f"Write high={shown}."
        )


def _number_hint(kind: str, written: Value) -> str:
    if isinstance(written, str) and as_number(written.strip()) is not None:
        return f"Take the quotes off: {written.strip()}."
    return f"Write `{kind}: {EXAMPLES[kind]}`."

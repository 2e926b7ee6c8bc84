"""What a plain word of YAML 1.2 stands for. The core schema, with Python's underscores between digits.

YAML 1.1 loaders read ``1e-4`` as a string and ``no`` as False; here, in a file and on the command line, they are a
number and a string.
"""

import re

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

"""The values of a TOML file, each with its line, and the file with another value: only that value's text changes.

A value counts where it stands whole on the line of its key. Entries of inline tables and of arrays of tables do not.
"""

import json
import math
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from tune.space.dimensions import Value
from tune.space.yaml_document import Keys

TABLE = re.compile(r"\s*\[([\w.\s-]+)\]\s*(#.*)?")
ENTRY = re.compile(r"(\s*([\w-]+(?:\s*\.\s*[\w-]+)*)\s*=\s*)(.*)")


def find_toml_values(text: str) -> dict[Keys, tuple[Value, int]]:
    """Return the values by their keys, with their lines from 1; none where the text is no TOML."""
    held = read_toml(text)
    found: dict[Keys, tuple[Value, int]] = {}
    for number, keys, _, written in _find_entries(text) if held is not None else ():
        value = _value_of(written)
        if _is_value(value) and repr(_look_up(held, keys)) == repr(value):
            found.setdefault(keys, (value, number))
    return found


def read_toml(text: str) -> dict[str, Any] | None:
    """Return what the text holds; None where it is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def replace_toml_value(text: str, keys: Keys, value: Value) -> str | None:
    """Return the text with another value; None where that would change more than this value."""
    wanted, lines = read_toml(text), text.split("\n")
    for number, found, start, written in _find_entries(text):
        if found != keys or wanted is None:
            continue
        line = lines[number - 1]
        lines[number - 1] = line[:start] + _format(value) + line[start + len(written) :]
        _look_up(wanted, keys[:-1])[keys[-1]] = list(value) if isinstance(value, tuple) else value
        new = "\n".join(lines)
        return new if repr(read_toml(new)) == repr(wanted) else None
    return None


def _find_entries(text: str) -> Iterator[tuple[int, Keys, int, str]]:
    """Yield (line, keys, column of the value, its text) of what looks like an entry; text of a longer one may, too."""
    table: Keys | None = ()
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("["):
            header = TABLE.fullmatch(line.rstrip("\r"))
            table = None if header is None else _split_keys(header[1])
        elif table is not None and (entry := ENTRY.fullmatch(line.rstrip("\r"))) is not None:
            written = _cut_comment(entry[3])
            if written is not None:
                yield number, (*table, *_split_keys(entry[2])), len(entry[1]), written


def _split_keys(text: str) -> Keys:
    return tuple(part.strip() for part in text.split("."))


def _cut_comment(text: str) -> str | None:
    """Return a value without the comment behind it; None where the line does not hold a whole value."""
    ends = [match.start() for match in re.finditer("#", text)]
    candidates = (text[:end].rstrip() for end in (*ends, len(text)))
    return next((each for each in candidates if each and read_toml(f"x = {each}") is not None), None)


def _value_of(written: str) -> Any:
    return (read_toml(f"x = {written}") or {}).get("x")


def _is_value(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_value(each) and not isinstance(each, list) for each in value)
    return isinstance(value, bool | int | float | str)


def _look_up(held: Any, keys: Keys) -> Any:
    for key in keys:
        held = held.get(key) if isinstance(held, dict) else None
    return held


def _format(value: Value) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float() if not math.isfinite(value):
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list() | tuple():
            return f"[{', '.join(map(_format, value))}]"
        case _:
            return repr(value)

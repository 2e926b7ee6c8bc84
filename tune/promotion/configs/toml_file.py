"""The values of a TOML file, each with its line, and the file with another value: only that value's text changes.

A value counts where it stands whole on the line of its key, in an inline table too.
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
TABLE_OF_ARRAY = re.compile(r"\s*\[\[([\w.\s-]+)\]\]\s*(#.*)?")
ENTRY = re.compile(r"(\s*([\w-]+(?:\s*\.\s*[\w-]+)*)\s*=\s*)(.*)")


def find_toml_values(text: str) -> dict[Keys, tuple[Value, int]]:
    """Return the values by their keys, with their lines from 1; none where the text is no TOML."""
    held = read_toml(text)
    found: dict[Keys, tuple[Value, int]] = {}
    for number, keys, _, written in _find_entries(text) if held is not None else ():
        value = (read_toml(f"x = {written}") or {}).get("x")
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
        _look_up(wanted, found[:-1])[found[-1]] = list(value) if isinstance(value, tuple) else value
        new = "\n".join(lines)
        return new if repr(read_toml(new)) == repr(wanted) else None
    return None


def _find_entries(text: str) -> Iterator[tuple[int, Keys, int, str]]:
    """Yield (line, keys, column of the value, its text) of what looks like an entry; text of a longer one may, too."""
    table: Keys | None = ()
    n_tables: dict[Keys, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("["):
            table = _find_table(line.rstrip("\r"), n_tables)
        elif table is not None and (entry := ENTRY.fullmatch(line.rstrip("\r"))) is not None:
            written = _cut_comment(entry[3])
            if written is not None:
                for keys, start, each in _find_parts((*table, *_split_keys(entry[2])), len(entry[1]), written):
                    yield number, keys, start, each


def _find_table(line: str, n_tables: dict[Keys, int]) -> Keys | None:
    """Return the keys of the table that a header begins, with a place for one of an array; None: no header.

    ``n_tables``: how many tables each array has had.
    """
    header = TABLE_OF_ARRAY.fullmatch(line)
    if header is not None:
        array = _place_in_arrays(_split_keys(header[1])[:-1], n_tables) + _split_keys(header[1])[-1:]
        n_tables[array] = n_tables.get(array, 0) + 1
        return (*array, n_tables[array] - 1)
    header = TABLE.fullmatch(line)
    return None if header is None else _place_in_arrays(_split_keys(header[1]), n_tables)


def _place_in_arrays(keys: Keys, n_tables: dict[Keys, int]) -> Keys:
    """Return the keys with the place of the last table of each array among them."""
    found: Keys = ()
    for key in keys:
        found = (*found, key)
        if found in n_tables:
            found = (*found, n_tables[found] - 1)
    return found


def _find_parts(keys: Keys, start: int, written: str) -> Iterator[tuple[Keys, int, str]]:
    """Yield a value, or those of an inline table, with their columns."""
    if not written.startswith("{"):
        yield keys, start, written
        return
    place = 1
    for end in [match.start() for match in re.finditer(r"[,}]", written)]:
        entry = ENTRY.fullmatch(written[place:end].rstrip())
        if entry is not None and read_toml(f"x = {entry[3]}") is not None:  # else the comma stands in a value
            yield from _find_parts((*keys, *_split_keys(entry[2])), start + place + len(entry[1]), entry[3])
            place = end + 1


def _split_keys(text: str) -> Keys:
    return tuple(part.strip() for part in text.split("."))


def _cut_comment(text: str) -> str | None:
    """Return a value without the comment behind it; None where the line does not hold a whole value."""
    ends = [match.start() for match in re.finditer("#", text)]
    candidates = (text[:end].rstrip() for end in (*ends, len(text)))
    return next((each for each in candidates if each and read_toml(f"x = {each}") is not None), None)


def _is_value(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_value(each) and not isinstance(each, list) for each in value)
    return isinstance(value, bool | int | float | str)


def _look_up(held: Any, keys: Keys) -> Any:
    for key in keys:
        if isinstance(held, list) and isinstance(key, int):
            held = held[key] if key < len(held) else None
        else:
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

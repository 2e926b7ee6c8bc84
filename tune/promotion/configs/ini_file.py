"""The values of an INI file, each with its line, and the file with another value: only that value's text changes.

A value counts where it stands whole on the line of its key, and no interpolation is in it. Source: ``configparser``.
"""

import configparser
import re
from collections.abc import Iterator
from typing import Any

from tune.space.dimensions import Value
from tune.space.parse_dimension import parse_scalar
from tune.space.yaml_document import Keys

SECTION = re.compile(r"\[(.+)\]\s*([#;].*)?")
ENTRY = re.compile(r"\s*([^\s=:#;\[][^=:]*?)\s*[=:]\s*")
COMMENT = re.compile(r"\s+[#;].*")
"""Behind a number or a truth it can be nothing else; in a text it may be a part of it."""
INTERPOLATED = ("%(", "${")


def find_ini_values(text: str) -> dict[Keys, tuple[Value, int]]:
    """Return the values by section and key, with their lines from 1; none where the text is no INI file."""
    return {keys: (_parse_value(written), number) for number, keys, _, written in _find_entries(text)}


def read_ini(text: str) -> dict[str, Any] | None:
    """Return what the text holds, by section; None where it is no INI file."""
    parser = _parse_text(text)
    if parser is None:
        return None
    sections = {name: dict(parser.items(name)) for name in parser.sections()}
    held = {**({parser.default_section: dict(parser.defaults())} if parser.defaults() else {}), **sections}
    return {name: {key: _parse_value(each) for key, each in entries.items()} for name, entries in held.items()}


def replace_ini_value(text: str, keys: Keys, value: Value) -> str | None:
    """Return the text with another value; None where that would change more than this value."""
    lines = text.split("\n")
    for number, found, start, written in _find_entries(text):
        if found != keys:
            continue
        line, new_text = lines[number - 1], str(value).lower() if isinstance(value, bool) else str(value)
        lines[number - 1] = line[:start] + new_text + line[start + len(written) :]
        new = "\n".join(lines)
        before, after = find_ini_values(text), find_ini_values(new)
        return new if after == {**before, keys: (value, number)} else None
    return None


def _parse_text(text: str) -> configparser.RawConfigParser | None:
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the keys as they are written
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return parser


def _find_entries(text: str) -> Iterator[tuple[int, Keys, int, str]]:
    """Yield (line, keys, column of the value, its text) of each entry on one line."""
    section, parser = "", _parse_text(text)
    if parser is None:
        return
    for number, line in enumerate(text.split("\n"), 1):
        if (header := SECTION.fullmatch(line.strip())) is not None:
            section = header[1]
            continue
        entry = ENTRY.match(line)
        if section not in parser or entry is None:
            continue
        written = line[entry.end() :].rstrip()
        if parser[section].get(entry[1]) != written:  # it goes on below, or stands in a value that does
            continue
        bare = COMMENT.sub("", written)
        written = bare if not isinstance(_parse_value(bare), str) else written
        if written and not any(sign in written for sign in INTERPOLATED):
            yield number, (section, entry[1]), entry.end(), written


def _parse_value(text: str | None) -> Any:
    """Return the number or the truth that a text writes, else the text."""
    parsed = parse_scalar(text or "")
    return text if parsed is None else parsed

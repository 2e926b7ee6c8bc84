"""A config file of a program (YAML, JSON, TOML, INI): where a value stands in it, and the file with other values."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tune.errors import ApplyError
from tune.paths import read_regular
from tune.promotion.configs.ini_file import find_ini_values, read_ini, replace_ini_value
from tune.promotion.configs.toml_file import find_toml_values, read_toml, replace_toml_value
from tune.space.dimensions import Value
from tune.space.yaml_document import Keys, find_values, read_plain, replace_value

INI = (".ini", ".cfg")
SUFFIXES = (".yaml", ".yml", ".json", ".toml", *INI)
MOST_BYTES = 100_000
"""Of a config file; a larger one holds data, and YAML takes seconds for each megabyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFormat:
    """How the text of a config file is read and written."""

    find_values: Callable[[str], dict[Keys, tuple[Value, int]]]
    """Gives the values with their lines; none where the text is not of the format."""
    read: Callable[[str], Any]
    """Gives what the text holds."""
    replace_value: Callable[[str, Keys, Value], str | None]
    """Gives the text with another value; None where that would change more."""


YAML_FORMAT = ConfigFormat(find_values=find_values, read=read_plain, replace_value=replace_value)
INI_FORMAT = ConfigFormat(find_values=find_ini_values, read=read_ini, replace_value=replace_ini_value)
TOML_FORMAT = ConfigFormat(find_values=find_toml_values, read=read_toml, replace_value=replace_toml_value)
FORMATS = {".toml": TOML_FORMAT, **dict.fromkeys(INI, INI_FORMAT)}
"""By the end of a file's name; the others are YAML's, which JSON is a part of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPlace:
    """Where a value stands."""

    path: Path
    """The file, absolute."""
    name: str
    """The file as people read it: below the program's root where it lies there."""
    keys: Keys
    """From the top of the file."""
    line: int
    """Counted from 1."""

    def __str__(self) -> str:
        return f"{self.name}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSource:
    """A config file's text, as it was when it was read."""

    path: Path
    """Absolute."""
    name: str
    """As in its places."""
    raw: bytes


def read_values(path: Path) -> dict[Keys, tuple[Value, int]]:
    """Return the values of a file with their lines; none where it cannot be read."""
    try:
        return _format_of(path).find_values(read_regular(path, MOST_BYTES).decode("utf-8"))
    except (OSError, UnicodeDecodeError):
        return {}


def read_mapping(path: Path) -> Mapping[str, Any] | None:
    """Return what a file holds, its merge keys resolved; None where it cannot be read, or holds no mapping."""
    try:
        held = _format_of(path).read(read_regular(path, MOST_BYTES).decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        return None
    return held if isinstance(held, Mapping) else None


def rewrite_config(path: Path, values: Mapping[ConfigPlace, Value]) -> tuple[ConfigSource, bytes]:
    """Return a file as it is, and as it is to be; raise ApplyError where more than the values would change."""
    raw = path.read_bytes()
    text = raw.decode("utf-8")
    name = next(iter(values)).name
    for place, value in values.items():
        new = _format_of(path).replace_value(text, place.keys, value)
        if new is None or (path.suffix == ".json" and not _is_json(new)):
            what = f"{value!r} cannot be written here without changing more than this value"
            raise ApplyError(str(place), what, "Write it by hand, and apply the others again.")
        text = new
    return ConfigSource(path=path, name=name, raw=raw), text.encode("utf-8")


def _format_of(path: Path) -> ConfigFormat:
    return FORMATS.get(path.suffix, YAML_FORMAT)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True

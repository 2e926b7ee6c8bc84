"""Names of versions: ``007,LR=0.0032,BATCH_SIZE=64``. They sort as they ran, and are legal on every file system."""

import re
from collections.abc import Mapping

from tune.space.dimensions import Value

MAX_BYTES = 80
MAX_VALUE = 16  # characters of one value
N_DIGITS = 3  # of the trial's number; names of a thousand trials sort
FORBIDDEN = re.compile(r"[^\w.+\-=]|(?<=\.)\.+")  # all but letters, digits and a few signs
ENTRY = re.compile(r"""\[['"]?(.*?)['"]?\]""")


def version_name(number: int, values: Mapping[str, Value]) -> str:
    """Return a version's folder name; no values means the baseline. Constants that find no room are left out."""
    name = f"{number:0{N_DIGITS}d}"
    if not values:
        return f"{name},baseline"
    for key, value in values.items():
        part = f",{_replace_forbidden(_simplify_key(key))}={_replace_forbidden(_format_value(value))}"
        if len((name + part).encode()) <= MAX_BYTES:
            name += part
    return name.rstrip(". ")  # Windows drops these at the end


def _simplify_key(key: str) -> str:
    """Return a constant's name as it is read: ``CFG.opt.lr`` for ``CFG['opt']['lr']``, ``lr`` for ``--lr``."""
    return ENTRY.sub(r".\1", key).rstrip("=").lstrip("-")


def _format_value(value: Value) -> str:
    match value:
        case bool() | None:
            text = str(value)
        case float():
            text = f"{value:.3g}"
        case list() | tuple():
            text = "-".join(_format_value(item) for item in value)
        case _:
            text = str(value)
    return text[:MAX_VALUE]


def _replace_forbidden(text: str) -> str:
    return FORBIDDEN.sub("_", text)

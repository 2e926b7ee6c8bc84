"""What is told of one value, array or other object: the same in another process, if it is the same there."""

import hashlib
import sys
from collections.abc import Iterator
from enum import Enum
from itertools import islice
from pathlib import PurePath
from typing import Any

from tune.promotion.promoted_values import ADDRESS

PLAIN: tuple[type, ...] = (bool, int, float, complex, str, bytes, PurePath, Enum, type(None))
MOST_CHARACTERS = 1_000_000
"""Of a text; of a longer one samples are looked at."""
MOST_NUMBERS = 65_536
"""Of an array, likewise."""


def digest_value(value: Any) -> str:
    """Return a short digest of a value's ``repr``."""
    if isinstance(value, str | bytes) and len(value) > MOST_CHARACTERS:
        value = len(value), value[:: len(value) // MOST_NUMBERS]
    return hashlib.blake2b(repr(value).encode(errors="replace"), digest_size=8).hexdigest()


def name_key(key: Any) -> str:
    """Return a key in words that are the same in another process."""
    match key:
        case _ if isinstance(key, PLAIN):
            return repr(key)
        case tuple():
            return f"({', '.join(map(name_key, key))})"
        case frozenset():
            return f"{{{', '.join(sorted(map(name_key, key)))}}}"
        case _:
            return describe_type(key)


def describe_type(held: Any) -> str:
    """Return the name of an object's type."""
    return f"{type(held).__module__}.{type(held).__qualname__}"


def digest_array(held: Any) -> str | None:
    """Return the shape of an array of numpy's, or a table of pandas', with a digest of samples; None for all else."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if pandas is not None and isinstance(held, pandas.DataFrame | pandas.Series | pandas.Index):
        rows = held[:: max(1, len(held) // MOST_NUMBERS)]
        return f"{held.shape} {list(getattr(held, 'columns', ()))} {digest_array(rows.to_numpy())}"
    if numpy is None or not isinstance(held, numpy.ndarray):
        return None
    told = f"{held.shape} {held.dtype}"
    if isinstance(held, numpy.memmap):  # what its file holds may be larger than the memory
        return f"{told} {held.filename} {held.offset} {held.strides}"
    values = held.flat[:: max(1, held.size // MOST_NUMBERS)]
    content = [name_key(each) for each in values[:MOST_NUMBERS]] if held.dtype.hasobject else values.tobytes()
    return f"{told} {digest_value(content)}"


def describe_opaque(held: Any) -> Any:
    """Return what tells of an object without attributes of Python's; None where nothing does.

    An iterator is not read: that would take from it.
    """
    kind = type(held)
    if hasattr(kind, "__next__"):
        return None
    if hasattr(kind, "get_state"):
        return held.get_state()
    if ADDRESS.search(text := repr(held)) is None:
        return text
    try:
        made = held.__reduce_ex__(4)
    except Exception:  # it cannot be pickled
        return None
    if isinstance(made, str):
        return made
    return [*made[1:3], *(list(islice(each, 1_000)) for each in made[3:5] if isinstance(each, Iterator))]

"""plotly.js as it goes into the page: compressed, since every browser of 2023 or newer can open that."""

import base64
import gzip
import importlib.util
import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

LEVEL = 6
"""Of gzip: 9 takes twice as long for half a per cent."""


@lru_cache
def plotly_js() -> str:
    """Return plotly.js, which the Python package brings along; packed."""
    spec = importlib.util.find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    return packed((Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes())


def packed_json(value: Any) -> str:
    """Return a value as packed JSON; what is not a finite number is null there."""
    return packed(json.dumps(_finite(value), allow_nan=False, separators=(",", ":")).encode())


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value


def packed(raw: bytes) -> str:
    """Return bytes compressed, in letters that mean nothing to HTML."""
    return base64.b64encode(gzip.compress(raw, LEVEL, mtime=0)).decode()

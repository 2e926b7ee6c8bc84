"""How names of constants are compared, and how a place in a file is written."""

import os
import re
from pathlib import Path

ENTRY = re.compile(r"""\[\s*(?:'([^'\]]*)'|"([^"\]]*)")\s*\]""")


def canonical_name(name: str) -> str:
    """Return a name in the one spelling that names are compared in: ``CFG["a"]['b']`` is ``CFG.a.b``."""
    return ENTRY.sub(lambda match: "." + (match[1] or match[2] or ""), name)


def relative_if_shorter(path: Path) -> str:
    """Return the path as the working directory sees it where that is shorter, else whole."""
    whole = str(path)
    return min(os.path.relpath(path), whole, key=len)


def file_and_line(path: Path, line: int | None) -> str:
    """Return ``file:line``, or the file where no line is meant."""
    return relative_if_shorter(path) if line is None else f"{relative_if_shorter(path)}:{line}"

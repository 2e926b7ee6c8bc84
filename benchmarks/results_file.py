"""A file of measurements, a JSON line each: a benchmark that was interrupted goes on with what is missing."""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.peers.assignment import ROOT

PACKAGES = ("torch", "pytorch-lightning", "ray", "optuna")


class ResultsFile:
    """The lines of a file, read once and appended to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        if path.exists():
            self.lines = [json.loads(line) for line in path.read_text().splitlines()]
        code = code_digest()
        self.mixed = any(line["code"] != code for line in self.lines)
        """Whether some were measured with other code of ours than there is now."""
        self._about = {
            "code": code,
            "machine": f"{platform.machine()} {platform.python_version()}",
            "versions": {name: version(name) for name in PACKAGES},
        }

    def has(self, **key: Any) -> bool:
        """Tell whether there is a line with these values."""
        return any(all(line.get(name) == value for name, value in key.items()) for line in self.lines)

    def add(self, measured: Mapping[str, Any], **key: Any) -> None:
        """Append a line."""
        line = {**key, **measured, **self._about}
        self.lines.append(line)
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def code_digest() -> str:
    """Return what the measured code of ours is: `tune` and the benchmarks' programs."""
    digest = hashlib.sha256()
    for folder in ("tune", "lit"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]

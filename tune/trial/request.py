"""What a version under ``retrain/`` was to be, in its ``retrain.json``: written before it trains, by the driver."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from tune.paths import VersionPaths, atomic_write, read_json, read_regular
from tune.promotion.program import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One training of a recorded configuration."""

    trial: int
    """The number of the trial whose configuration it is."""
    seed: int
    fresh: bool
    """Whether the seed is in force whatever the program seeds itself with; False: as the search ran its trials."""
    again: bool = False
    """Whether it repeats another one in everything, to see if the program is deterministic."""
    trainer: dict[str, Any]
    """Arguments of the Trainer that the space or the command line give."""
    source: str
    """The folder of the source that it ran, below the experiment's."""
    digest: str
    """Of that source."""

    @property
    def key(self) -> str:
        """The same for two requests of the same training."""
        return json.dumps(asdict(self), sort_keys=True, default=str)

    def write(self, version: VersionPaths) -> None:
        """Write the file."""
        with atomic_write(version.request) as aside:
            aside.write_text(json.dumps(asdict(self), indent=2, default=str) + "\n", encoding="utf-8")


def read_request(version: VersionPaths) -> Request | None:
    """Return what a version was to be, or None where it was no retraining."""
    try:
        request = Request(**read_json(read_regular(version.request)))
    except (OSError, ValueError, TypeError):
        return None
    return request if _is_our_request(request) else None


def _is_our_request(request: Request) -> bool:
    """Tell whether its fields are what we write; its source becomes a path below the experiment's folder."""
    source = PurePath(request.source) if isinstance(request.source, str) and "\0" not in request.source else None
    return (
        source is not None
        and not source.is_absolute()
        and ".." not in source.parts
        and isinstance(request.trainer, dict)
        and all(type(each) is int for each in (request.trial, request.seed))
        and isinstance(request.digest, str)
    )


def digest_of(program: Program) -> str:
    """Return what tells two states of a program's source apart."""
    found = hashlib.sha256()
    for name, source in sorted(program.sources.items()):
        found.update(f"{name}\0{len(source.raw)}\0".encode())
        found.update(source.raw)
    return found.hexdigest()[:16]

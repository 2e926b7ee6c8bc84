"""What a trial says of itself, in its version's ``trial.json``. Written by the worker, read by everyone."""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from tune.paths import VersionPaths, atomic_write

NEVER_LOGGED = "metric"
"""The kind of a failure: the trial came to its end and the metric was never logged."""

Stage = Literal["preflight", "running", "complete", "stopped", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a trial failed: data, not an exception."""

    kind: str
    """The exception's type: ``ValueError``, or ``NaN`` for a metric that is not finite, or NEVER_LOGGED."""
    message: str
    """Its text."""
    hint: str | None = None
    """What to do, where the error says."""
    place: str | None = None
    """The user's own last frame: ``lit/digits.py:41``; None when none of it is the program's."""
    code: str | None = None
    """The line of code there."""

    @property
    def reason(self) -> str:
        """One line that says it all."""
        text = f"{self.kind}: {self.message}" if self.message else self.kind
        return f"{text} ({self.place})" if self.place else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The file ``trial.json``."""

    number: int
    version: str
    """The folder's name."""
    constants: dict[str, Any]
    """The promoted constants as they were in force."""
    seed: int
    stage: Stage
    pid: int
    host: str
    attempt: int = 1
    """Counts the workers that the trial had; above 1 it was continued."""
    devices: str | None
    """``CUDA_VISIBLE_DEVICES`` as the trial saw it."""
    started: float
    """Seconds since the epoch."""
    ended: float | None = None
    """Seconds since the epoch."""
    fit_s: float | None = None
    """Seconds inside ``Trainer.fit``; the rest is what the search adds."""
    curve: list[tuple[int, float]] = field(default_factory=list)
    """``(epoch, value)`` of the metric; epochs count from 1."""
    ready: bool = False
    """Whether the pre-flight passed; False where there was none."""
    logged: list[str] = field(default_factory=list)
    """Every name that the program logged, as the pre-flight saw it."""
    wrote: list[str] = field(default_factory=list)
    """Some of the files that the pre-flight left in the working directory."""
    taken: dict[str, int] = field(default_factory=dict)
    """How often each promoted expression was executed: proof that the values were in force."""
    in_force: dict[str, Any] = field(default_factory=dict)
    """The same by value: what was found in force, and ``where``."""
    failure: Failure | None = None

    def write(self, version: VersionPaths) -> None:
        """Replace the file; a reader never sees half of it."""
        with atomic_write(version.record) as aside:
            fields = asdict(_finite(self)).items()
            lines = (f"  {json.dumps(name)}: {json.dumps(value, default=str)}" for name, value in fields)
            aside.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_record(version: VersionPaths) -> Record | None:
    """Return a version's record, or None where there is none that we wrote."""
    try:
        data = json.loads(version.record.read_text(encoding="utf-8"))
        failure = Failure(**data.pop("failure")) if data.get("failure") else None
        curve = [(int(epoch), float(value)) for epoch, value in data.pop("curve")]
        return Record(**{**data, "failure": failure, "curve": curve})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _finite(record: Record) -> Record:
    """JSON has no NaN: such an epoch is written as its name, which ``float`` reads back."""
    curve: list[Any] = [(epoch, value if math.isfinite(value) else str(value)) for epoch, value in record.curve]
    return replace(record, curve=curve)

"""Why trials failed: by cause, each with the place, an example, and the region of the space where it happens."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tune.paths import ExperimentPaths
from tune.results.region import Region, region_of
from tune.space.dimensions import Value
from tune.space.space import Space
from tune.trial.footprint import is_out_of_memory
from tune.trial.outcome import Outcome
from tune.trial.record import Failure, read_record

OUT_OF_MEMORY = "out of memory"
NOT_FINITE = re.compile(r"(.+) is (?:nan|-?inf) in epoch \d+")
VARIES = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
"""What differs between two messages of one cause: numbers and addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """All trials that failed for one reason."""

    cause: str
    """``out of memory``, ``Loss/Val is not finite``, ``ValueError: too wide``: of a message, the example's."""
    trials: tuple[int, ...]
    """Their numbers."""
    example: Outcome
    """The first of them."""
    place: str | None
    """The user's own last frame in the example: ``lit/digits.py:41``; None where none of it is the program's."""
    code: str | None
    """The line of code there."""
    log: Path
    """All that the example printed."""
    region: Region | None
    """Where in the space it happens, if one constant tells."""

    @property
    def sentence(self) -> str:
        """How many there are, and where: ``all 5 out-of-memory trials have BATCH_SIZE >= 256, ...``."""
        n = len(self.trials)
        if self.region is None:
            return f"{n} trial{'s' if n != 1 else ''}: {self.cause}"
        what = "out-of-memory trials" if self.cause == OUT_OF_MEMORY else "trials that failed so"
        return f"all {n} {what} have {self.region.rule}, and none of the {self.region.n_outside} that did not fail has"

    @property
    def constants(self) -> dict[str, Value]:
        """The example's."""
        return self.example.values


def failures_of(trials: Sequence[Outcome], space: Space, paths: ExperimentPaths) -> tuple[FailureGroup, ...]:
    """Return the causes, the commonest first; trials are those of the ledger."""
    trained = [trial for trial in trials if trial.repeat_of is None]
    sound = [trial.values for trial in trained if trial.state in ("complete", "pruned")]
    groups: dict[str, list[tuple[Outcome, Failure | None, str]]] = {}
    for trial in trained:
        if trial.state == "failed":
            record = read_record(paths.version(trial.version))
            failure = None if record is None else record.failure
            cause = _cause(failure, trial.reason or "unknown")
            groups.setdefault(_key(cause, failure), []).append((trial, failure, cause))
    found = [_group(members, sound, space, paths) for members in groups.values()]
    return tuple(sorted(found, key=lambda group: (-len(group.trials), group.trials[0])))


def _group(
    members: Sequence[tuple[Outcome, Failure | None, str]],
    sound: Sequence[dict[str, Value]],
    space: Space,
    paths: ExperimentPaths,
) -> FailureGroup:
    example, failure, cause = members[0]
    return FailureGroup(
        cause=cause,
        trials=tuple(trial.number for trial, _, _ in members),
        example=example,
        place=None if failure is None else failure.place,
        code=None if failure is None else failure.code,
        log=paths.version(example.version).log,
        region=region_of([trial.values for trial, _, _ in members], sound, space.dimensions),
    )


def _cause(failure: Failure | None, reason: str) -> str:
    """Return what went wrong; the place stands elsewhere."""
    text = reason if failure is None else failure.message or failure.kind
    if is_out_of_memory("" if failure is None else failure.kind, reason):
        return OUT_OF_MEMORY
    if not_finite := NOT_FINITE.fullmatch(text):
        return f"{not_finite[1]} is not finite"
    if failure is None or not failure.message:
        return text
    return f"{failure.kind}: {failure.message}"


def _key(cause: str, failure: Failure | None) -> str:
    """Return what trials of one group share: out of memory and lost in numbers are one cause, wherever it struck."""
    if cause == OUT_OF_MEMORY or failure is None or failure.place is None:
        return VARIES.sub("#", cause)
    return f"{failure.kind} {failure.place}"

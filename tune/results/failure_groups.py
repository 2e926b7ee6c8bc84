"""Why trials failed: by cause, each with the place, an example, and the region of the space where it happens."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tune.experiment.records import Failure, read_record
from tune.experiment.trial_result import TrialResult
from tune.paths import ExperimentPaths, display_path
from tune.results.report.value_table import describe_values
from tune.space.conditions import is_same_yaml_value
from tune.space.dimensions import Choice, Dimension, Value, is_number, numbers_of
from tune.space.space import Space
from tune.trial.messages import is_out_of_memory

LEAST = 3
"""Trials on either side; of fewer nothing is claimed."""
CHANCE = 0.01
"""How likely a bound may be where trials fell on its sides by chance, all bounds that were looked at together."""

Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One bound that holds for all trials of a kind and for no other."""

    constant: str
    relation: str
    """``>=``, ``<=`` or ``=``."""
    bound: Value
    """Included."""
    n_outside: int

    @property
    def bound_text(self) -> str:
        """The bound as people read it: ``BATCH_SIZE >= 256``."""
        bound = f"{self.bound:.4g}" if isinstance(self.bound, float) else str(self.bound)
        return f"{self.constant} {self.relation} {bound}"


def find_region(
    inside: Sequence[Values], outside: Sequence[Values], dimensions: Mapping[str, Dimension]
) -> Region | None:
    """Return the bound that all of ``inside`` keep and none of ``outside`` does; None where chance could have made it.

    Of several bounds the one that leaves most room to the trials outside is returned. A trial that has no value of a
    constant (its condition does not hold) lies outside of all its bounds.
    """
    if len(inside) < LEAST or len(outside) < LEAST:
        return None
    n_looked_at = sum(_count_bounds(dimension) for dimension in dimensions.values())
    if n_looked_at / math.comb(len(inside) + len(outside), len(inside)) > CHANCE:
        return None
    found = [
        (gap, -order, region)
        for order, (name, dimension) in enumerate(dimensions.items())
        for gap, region in _find_bounds(name, dimension, inside, outside)
    ]
    return max(found, key=lambda each: each[:2])[2] if found else None


def _count_bounds(dimension: Dimension) -> int:
    ordered = not isinstance(dimension, Choice) or numbers_of(dimension) is not None
    return 2 if ordered else len(dimension.options) if isinstance(dimension, Choice) else 0


def _find_bounds(
    name: str, dimension: Dimension, inside: Sequence[Values], outside: Sequence[Values]
) -> Iterator[tuple[float, Region]]:
    """Yield each bound that tells the two apart, with how wide the gap between them is."""
    if any(name not in values for values in inside):
        return
    ours = [values[name] for values in inside]
    theirs = [values[name] for values in outside if name in values]
    n_outside = len(outside)
    if isinstance(dimension, Choice) and numbers_of(dimension) is None:
        one = all(is_same_yaml_value(value, ours[0]) for value in ours)
        if one and theirs and not any(is_same_yaml_value(value, ours[0]) for value in theirs):
            yield 0.0, Region(constant=name, relation="=", bound=ours[0], n_outside=n_outside)
        return
    numbers, others = [each for each in ours if is_number(each)], [each for each in theirs if is_number(each)]
    if not others or len(numbers) != len(ours) or len(others) != len(theirs):
        return
    whole = [*numbers, *others]
    width = max(whole) - min(whole) or 1.0
    if min(numbers) > max(others):
        gap = (min(numbers) - max(others)) / width
        yield gap, Region(constant=name, relation=">=", bound=min(numbers), n_outside=n_outside)
    elif max(numbers) < min(others):
        gap = (min(others) - max(numbers)) / width
        yield gap, Region(constant=name, relation="<=", bound=max(numbers), n_outside=n_outside)


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
    example: TrialResult
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
        return (
            f"all {n} {what} have {self.region.bound_text}, and none of the {self.region.n_outside} "
            "that did not fail has"
        )

    @property
    def constants(self) -> dict[str, Value]:
        """The example's."""
        return self.example.values


def group_failures(trials: Sequence[TrialResult], space: Space, paths: ExperimentPaths) -> tuple[FailureGroup, ...]:
    """Return the causes, the commonest first; trials are those of the ledger."""
    trained = [trial for trial in trials if trial.repeat_of is None]
    sound = [trial.values for trial in trained if trial.state in ("complete", "pruned")]
    groups: dict[str, list[tuple[TrialResult, Failure | None, str]]] = {}
    for trial in trained:
        if trial.state == "failed":
            record = read_record(paths.version(trial.version))
            failure = None if record is None else record.failure
            cause = _name_cause(failure, trial.reason or "unknown")
            groups.setdefault(_group_key(cause, failure), []).append((trial, failure, cause))
    found = [_build_group(members, sound, space, paths) for members in groups.values()]
    return tuple(sorted(found, key=lambda group: (-len(group.trials), group.trials[0])))


def _build_group(
    members: Sequence[tuple[TrialResult, Failure | None, str]],
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
        region=find_region([trial.values for trial, _, _ in members], sound, space.dimensions),
    )


def _name_cause(failure: Failure | None, reason: str) -> str:
    """Return what went wrong; the place stands elsewhere."""
    text = reason if failure is None else failure.message or failure.kind
    if is_out_of_memory("" if failure is None else failure.kind, reason):
        return OUT_OF_MEMORY
    if not_finite := NOT_FINITE.fullmatch(text):
        return f"{not_finite[1]} is not finite"
    if failure is None or not failure.message:
        return text
    return f"{failure.kind}: {failure.message}"


def _group_key(cause: str, failure: Failure | None) -> str:
    """Return what trials of one group share: out of memory and lost in numbers are one cause, wherever it struck."""
    if cause == OUT_OF_MEMORY or failure is None or failure.place is None:
        return VARIES.sub("#", cause)
    return f"{failure.kind} {failure.place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """Trials that failed for one reason."""

    cause: str
    count: int
    place: str
    """The program's own last line and what stands there; empty where none of it is the program's."""
    region: str
    """Where in the space it happens; empty where no constant tells."""
    constants: str
    """Of the first of them."""
    log: str
    """The path of its log."""


def build_failure_row(group: FailureGroup) -> FailureRow:
    """Return a group as the page shows it."""
    return FailureRow(
        cause=group.cause,
        count=len(group.trials),
        place=": ".join(text for text in (group.place, group.code) if text),
        region=group.sentence if group.region is not None else "",
        constants=describe_values(group.constants),
        log=display_path(group.log),
    )

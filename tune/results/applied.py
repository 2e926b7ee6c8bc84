"""What ``apply`` has written into the source, noted in the experiment: such a value is ours, and no edit by hand."""

import contextlib
import json
from collections.abc import Mapping

from tune.paths import ExperimentPaths, atomic_write, read_json, read_regular
from tune.promotion.writing import identical
from tune.space.dimensions import Value

Applied = dict[str, list[Value]]
"""By a constant's name in the space file every value that was written, as JSON has it."""


def read_applied(paths: ExperimentPaths) -> Applied:
    """Return what was noted; nothing where nothing was, or where it cannot be read."""
    try:
        found = read_json(read_regular(paths.applied))
    except (OSError, ValueError):
        return {}
    ours = isinstance(found, dict) and all(isinstance(values, list) for values in found.values())
    return found if ours else {}


def note_applied(paths: ExperimentPaths, values: Mapping[str, Value]) -> None:
    """Add what is about to be written; an experiment that cannot be written is left as it is."""
    noted = read_applied(paths)
    for key, value in values.items():
        if not is_applied(noted, key, value):
            noted.setdefault(key, []).append(as_json(value))
    with contextlib.suppress(OSError), atomic_write(paths.applied) as aside:
        aside.write_text(json.dumps(noted, indent=2) + "\n", encoding="utf-8")


def is_applied(applied: Applied, key: str, value: Value) -> bool:
    """Tell whether a value was written for a constant."""
    return any(identical(each, as_json(value)) for each in applied.get(key, []))


def as_json(value: Value) -> Value:
    """Return a value with lists for tuples."""
    match value:
        case tuple() | list():
            return [as_json(each) for each in value]
        case dict():
            return {key: as_json(each) for key, each in value.items()}
        case _:
            return value

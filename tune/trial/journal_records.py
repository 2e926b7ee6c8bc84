"""Which lines of a ledger's journal are records: what a power cut tore is at its end, all else is damage."""

import json
from pathlib import Path
from typing import Any

from tune.errors import ExperimentError
from tune.paths import short

KEYS: dict[object, frozenset[str]] = {
    0: frozenset({"study_name", "directions"}),
    1: frozenset({"study_id"}),
    2: frozenset({"study_id", "user_attr"}),
    3: frozenset({"study_id", "system_attr"}),
    4: frozenset({"study_id", "datetime_start"}),
    5: frozenset({"trial_id", "param_name", "param_value_internal", "distribution"}),
    6: frozenset({"trial_id", "state", "values"}),
    7: frozenset({"trial_id", "step", "intermediate_value"}),
    8: frozenset({"trial_id", "user_attr"}),
    9: frozenset({"trial_id", "system_attr"}),
}
"""What Optuna reads of each kind of record, by its ``op_code``: see its JournalStorage."""
BACKUP = "Take it from a backup; nothing was changed."


def count_whole_records(raw: bytes, journal: Path) -> int:
    """Return how many of its first lines are records; what follows them is a torn end.

    Raises ExperimentError where a line is broken that no power cut tore: records follow it, or it is JSON.
    """
    lines = raw.split(b"\n")
    found = [_read_line(line) for line in lines]
    n_whole = next((number for number, each in enumerate(found) if not _is_record(each)), len(lines))
    if any(each is not None for each in found[n_whole + 1 :]):
        what = f"line {n_whole + 1} is no record, and records follow it"
        raise ExperimentError(short(journal), what, BACKUP)
    if n_whole < len(lines) and found[n_whole] is not None:
        raise ExperimentError(short(journal), f"line {n_whole + 1} is no record", BACKUP)
    return n_whole


def _read_line(line: bytes) -> Any:
    """Return what the line holds; None for a torn one, or the zeros that a file system puts there."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_record(found: Any) -> bool:
    if not isinstance(found, dict) or type(found.get("op_code")) is not int:
        return False
    return found["op_code"] in KEYS and found.keys() >= KEYS[found["op_code"]]

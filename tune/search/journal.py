"""The journal as a file: what a power cut tore is repaired, and the order of all reports is read back.

One record a line, each a JSON object. Optuna rebuilds trials from them, but forgets in which order they reported, which
is what the rungs of ASHA are made of.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from optuna.storages.journal._storage import JournalOperation

from tune.errors import ExperimentError
from tune.paths import atomic_write, short

Reported = tuple[int, int, float]
"""Trial, epoch, value."""

LOCKS = (".lock", ".lock*.rename")
"""Behind the journal's name: what Optuna's lock leaves when its process is killed, and then waits 30 s for."""


def repair(journal: Path) -> int:
    """Take a torn end out of a journal; return how many bytes were lost. The caller holds the experiment's lock.

    Raises ExperimentError where a record is broken that others follow: that was no power cut.
    """
    for pattern in LOCKS:
        for left in journal.parent.glob(journal.name + pattern):
            left.unlink(missing_ok=True)
    raw = journal.read_bytes()
    lines = raw.split(b"\n")
    whole = [_is_record(line) for line in lines]
    n_whole = next((number for number, good in enumerate(whole) if not good), len(lines))
    if any(whole[n_whole:]):
        what = f"line {n_whole + 1} is no record, and records follow it"
        raise ExperimentError(short(journal), what, "Take it from a backup; nothing was changed.")
    kept = b"".join(line + b"\n" for line in lines[:n_whole])
    if kept != raw:
        with atomic_write(journal) as aside:
            aside.write_bytes(kept)
    return max(0, len(raw) - len(kept))


def _is_record(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except ValueError:  # a torn line, or the zeros that a file system puts there
        return False
    return isinstance(record, dict) and "op_code" in record


def reports(journal: Path, numbers: Mapping[int, int]) -> list[Reported]:
    """Return every report in the order in which they came; ``numbers`` of trials, by Optuna's ids."""
    wanted = int(JournalOperation.SET_TRIAL_INTERMEDIATE_VALUE)
    return [
        (numbers[record["trial_id"]], record["step"], record["intermediate_value"])
        for record in _records(journal)
        if record["op_code"] == wanted and record["trial_id"] in numbers
    ]


def _records(journal: Path) -> Iterator[dict[str, Any]]:
    with journal.open("rb") as file:
        for line in file:
            yield json.loads(line)

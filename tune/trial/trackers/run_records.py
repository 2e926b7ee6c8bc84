"""The file of a version with the runs that its trial has in trackers: whoever goes on with it goes on with them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tune.paths import VersionPaths, atomic_write, read_json, read_regular
from tune.trial.trackers.run_labels import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of a trial in a tracker."""

    tracker: str
    """The package: ``wandb``."""
    run: str
    """What the tracker calls it: an id, a key, or a folder."""
    place: dict[str, str] = field(default_factory=dict)
    """Where it is: a project, a server, by the tracker's own words."""
    state: RunState = "running"
    """As the tracker was told last."""


def read_run_records(files: VersionPaths) -> list[RunRecord]:
    """Return the runs of a version; none where the file is not there, or not ours."""
    try:
        found = [RunRecord(**each) for each in read_json(read_regular(files.tracked_runs))]
    except (OSError, ValueError, TypeError):
        return []
    return found if all(map(_is_our_record, found)) else []


def _is_our_record(record: RunRecord) -> bool:
    place: Any = record.place
    return (
        isinstance(record.tracker, str)
        and isinstance(record.run, str)
        and isinstance(place, dict)
        and all(isinstance(value, str) for value in place.values())
    )


def write_run_records(files: VersionPaths, records: Sequence[RunRecord]) -> None:
    """Write the file."""
    with atomic_write(files.tracked_runs) as aside:
        aside.write_text(json.dumps([asdict(each) for each in records], indent=2) + "\n", encoding="utf-8")

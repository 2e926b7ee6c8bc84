"""What a trial whose process died could not write down itself."""

import contextlib
import time
from dataclasses import replace

from tune.errors import ExperimentError
from tune.paths import ExperimentPaths, VersionPaths, short
from tune.promotion.program import Program
from tune.promotion.snapshot import open_snapshot
from tune.trial.process.crash import crash_places
from tune.trial.process.link import leaves_stack
from tune.trial.record import Failure, Record

WORKER_DIED = "the worker died"


def explain_death(record: Record | None, death: str, version: VersionPaths) -> Record | None:
    """Return the record of a trial whose process died, with how it did, in words, and where, if its log says."""
    if record is None:
        return None
    places = crash_places(version.log, record.log_start) if leaves_stack(death) else []
    program = _program_of(version)
    own = next((place for place in places if program is not None and program.holds(place[0])), None)
    library = places[0] if places and places[0] != own else None
    failure = Failure(
        kind=WORKER_DIED,
        ours=True,
        message=death,
        place=None if own is None or program is None else f"{program.name_of(own[0])}:{own[1]}",
        hint=None if library is None else f"It died in {short(library[0])}:{library[1]}.",
    )
    return replace(record, ended=time.time(), failure=failure)


def failure_in(record: Record | None, death: str) -> Failure:
    """Return why a trial failed; ``death``: how its process died, where no record says anything."""
    return record.failure if record and record.failure else Failure(kind=WORKER_DIED, ours=True, message=death)


def _program_of(version: VersionPaths) -> Program | None:
    folder = version.folder.parent
    for paths in (ExperimentPaths(folder), ExperimentPaths(folder.parent)):  # `retrain` has a folder for its versions
        with contextlib.suppress(ExperimentError):
            return open_snapshot(paths.source).program
    return None

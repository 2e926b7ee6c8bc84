"""What a worker that died could not write down itself."""

import time
from dataclasses import replace

from tune.paths import VersionPaths
from tune.trial.guard import HELD_WORDS, last_words
from tune.trial.record import HUNG, Failure, Record

WORKER_DIED = "the worker died"


def autopsy(version: VersionPaths, record: Record | None) -> Record | None:
    """Return the record of a trial whose worker died with what its log says of that."""
    if record is None:
        return None
    words = last_words(version.log, record.log_start)
    hung = words is not None and words.startswith(HELD_WORDS)
    failure = Failure(kind=HUNG if hung else WORKER_DIED, ours=True, message=words or "")
    return replace(record, ended=time.time(), failure=failure)


def failure_in(record: Record | None) -> Failure:
    """Return why a trial failed; a worker without a record died before it could say anything."""
    return record.failure if record and record.failure else Failure(kind=WORKER_DIED, ours=True, message="")

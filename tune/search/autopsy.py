"""What a trial whose process died could not write down itself."""

import time
from dataclasses import replace

from tune.trial.record import Failure, Record

WORKER_DIED = "the worker died"


def autopsy(record: Record | None, death: str) -> Record | None:
    """Return the record of a trial whose process died, with how it did, in words."""
    if record is None:
        return None
    return replace(record, ended=time.time(), failure=Failure(kind=WORKER_DIED, ours=True, message=death))


def failure_in(record: Record | None, death: str) -> Failure:
    """Return why a trial failed; ``death``: how its process died, where no record says anything."""
    return record.failure if record and record.failure else Failure(kind=WORKER_DIED, ours=True, message=death)

"""What a trial left on disk when its process ended: how it ended, and the epochs that were not reported."""

from dataclasses import dataclass

from tune.paths import VersionPaths
from tune.search.trial_death import explain_death
from tune.trial.mail import Epoch
from tune.trial.mark import read_mark
from tune.trial.record import HUNG, Record, read_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is known of the end of a trial's last attempt."""

    record: Record | None
    """With how the process died, if it did; None: it died before it could write anything."""
    failed: bool
    """Whether the program raised, or its process died."""
    died: bool
    """Whether its process died before the program had ended."""
    version: VersionPaths

    @property
    def trains(self) -> bool:
        """Whether the baseline came past the pre-flight and logged its metric."""
        return self.record is not None and self.record.trains

    @property
    def hung(self) -> bool:
        """Whether its process was ended because it made no progress."""
        return self.record is not None and self.record.failure is not None and self.record.failure.is_a(HUNG)

    @property
    def through(self) -> bool:
        """Whether the program had ended."""
        return self.record is not None and self.record.stage == "complete"

    def epochs(self, *, several: bool) -> list[Epoch]:
        """Return what it may not have reported, from its record; if its process died, from its checkpoint too.

        ``several``: a record knows the first of several metrics alone, and says too little then.
        """
        found = {} if several else {each.epoch: each for each in told_by(self.record)}
        if (self.died or self.hung) and (mark := read_mark(self.version.last, whole=False)) is not None:
            found |= {epoch: Epoch(epoch, value, others=mark.others.get(epoch, ())) for epoch, value in mark.curve}
        return [found[epoch] for epoch in sorted(found)]


def left_in(version: VersionPaths, *, death: str | None, stopped: bool) -> Left:
    """Look at a version; ``death``: how its process died; ``stopped``: by the scheduler; a program may fail then."""
    record = read_record(version)
    failed = death is not None or (record is not None and record.stage == "failed" and not stopped)
    died = failed and (record is None or record.stage in ("preflight", "running"))
    return Left(
        record=explain_death(record, death or "", version) if died else record,
        failed=failed,
        died=died,
        version=version,
    )


def told_by(record: Record | None) -> list[Epoch]:
    """Return the epochs in a record."""
    return [] if record is None else [Epoch(epoch, value, n_fits=record.n_fits) for epoch, value in record.curve]

"""What a trial left on disk when its worker ended: how that came, and the epochs that nobody was told."""

from dataclasses import dataclass

from tune.paths import VersionPaths
from tune.search.autopsy import autopsy
from tune.trial.mail import Epoch
from tune.trial.mark import read_mark
from tune.trial.record import HUNG, Record, read_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is known of the end of a trial's last attempt."""

    record: Record | None
    """With what the log says, where the worker died; None: it died before it could write anything."""
    failed: bool
    """Whether the program raised, or its worker died."""
    died: bool
    """Whether its worker died before the program had ended."""
    version: VersionPaths

    @property
    def trains(self) -> bool:
        """Whether the baseline came past the pre-flight and logged its metric."""
        return self.record is not None and self.record.trains

    @property
    def hung(self) -> bool:
        """Whether its worker was ended because it did nothing any more."""
        return self.record is not None and self.record.failure is not None and self.record.failure.is_a(HUNG)

    @property
    def through(self) -> bool:
        """Whether the program had ended."""
        return self.record is not None and self.record.stage == "complete"

    def epochs(self, *, several: bool) -> list[Epoch]:
        """Return what it may not have told, from its record; of a worker that died also from its checkpoint.

        ``several``: a record knows the first of several metrics alone, and says too little then.
        """
        found = {} if several else {each.epoch: each for each in told_by(self.record)}
        if self.died and (mark := read_mark(self.version.last, whole=False)) is not None:
            found |= {epoch: Epoch(epoch, value, others=mark.others.get(epoch, ())) for epoch, value in mark.curve}
        return [found[epoch] for epoch in sorted(found)]


def left_in(version: VersionPaths, *, failed: bool, stopped: bool) -> Left:
    """Look at a version; ``failed``: Ray says so; ``stopped``: by the scheduler, and a program may fail as it ends."""
    record = read_record(version)
    failed = failed or (record is not None and record.stage == "failed" and not stopped)
    died = failed and (record is None or record.stage in ("preflight", "running"))
    return Left(record=autopsy(version, record) if died else record, failed=failed, died=died, version=version)


def told_by(record: Record | None) -> list[Epoch]:
    """Return the epochs in a record."""
    return [] if record is None else [Epoch(epoch, value) for epoch, value in record.curve]

"""Closes trials in the ledger: by what they reported, by their own records, and by what the scheduler said."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tune.paths import VersionPaths
from tune.search.causes import Causes
from tune.search.checkpoints import Keeper
from tune.search.ledger.ledger import Ledger
from tune.search.trial_death import WORKER_DIED, failure_in
from tune.space.dimensions import Value
from tune.trial.outcome import BASELINE, Outcome, State
from tune.trial.record import HUNG, Record

OnDeath = Callable[[VersionPaths, Mapping[str, Value], float], None]
"""Completes the version of a trial whose process died; takes its constants and when it started, too."""


class Registrar:
    """One for a search."""

    def __init__(self, ledger: Ledger, causes: Causes, keeper: Keeper, on_death: OnDeath) -> None:
        self._ledger = ledger
        self._causes = causes
        self._keeper = keeper
        self._on_death = on_death

    def close(
        self,
        number: int,
        version: VersionPaths,
        record: Record | None,
        *,
        failed: bool,
        stopped: bool,
        death: str,
        busy: Sequence[VersionPaths],
    ) -> Outcome:
        """Close a trial, ``stopped`` by the scheduler or not; the ``busy`` ones keep their checkpoints.

        ``death``: how its process died, in words; empty where it did not, and where nobody can say.
        """
        if number == BASELINE and record is not None:
            self._ledger.note_in_force(number, record.in_force)
        noted = {} if record is None else {"worker": record.worker or f"{record.host}:{record.pid}"}
        failure = failure_in(record, death) if failed else None
        if failure is not None and failure.is_a(WORKER_DIED, HUNG):
            self.bury(number, version, record)
        reason = self._not_finite(number) if failure is None else failure.reason
        state: State = "failed" if reason is not None else "pruned" if stopped else "complete"
        self._keeper.make_room(replace(self._ledger.outcome(number), state=state), busy)
        if reason is None:
            self._causes.succeeded()
            return self._ledger.prune(number, **noted) if stopped else self._ledger.complete(number, **noted)
        outcome = self._ledger.fail(number, reason, **noted)
        if failure is not None:
            self._causes.failed(failure, outcome)
        return outcome

    def bury(self, number: int, version: VersionPaths, record: Record | None) -> None:
        """Write the record of a trial whose process died."""
        if record is not None and record.stage != "failed":
            replace(record, stage="failed").write(version)
        self._on_death(version, self._ledger.values(number), record.started if record else time.time())

    def _not_finite(self, number: int) -> str | None:
        for epoch, value in self._ledger.curve(number).items():
            if not math.isfinite(value):
                return f"the metric is {value} in epoch {epoch}"
        return self._ledger.unmeasured(number)

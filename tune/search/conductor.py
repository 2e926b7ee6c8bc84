"""What decides about trials while a search runs: which comes next, when one stops, what it was worth.

Ray's searcher and scheduler are two thin doors to this one object, so that there is one truth between them.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from tune.paths import ExperimentPaths, VersionPaths
from tune.search.asha import Rule
from tune.search.ledger import Ledger
from tune.search.names import version_name
from tune.trial.outcome import Outcome
from tune.trial.record import NEVER_LOGGED, Failure, Record, read_record
from tune.trial.task import Task

BASELINE = 0
WORKER_DIED = "the worker died"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a search ends."""

    trials: int
    """The baseline counts."""
    time_budget_s: float | None
    """None: no end."""
    concurrency: int
    """Trials at a time."""
    rehearsal: bool = False
    """Run nothing but the pre-flight."""


class Conductor:
    """Leads one search. Ray's controller calls it from the driver's main thread, alone."""

    def __init__(
        self,
        paths: ExperimentPaths,
        ledger: Ledger,
        rule: Rule,
        limits: Limits,
        seed: int,
        on_end: Callable[[Outcome], None],
        on_preflight_failed: Callable[[], None],
    ) -> None:
        self._paths = paths
        self._ledger = ledger
        self._rule = rule
        self._limits = limits
        self._seed = seed
        self._on_end = on_end
        self._on_preflight_failed = on_preflight_failed
        self._running: dict[str, int] = {}  # trial numbers by Ray's ids
        self._versions: dict[int, VersionPaths] = {}
        self._stopped: set[int] = set()  # by the scheduler
        self._interrupted: set[int] = set()  # by the end of the search
        self._n_asked = 0
        self._started = time.monotonic()
        self._ending = threading.Event()
        self.preflight_failed = False
        """Whether the baseline did not survive the pre-flight: every running trial is to end."""

    @property
    def baseline(self) -> Record | None:
        """What the baseline says of itself."""
        return read_record(self._versions[BASELINE]) if BASELINE in self._versions else None

    @property
    def finished(self) -> bool:
        """Whether no further trial starts."""
        return self._n_asked >= self._limits.trials or self._ledger.exhausted or self.interrupted

    @property
    def interrupted(self) -> bool:
        """Whether running trials end after their epoch."""
        budget = self._limits.time_budget_s
        return self._ending.is_set() or (budget is not None and time.monotonic() - self._started >= budget)

    @property
    def aborted(self) -> bool:
        """Whether the running trials are to end now."""
        return self.preflight_failed

    @property
    def cut_short(self) -> bool:
        """Whether a trial was interrupted, or never asked for."""
        return bool(self._interrupted) or (self.interrupted and self._n_asked < self._limits.trials)

    @property
    def ending(self) -> bool:
        """Whether ``end`` was called."""
        return self._ending.is_set()

    def end(self) -> None:
        """Start no further trial, and let the running ones end after their epoch; from any thread."""
        self._ending.set()

    def next_task(self, trial_id: str) -> Task | None:
        """Open the next trial; None while there is no room, or none is left."""
        if self.finished or len(self._running) >= self._limits.concurrency:
            return None
        first = self._n_asked == BASELINE
        number, values = self._ledger.ask_baseline() if first else self._ledger.ask()
        version = self._paths.version(version_name(number, {} if first else values))
        self._ledger.note(number, version=version.folder.name)
        self._running[trial_id] = number
        self._versions[number] = version
        self._n_asked += 1
        return Task(
            number=number,
            version=str(version.folder),
            seed=self._seed,
            values=values,
            preflight=first,
            rehearsal=first and self._limits.rehearsal,
            gated=not first and number < self._limits.concurrency,
        )

    def report(self, trial_id: str, epoch: int, value: float, *, last: bool) -> bool:
        """Write an epoch down; return True when the trial is to stop. One that is through anyway is not stopped."""
        number = self._running[trial_id]
        self._ledger.report(number, epoch, value)
        if self._rule.stops(number, epoch, value) and not last:
            self._stopped.add(number)
        elif self.interrupted and not last:
            self._interrupted.add(number)
        return number in self._stopped | self._interrupted

    def ended(self, trial_id: str, *, failed: bool) -> None:
        """Close a trial in the ledger, by what it reported and by its own record."""
        number = self._running.pop(trial_id, None)
        if number is None:
            return
        record = read_record(self._versions[number])
        if number == BASELINE and failed and not _trains(record):
            self.preflight_failed = True
            self._on_preflight_failed()
        if number not in self._interrupted and not self.preflight_failed and not self._limits.rehearsal:
            self._on_end(self._close(number, record, failed=failed))

    def suspend(self) -> None:
        """Leave WAITING in the ledger what has not ended."""
        self._ledger.suspend()

    def _close(self, number: int, record: Record | None, *, failed: bool) -> Outcome:
        if record is not None:
            self._ledger.note(number, worker=f"{record.host}:{record.pid}")
        curve = self._ledger.curve(number)
        if failed:
            if record is not None and record.failure is None:
                record = replace(
                    record, stage="failed", ended=time.time(), failure=Failure(kind=WORKER_DIED, message="")
                )
                record.write(self._versions[number])
            return self._ledger.fail(number, record.failure.reason if record and record.failure else WORKER_DIED)
        if diverged := [
            (epoch, value) for epoch, value in curve.items() if value != value or abs(value) == float("inf")
        ]:
            epoch, value = diverged[0]
            return self._ledger.fail(number, f"the metric is {value} in epoch {epoch}")
        return self._ledger.prune(number) if number in self._stopped else self._ledger.complete(number)


def _trains(record: Record | None) -> bool:
    """Tell whether the baseline came past the pre-flight and logged its metric, for without that no trial will."""
    return record is not None and record.ready and (record.failure is None or record.failure.kind != NEVER_LOGGED)

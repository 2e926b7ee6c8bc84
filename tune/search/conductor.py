"""What decides about trials while a search runs: which comes next, when one stops, what it was worth.

Ray's searcher and scheduler are two thin doors to this one object, so that there is one truth between them.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from tune.paths import ExperimentPaths, VersionPaths
from tune.search.asha import Rule
from tune.search.ledger import BASELINE, Ledger
from tune.search.names import version_name
from tune.trial.outcome import Outcome
from tune.trial.record import NEVER_LOGGED, Failure, Record, read_record
from tune.trial.task import Task

WORKER_DIED = "the worker died"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a search ends, and what it puts up with."""

    trials: int
    """The baseline counts."""
    time_budget_s: float | None
    """None: no end."""
    concurrency: int
    """Trials at a time."""
    max_failures: int
    """How often a trial goes on after its worker died."""
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
        self._waiting: deque[int] = deque()  # trials that go on: of an earlier driver, or whose worker died
        self._versions: dict[int, VersionPaths] = {}
        self._stopped: set[int] = set()  # by the scheduler
        self._interrupted: set[int] = set()  # by the end of the search
        self._n_asked = ledger.n_trials
        self._n_started = 0
        self._started = time.monotonic()
        self._ending = threading.Event()
        self._recall()
        self._needs_preflight = not self._ready
        self.preflight_failed = False
        """Whether the baseline did not survive the pre-flight: every running trial is to end."""

    def _recall(self) -> None:
        """Take up what an earlier driver left: its rungs, and its trials that did not end."""
        unfinished = self._ledger.reopen()
        for number, epoch, value in self._ledger.history:
            stops = self._rule.stops(number, epoch, value)
            if stops and number in unfinished and self._ledger.noted(number).get("last_epoch") != epoch:
                self._stopped.add(number)
        for number in unfinished:
            if (repeat := self._ledger.repeat(number, begun=True)) is not None:
                self._on_end(repeat)
                continue
            self._name(number)
            if not self._settle(number):
                self._waiting.append(number)

    def _settle(self, number: int) -> bool:
        """Close a trial that had ended, and whose driver did not live to write it down."""
        record = read_record(self._versions[number])
        if number in self._stopped:
            self._on_end(self._close(number, record, failed=False))
            return True
        if record is None or record.attempt != self._ledger.noted(number).get("attempt", 1):
            return False
        failed = record.stage == "failed" and (number != BASELINE or _trains(record))
        complete = record.stage == "complete" and dict(record.curve).keys() <= self._ledger.curve(number).keys()
        if failed or complete:
            self._on_end(self._close(number, record, failed=failed))
        return failed or complete

    @property
    def _ready(self) -> bool:
        """Whether the baseline passed its pre-flight."""
        return self.baseline is not None and (self.baseline.ready or BASELINE not in self._versions)

    @property
    def baseline(self) -> Record | None:
        """What the baseline says of itself."""
        if BASELINE in self._versions:
            return read_record(self._versions[BASELINE])
        held = self._ledger.version_of(BASELINE)
        return None if held is None else read_record(self._paths.version(held))

    @property
    def finished(self) -> bool:
        """Whether no further trial starts; while one runs, its worker may die."""
        return self.interrupted or not (self._waiting or self._running or self._has_more)

    @property
    def _has_more(self) -> bool:
        return self._n_asked < self._limits.trials and not self._ledger.exhausted

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
    def ending(self) -> bool:
        """Whether ``end`` was called."""
        return self._ending.is_set()

    def end(self) -> None:
        """Start no further trial, and let the running ones end after their epoch; from any thread."""
        self._ending.set()

    def next_task(self, trial_id: str) -> Task | None:
        """Open the next trial, or go on with one; None while there is no room, or none is left."""
        if self.interrupted or len(self._running) >= self._limits.concurrency:
            return None
        if self._waiting:
            number = self._waiting.popleft()
            attempt = self._ledger.noted(number).get("attempt", 1) + 1
            self._ledger.note(number, attempt=attempt)
        else:
            asked, attempt = self._ask(), 1
            if asked is None:
                return None
            number = asked
        self._running[trial_id] = number
        self._n_started += 1
        first = number == BASELINE and self._needs_preflight and not self._ready
        return Task(
            number=number,
            version=str(self._versions[number].folder),
            seed=self._seed,
            values=self._ledger.values(number),
            preflight=first,
            rehearsal=first and self._limits.rehearsal,
            gated=self._needs_preflight and not first and self._n_started <= self._limits.concurrency,
            attempt=attempt,
            reported=max(self._ledger.curve(number), default=0),
        )

    def _ask(self) -> int | None:
        """Open a trial that is to be trained; None where no more are left."""
        while self._has_more:
            number, _ = self._ledger.ask_baseline() if self._n_asked == BASELINE else self._ledger.ask()
            self._n_asked += 1
            repeat = self._ledger.repeat(number)
            if repeat is None:
                self._name(number)
                return number
            self._on_end(repeat)
        return None

    def _name(self, number: int) -> None:
        """Find the version of a trial, or give it one."""
        held = self._ledger.noted(number).get("version")
        name = held or version_name(number, {} if number == BASELINE else self._ledger.values(number))
        if held is None:
            self._ledger.note(number, version=name)
        self._versions[number] = self._paths.version(name)

    def report(self, trial_id: str, epoch: int, value: float, *, last: bool, others: tuple[float, ...] = ()) -> bool:
        """Write an epoch down; return True when the trial is to stop. One that is through anyway is not stopped.

        All is on disk before the trial hears of it. That an epoch is the last comes first: with it, what was decided
        follows from the reports alone.
        """
        number = self._running[trial_id]
        if epoch not in self._ledger.curve(number):
            if last:
                self._ledger.note(number, last_epoch=epoch)
            self._ledger.report(number, epoch, value, others)
            if self._rule.stops(number, epoch, value) and not last:
                self._stopped.add(number)
        if self.interrupted and not last and number not in self._stopped:
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
        if number in self._interrupted or self.preflight_failed or self._limits.rehearsal:
            return
        died = failed and (record is None or record.stage in ("preflight", "running"))
        if died and self._tries_again(number):
            return
        through = record is not None and record.stage == "complete"  # a worker may die behind its trial's end
        self._on_end(self._close(number, record, failed=failed and not through))

    def _tries_again(self, number: int) -> bool:
        """Let a trial whose worker died go on, unless it died too often; what dies as the search ends waits."""
        deaths = self._ledger.noted(number).get("deaths", 0) + 1
        self._ledger.note(number, deaths=deaths)
        if deaths > self._limits.max_failures:
            return False
        self._waiting.append(number)
        return True

    def suspend(self) -> None:
        """Leave WAITING in the ledger what has not ended."""
        self._ledger.suspend()

    def _close(self, number: int, record: Record | None, *, failed: bool) -> Outcome:
        if record is not None:
            self._ledger.note(number, worker=f"{record.host}:{record.pid}")
        curve = self._ledger.curve(number)
        if failed:
            if record is not None and record.failure is None:
                died = Failure(kind=WORKER_DIED, message="")
                record = replace(record, stage="failed", ended=time.time(), failure=died)
                record.write(self._versions[number])
            return self._ledger.fail(number, record.failure.reason if record and record.failure else WORKER_DIED)
        if diverged := [(epoch, value) for epoch, value in curve.items() if not math.isfinite(value)]:
            epoch, value = diverged[0]
            return self._ledger.fail(number, f"the metric is {value} in epoch {epoch}")
        if (unmeasured := self._ledger.unmeasured(number)) is not None:
            return self._ledger.fail(number, unmeasured)
        return self._ledger.prune(number) if number in self._stopped else self._ledger.complete(number)


def _trains(record: Record | None) -> bool:
    """Tell whether the baseline came past the pre-flight and logged its metric, for without that no trial will."""
    return record is not None and record.ready and (record.failure is None or record.failure.kind != NEVER_LOGGED)

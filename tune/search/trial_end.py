"""How a trial ended: what its process left on disk, how it is closed in the study, and when a search gives up."""

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tune.errors import ExperimentError
from tune.experiment.proposal_note import STOPPED, describe_stop
from tune.experiment.records import HUNG, INFINITE, NAN, WORKER_DIED, Failure, TrialRecord, read_record
from tune.experiment.trial_result import BASELINE, GPU, State, TrialResult
from tune.paths import ExperimentPaths, VersionPaths, display_path
from tune.promotion.program import Program
from tune.promotion.snapshot import open_snapshot
from tune.search.checkpoint_retention import CheckpointRetention
from tune.search.study.study import SearchStudy
from tune.space.dimensions import Value
from tune.trial.checkpoints.checkpoint_state import read_checkpoint_state
from tune.trial.checkpoints.event_files import Status
from tune.trial.messages import EpochReport
from tune.trial.process.channel import has_written_stack
from tune.trial.process.watched import find_crash_places
from tune.trial.trackers.run_records import read_run_records


def explain_death(record: TrialRecord | None, death: str, version: VersionPaths) -> TrialRecord | None:
    """Return the record of a trial whose process died, with how it did, in words, and where, if its log says."""
    if record is None:
        return None
    places = find_crash_places(version.log, record.log_start) if has_written_stack(death) else []
    program = _program_of(version)
    own = next((place for place in places if program is not None and program.is_project_file(place[0])), None)
    library = places[0] if places and places[0] != own else None
    failure = Failure(
        kind=WORKER_DIED,
        ours=True,
        message=death,
        place=None if own is None or program is None else f"{program.name_of(own[0])}:{own[1]}",
        hint=None if library is None else f"It died in {display_path(library[0])}:{library[1]}.",
    )
    return replace(record, ended=time.time(), failure=failure)


def failure_of_record(record: TrialRecord | None, death: str) -> Failure:
    """Return why a trial failed; ``death``: how its process died, where no record says anything."""
    return record.failure if record and record.failure else Failure(kind=WORKER_DIED, ours=True, message=death)


def _program_of(version: VersionPaths) -> Program | None:
    folder = version.folder.parent
    for paths in (ExperimentPaths(folder), ExperimentPaths(folder.parent)):  # `retrain` has a folder for its versions
        with contextlib.suppress(ExperimentError):
            return open_snapshot(paths.source).program
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRemains:
    """What is known of the end of a trial's last attempt."""

    record: TrialRecord | None
    """With how the process died, if it did; None: it died before it could write anything."""
    failed: bool
    """Whether the program raised, or its process died."""
    died: bool
    """Whether its process died before the program had ended."""
    version: VersionPaths

    @property
    def has_passed_preflight(self) -> bool:
        """Whether the baseline came past the pre-flight and logged its metric."""
        return self.record is not None and self.record.has_passed_preflight

    @property
    def has_hung(self) -> bool:
        """Whether its process was ended because it made no progress."""
        return self.record is not None and self.record.failure is not None and self.record.failure.is_a(HUNG)

    @property
    def is_complete(self) -> bool:
        """Whether the program had ended."""
        return self.record is not None and self.record.stage == "complete"

    def unreported_epochs(self, *, several: bool) -> list[EpochReport]:
        """Return what it may not have reported, from its record; if its process died, from its checkpoint too.

        ``several``: a record knows the first of several metrics alone, and says too little then.
        """
        found = {} if several else {each.epoch: each for each in recorded_epochs(self.record)}
        if (self.died or self.has_hung) and (
            mark := read_checkpoint_state(self.version.last_checkpoint, whole=False)
        ) is not None:
            found |= {
                epoch: EpochReport(epoch, value, others=mark.others.get(epoch, ())) for epoch, value in mark.curve
            }
        return [found[epoch] for epoch in sorted(found)]


def read_attempt_remains(version: VersionPaths, *, death: str | None, stopped: bool) -> AttemptRemains:
    """Look at a version; ``death``: how its process died; ``stopped``: by the scheduler; a program may fail then."""
    record = read_record(version)
    failed = death is not None or (record is not None and record.stage == "failed" and not stopped)
    died = failed and (record is None or record.stage in ("preflight", "running"))
    return AttemptRemains(
        record=explain_death(record, death or "", version) if died else record,
        failed=failed,
        died=died,
        version=version,
    )


def recorded_epochs(record: TrialRecord | None) -> list[EpochReport]:
    """Return the epochs in a record."""
    return [] if record is None else [EpochReport(epoch, value, n_fits=record.n_fits) for epoch, value in record.curve]


class FailureStreak:
    """Counts failures. A metric that is not finite counts neither for nor against: it says something of its values."""

    def __init__(self, give_up_after: int) -> None:
        self._most = give_up_after
        self._row: list[str] = []
        self.last_straw: TrialResult | None = None
        """The failure that was one too many."""

    def reset_streak(self) -> None:
        """Begin to count anew."""
        self._row.clear()

    def add_failure(self, failure: Failure, outcome: TrialResult) -> None:
        """Count a failure."""
        if failure.is_a(NAN, INFINITE):
            return
        cause = f"{failure.kind} {failure.place or failure.message}"  # a message may name the values
        self._row = [*self._row, cause] if self._row[-1:] == [cause] else [cause]
        if len(self._row) >= self._most:
            self.last_straw = outcome


OnDeath = Callable[[VersionPaths, Mapping[str, Value], float, Status], None]
"""Completes the version of a trial whose process died; takes its constants, when it started, and how it ended, too."""


class TrialCloser:
    """One for a search."""

    def __init__(
        self, ledger: SearchStudy, causes: FailureStreak, retention: CheckpointRetention, on_death: OnDeath
    ) -> None:
        self._ledger = ledger
        self._causes = causes
        self._retention = retention
        self._on_death = on_death

    def close_trial(
        self,
        number: int,
        version: VersionPaths,
        record: TrialRecord | None,
        *,
        failed: bool,
        stopped: bool,
        death: str,
        busy: Sequence[VersionPaths],
    ) -> TrialResult:
        """Close a trial, ``stopped`` by the scheduler or not; the ``busy`` ones keep their checkpoints.

        ``death``: how its process died, in words; empty where it did not, and where nobody can say.
        """
        if number == BASELINE and record is not None:
            self._ledger.note_used_options(number, record.in_force)
        noted: dict[str, Any] = {} if record is None else {"worker": record.worker or f"{record.host}:{record.pid}"}
        if record is not None and record.gpu is not None:
            noted[GPU] = record.gpu
        failure = failure_of_record(record, death) if failed else None
        if failure is not None and failure.is_a(WORKER_DIED, HUNG):
            self.write_crash_record(number, version, record)
        reason = self._explain_bad_metric(number) if failure is None else failure.reason
        state: State = "failed" if reason is not None else "pruned" if stopped else "complete"
        self._retention.free_checkpoints(replace(self._ledger.get_trial_result(number), state=state), busy)
        if reason is None:
            self._causes.reset_streak()
            by = self._ledger.get_attributes(number).get(STOPPED)
            noted |= {"reason": describe_stop(by)} if stopped and by is not None else {}
            return (
                self._ledger.prune_trial(number, **noted) if stopped else self._ledger.complete_trial(number, **noted)
            )
        outcome = self._ledger.fail_trial(number, reason, **noted)
        if failure is not None:
            self._causes.add_failure(failure, outcome)
        return outcome

    def write_crash_record(self, number: int, version: VersionPaths, record: TrialRecord | None) -> None:
        """Write the record of a trial whose process died."""
        if record is not None and record.stage != "failed":
            replace(record, stage="failed").write_record(version)
        started = record.started if record else time.time()
        self._on_death(version, self._ledger.get_values(number), started, "failed")

    def complete_dead_trial(self, outcome: TrialResult, version: VersionPaths) -> None:
        """Write what is missing of a trial that did not fail, and whose process died behind its last epoch.

        Nobody waits for the process of a trial that was stopped: this is for when no process of the search is left.
        """
        record = read_record(version)
        if record is None or record.stage == "failed":
            return
        if record.stage not in ("complete", "stopped"):
            record = replace(record, stage="stopped", ended=outcome.ended)
            record.write_record(version)
        elif all(each.state != "running" for each in read_run_records(version)):
            return
        self._on_death(version, self._ledger.get_values(outcome.number), record.started, "success")

    def _explain_bad_metric(self, number: int) -> str | None:
        for epoch, value in self._ledger.read_curve(number).items():
            if not math.isfinite(value):
                return f"the metric is {value} in epoch {epoch}"
        return self._ledger.find_missing_metric(number)

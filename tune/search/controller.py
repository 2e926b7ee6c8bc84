"""Decides about trials while a search runs: which comes next, and when one stops. ``search_end.py``: why it ends.

Ray's searcher and scheduler are two thin adapters of this one object (``ray_tune.py``), so there is one truth.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tune.errors import PauseError
from tune.experiment.counted_fits import CountedFits
from tune.experiment.proposal_note import ProposalNote
from tune.experiment.records import TrialRecord
from tune.experiment.trial_result import BASELINE, DEVICE_FAULTS, TrialResult
from tune.paths import ExperimentPaths
from tune.search.checkpoint_retention import CheckpointRetention
from tune.search.controller_api import SearchListener, notify_listeners
from tune.search.devices.outgrown_shares import read_outgrown
from tune.search.devices.trial_devices import TrialDevices
from tune.search.samplers.searcher import SuggestedConfig
from tune.search.scheduler_runner import SchedulerRunner
from tune.search.schedulers.pbt import PbtExploit
from tune.search.schedulers.scheduler import TrialScheduler
from tune.search.search_end import SearchEnd
from tune.search.steering.controls import SearchControls
from tune.search.steering.request_handler import RequestHandler
from tune.search.steering.steered_trials import SteeredTrials
from tune.search.study.study import SearchStudy
from tune.search.study.version_folders import VersionFolders
from tune.search.trial_end import FailureStreak, OnDeath, TrialCloser, read_attempt_remains, recorded_epochs
from tune.trial.messages import EpochReport, TrialTask


class SearchController:
    """Leads one search. Ray's controller calls it from the driver's main thread, alone."""

    def __init__(
        self,
        paths: ExperimentPaths,
        ledger: SearchStudy,
        *,
        rule: TrialScheduler,
        pbt_exploit: PbtExploit,
        retention: CheckpointRetention,
        controls: SearchControls,
        seed: int,
        on_preflight_failed: Callable[[], None],
        on_death: OnDeath,
        count_reports: Callable[[CountedFits], int | None] = lambda counted: None,
        devices: TrialDevices | None = None,
        listeners: Sequence[SearchListener] = (),
        requests: RequestHandler | None = None,
    ) -> None:
        """``count_reports``: is given the fits that count, and returns how many values a whole trial reports.

        ``requests``: does what other processes ask for; None: nobody steers this search.
        """
        self._ledger = ledger
        self.retention = retention
        self.controls = controls
        self._requests = requests
        self._seed = seed
        self._count_reports = count_reports
        self._listeners = listeners
        self.pbt_exploit = pbt_exploit
        self._devices = devices or TrialDevices()
        causes = FailureStreak(controls.limits.give_up_after)
        self._trial_closer = TrialCloser(ledger, causes, retention, on_death)
        self._running: dict[str, int] = {}  # trial numbers by Ray's ids
        self.versions = VersionFolders(paths, ledger)
        self.end = SearchEnd(paths.folder, self.controls, causes, self.versions, on_preflight_failed)
        self._scheduler_runner = SchedulerRunner(ledger, rule, pbt_exploit, self.versions)
        self._steered = SteeredTrials(
            ledger,
            self._scheduler_runner,
            self.controls,
            lambda number: self._close_trial(number, self.versions.read_trial_record(number), failed=False),
            self._announce_end,
        )
        self._n_asked = ledger.n_trials - ledger.proposals.n_trials
        self._n_started = 0
        self._restore_trials()
        self._needs_preflight = not self.versions.is_baseline_ready
        self.failed_on_device: TrialRecord | None = None
        """What the baseline said where its device failed the pre-flight; None: none did, or there is no other."""

    def _restore_trials(self) -> None:
        """Take up what an earlier driver left: what its scheduler knew, and its trials that did not end."""
        ended = self._ledger.trial_results
        self.retention.restore_ended_trials(ended)
        for outcome in ended[:1]:
            self.end.reserve_time(outcome)
        for number in self._ledger.reopen_trials():
            if (repeat := self._ledger.close_as_repeat(number, begun=True)) is not None:
                self._announce_end(repeat)
            else:
                self.versions.assign_folder(number)
        for number in self._scheduler_runner.restore_scheduler():
            if not self._close_if_ended(number):
                self._scheduler_runner.turns.append_trial(number)

    def _close_if_ended(self, number: int) -> bool:
        """Close a trial that had ended, and whose driver did not live to write it down."""
        record = self.versions.read_trial_record(number)
        if self._steered.restore_stop(number):
            self._scheduler_runner.stopped.add(number)
        if number in self._scheduler_runner.stopped:
            self._close_trial(number, record, failed=False)
            return True
        if record is None or record.attempt != self._ledger.get_attributes(number).get("attempt", 1):
            return False
        failed = record.stage == "failed" and (number != BASELINE or record.has_passed_preflight)
        if failed and not self._ledger.has_other_metrics:
            self._record_epochs(number, recorded_epochs(record), over=True)
        complete = record.stage == "complete" and dict(record.curve).keys() <= self._ledger.read_curve(number).keys()
        if failed or complete:
            self._close_trial(number, record, failed=failed)
        return failed or complete

    @property
    def has_finished(self) -> bool:
        """Whether no further trial starts; while one runs, its process may die."""
        turns = self._scheduler_runner.turns
        left = turns or turns.has_paused or self._running or self._has_more
        return self.end.is_interrupted or not left

    @property
    def _has_more(self) -> bool:
        return self.controls.has_proposals or self.controls.wants_trials(self._n_asked)

    @property
    def n_wanted(self) -> int:
        """How many trials the search is to have in all, proposals included."""
        return self.controls.limits.trials + self._ledger.proposals.n_trials

    def handle_requests(self) -> None:
        """Do what other processes ask for: it comes between two steps of Ray Tune. The baseline is trial 0."""
        if self._requests is None or self._n_asked == BASELINE or self.end.full is not None:
            return
        with self.end.pause_on_error():
            self._requests.poll(self)
            if self.controls.is_finishing:
                self._mark_no_more_trials()
        if self.end.is_requested and self.runs_preflight:
            raise KeyboardInterrupt  # it has no epochs after which it could end

    def handle_kept_requests(self) -> None:
        """Do what was asked for since the last driver ended, all of it."""
        if self._requests is not None and self._n_asked > BASELINE:
            with self.end.pause_on_error():
                self._requests.handle_all(self)

    def add_proposal(self, draw: SuggestedConfig, note: ProposalNote) -> int:
        """Let a configuration run next; return its trial's number."""
        number = self._steered.add_proposal(draw, note)
        notify_listeners(self._listeners, SearchListener.on_proposal, number)
        return number

    def stop_trial(self, number: int, why: Mapping[str, Any]) -> bool:
        """Stop a trial that has begun after its epoch, and one that has not at once; False: it has ended."""
        is_there = self._steered.stop_trial(number, why, self._running.values())
        self._apply_moves()
        return is_there

    @property
    def is_aborted(self) -> bool:
        """Whether the running trials are to end now."""
        return self.end.is_aborted

    @property
    def runs_preflight(self) -> bool:
        """Whether the pre-flight runs."""
        return BASELINE in self._running.values() and not self.versions.is_baseline_ready

    def on_trial_placed(self, trial_id: str, device: str) -> None:
        """Tell on which GPUs a trial runs: nothing is decided by that."""
        notify_listeners(self._listeners, SearchListener.on_trial_placed, self._running[trial_id], device)

    def on_preflight_passed(self, counted: CountedFits | None) -> None:
        """Hear which fits the score comes from, before any trial trains."""
        if counted is None:
            return
        n_whole = self._count_reports(counted)
        notify_listeners(self._listeners, SearchListener.on_preflight, counted, n_whole)
        self._scheduler_runner.set_trial_length(n_whole, is_mean=counted.is_mean)

    def request_end(self) -> None:
        """Start no further trial, and let the running ones end after their epoch; from any thread."""
        self.end.request_end()
        notify_listeners(self._listeners, SearchListener.on_search_ending)

    def next_task(self, trial_id: str) -> TrialTask | None:
        """Open the next trial, or go on with one; None while there is no room, or none is left."""
        n_places = len(self._running) + self._devices.n_more_places
        if self.end.is_interrupted or self.controls.is_paused or n_places >= self.controls.limits.at_a_time:
            return None
        task = None
        with self.end.pause_on_error():
            task = self._open_trial(trial_id)
        if task is not None:
            notify_listeners(self._listeners, SearchListener.on_trial_start, task)
        return task

    def _open_trial(self, trial_id: str) -> TrialTask | None:
        self._mark_no_more_trials()
        self.controls.budget.start_clock()
        proposed = self._steered.start_proposal()
        if proposed is not None:
            self.versions.assign_folder(proposed)
            number, attempt = proposed, 1
        elif self._scheduler_runner.turns:
            number = self._scheduler_runner.turns.pop_trial()
            attempt = self._ledger.get_attributes(number).get("attempt", 1) + 1
            self._ledger.set_attributes(number, attempt=attempt)
            self._ledger.set_running(number)
        else:
            asked, attempt = self._ask_new_trial(), 1
            if asked is None:
                return None
            number = asked
        self._running[trial_id] = number
        self._n_started += 1
        return self._build_task(number, attempt)

    def _mark_no_more_trials(self) -> None:
        """Let ledger and scheduler know that no further trial comes, where that is so."""
        n_asked = self._n_asked + self._ledger.proposals.n_trials
        if not self._has_more and self._scheduler_runner.mark_no_more_trials(n_asked):
            self._apply_moves()

    def _build_task(self, number: int, attempt: int) -> TrialTask:
        first = number == BASELINE and self._needs_preflight and not self.versions.is_baseline_ready
        weights = self.pbt_exploit.resume_checkpoint(number, self.versions.get_version)
        attributes = self._ledger.get_attributes(number)
        self._devices.occupy_places(number, attributes)
        return TrialTask(
            number=number,
            version=str(self.versions.get_version(number).folder),
            seed=self._seed,
            values=self._ledger.get_values(number),
            hardcoded=number == BASELINE,
            preflight=first,
            rehearsal=first and self.controls.limits.rehearsal,
            weighs=first and self.controls.limits.weighs,
            gated=self._needs_preflight and not first and self._n_started <= self.controls.limits.at_a_time,
            attempt=attempt,
            judged_at=self._scheduler_runner.decision_epochs(number),
            reported=max(self._ledger.read_curve(number), default=0),
            mutations=self._ledger.read_mutations(number),
            weights=None if weights is None else str(weights),
            gpu_share=self._devices.shares.share_of(attributes),
            outgrown=read_outgrown(attributes),
            left_out=self._devices.faults.excluded_devices,
        )

    def _ask_new_trial(self) -> int | None:
        """Open a trial that is to be trained; None where no more are left."""
        while self.controls.wants_trials(self._n_asked):
            number, _ = self._ledger.ask_baseline() if self._n_asked == BASELINE else self._ledger.ask_trial()
            self._n_asked += 1
            repeat = self._ledger.close_as_repeat(number)
            if repeat is None:
                self.versions.assign_folder(number)
                self._scheduler_runner.on_trial_add(number)
                return number
            self._announce_end(repeat)
        return None

    def receive_epochs(self, trial_id: str, epochs: Sequence[EpochReport]) -> bool:
        """Write epochs down; return True when the trial is to stop. One that is through anyway is not stopped.

        All is on disk before the trial hears of it.
        """
        number = self._running[trial_id]
        with self.end.pause_on_error(number):
            self._record_epochs(number, epochs)
        if self.controls.is_stopping(number) and not epochs[-1].last:
            self._scheduler_runner.stopped.add(number)
        if self.end.is_interrupted and not epochs[-1].last and number not in self._scheduler_runner.stopped:
            self.end.interrupted_trials.add(number)
        self._announce_epochs(number, epochs)
        return (
            number in self._scheduler_runner.stopped
            or number in self.end.interrupted_trials
            or self._scheduler_runner.turns.is_pausing(number)
        )

    def _record_epochs(self, number: int, epochs: Sequence[EpochReport], *, over: bool = False) -> None:
        """Write epochs down, and let the scheduler judge them; it neither stops nor pauses a trial that is over."""
        known = self._ledger.read_curve(number).keys()
        new = [each for each in epochs if each.epoch not in known]
        if not new:
            return
        self._ledger.write_epochs(number, new)
        for each in new:
            self._scheduler_runner.on_trial_result(number, each, last=each.last or over)
        self._apply_moves()

    def _apply_moves(self) -> None:
        """Do with paused trials what the scheduler says."""
        for number in self._scheduler_runner.apply_moves():
            self._close_trial(number, self.versions.read_trial_record(number), failed=False)

    def pause_search(self, trial_id: str, error: PauseError) -> None:
        """Hear why the search has to wait."""
        with self.end.pause_on_error(self._running.get(trial_id)):
            raise error

    def on_trial_end(
        self, trial_id: str, *, death: str | None, rest: Sequence[EpochReport] = (), is_refused: bool = False
    ) -> None:
        """Close a trial in the ledger, by what it reported and by its own record; one that was refused runs again."""
        number = self._running.pop(trial_id, None)
        if number is None:
            return
        self._devices.free_places(number)
        self._announce_epochs(number, rest)
        if is_refused:
            self._scheduler_runner.turns.append_trial(number)
        else:
            with self.end.pause_on_error():
                self._record_epochs(number, rest, over=True)
                self._end_attempt(number, death)
        notify_listeners(self._listeners, SearchListener.on_worker_free, number)

    def _announce_epochs(self, number: int, epochs: Sequence[EpochReport]) -> None:
        for epoch in epochs:
            notify_listeners(self._listeners, SearchListener.on_epoch, number, epoch)

    def _announce_end(self, outcome: TrialResult) -> None:
        notify_listeners(self._listeners, SearchListener.on_trial_end, outcome)

    def _end_attempt(self, number: int, death: str | None) -> None:
        if self._scheduler_runner.turns.is_pausing(number):
            self._scheduler_runner.set_waiting(number)  # however its process ended: what counts is in its checkpoint
            self._steered.stop_paused(number)
            return
        left = read_attempt_remains(
            self.versions.get_version(number), death=death, stopped=number in self._scheduler_runner.stopped
        )
        if left.failed and self._runs_again(number, left.record):
            return
        if not left.failed:
            self._devices.faults.count_success(left.record)
        if number == BASELINE and left.failed and not left.has_passed_preflight:
            self.end.fail_preflight(death)
            if left.died:
                self._trial_closer.write_crash_record(number, left.version, left.record)
        if number in self.end.interrupted_trials or self.end.is_aborted or self.controls.limits.rehearsal:
            return
        has_crashed = left.died and not left.has_hung
        if has_crashed and self._scheduler_runner.retry_trial(number, self.controls.limits.max_failures):
            return
        self._record_epochs(number, left.unreported_epochs(several=self._ledger.has_other_metrics), over=True)
        self._close_trial(number, left.record, failed=left.failed and not left.is_complete, death=death or "")

    def complete_dead_trials(self) -> None:
        """Write what is missing of trials whose processes died behind their last epoch; none may be left."""
        with self.end.pause_on_error():
            for outcome in self._ledger.trial_results:
                if outcome.state in ("complete", "pruned"):
                    self._trial_closer.complete_dead_trial(outcome, self.versions.get_version(outcome.number))

    def _runs_again(self, number: int, record: TrialRecord | None) -> bool:
        """Let a trial run again that failed by its device, or by the size of its share of one; tell whether it does.

        Before the pre-flight is over the others wait in all other places.
        """
        noted = self._devices.grant_retry(number, record, self._ledger.get_attributes(number))
        if noted is None:
            return False
        self._ledger.set_attributes(number, **noted)
        if self.versions.is_baseline_ready:
            self._scheduler_runner.turns.append_trial(number)
        elif DEVICE_FAULTS in noted:
            self.failed_on_device = record
        return self.versions.is_baseline_ready

    def _close_trial(self, number: int, record: TrialRecord | None, *, failed: bool, death: str = "") -> None:
        """Close a trial in the ledger; the scheduler may have waited for it."""
        outcome = self._trial_closer.close_trial(
            number,
            self.versions.get_version(number),
            record,
            failed=failed,
            stopped=number in self._scheduler_runner.stopped,
            death=death,
            busy=[
                self.versions.get_version(each)
                for each in self._scheduler_runner.trials_in_use(self._running.values(), number)
            ],
        )
        self._scheduler_runner.on_trial_end(number, failed=outcome.state == "failed")
        if record is None or record.attempt == 1:  # one that paused waited, too
            self.end.reserve_time(outcome)
        self._announce_end(outcome)
        self._apply_moves()

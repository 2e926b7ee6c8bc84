"""Carries out what the scheduler decides: who stops, who waits, who takes over whose weights and goes on."""

import math
import statistics
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from tune.experiment.trial_result import BASELINE
from tune.search.schedulers.pbt import PbtExploit
from tune.search.schedulers.scheduler import SchedulerDecision, SchedulerMove, TrialScheduler
from tune.search.study.journal import Event, StartupMeasured, TrialEnded, TrialOpened, TrialReported, TrialSealed
from tune.search.study.study import SearchStudy
from tune.search.study.version_folders import VersionFolders
from tune.trial.messages import EpochReport


class TrialQueue:
    """Who goes on next. A trial that pauses is decided about by a move, which may come before its process has ended."""

    def __init__(self) -> None:
        self._next: deque[int] = deque()
        self._paused: set[int] = set()
        self._ending: set[int] = set()  # paused, with a process that has not ended yet
        self._moved: set[int] = set()  # of those, the ones that go on

    def __bool__(self) -> bool:
        """Tell whether somebody goes on now."""
        return bool(self._next)

    @property
    def has_paused(self) -> bool:
        """Whether somebody waits for the scheduler."""
        return bool(self._paused)

    @property
    def waiting_trials(self) -> set[int]:
        """Everybody between two attempts."""
        return {*self._next, *self._paused, *self._moved}

    def append_trial(self, trial: int) -> None:
        """Put a trial behind those whose turn it is."""
        self._next.append(trial)

    def pop_trial(self) -> int:
        """Take the one whose turn it is."""
        return self._next.popleft()

    def remove_trial(self, trial: int) -> bool:
        """Take out a trial whose process has ended; tell whether it was there."""
        if trial in self._ending or trial not in self.waiting_trials:
            return False
        self._paused.discard(trial)
        self._moved.discard(trial)
        if trial in self._next:
            self._next.remove(trial)
        return True

    def pause_trial(self, trial: int) -> None:
        """Let a trial wait; its process ends with this epoch."""
        self._paused.add(trial)
        self._ending.add(trial)

    def is_pausing(self, trial: int) -> bool:
        """Tell whether a trial's attempt ends, or has ended, because it pauses."""
        return trial in self._paused or trial in self._moved

    def mark_process_ended(self, trial: int) -> None:
        """Take note that the process of a pausing trial has ended."""
        self._ending.discard(trial)
        if trial in self._moved:
            self._moved.discard(trial)
            self._next.append(trial)

    def apply_move(self, move: SchedulerMove) -> bool:
        """Let a paused trial go on, or no longer wait; tell whether one that does not go on has ended already."""
        if move.trial not in self._paused:
            return False
        self._paused.discard(move.trial)
        if not move.goes_on:
            return move.trial not in self._ending
        if move.trial in self._ending:
            self._moved.add(move.trial)
        else:
            self._next.append(move.trial)
        return False


N_MEASURED = 5
"""Trials whose median counts, none of them the first of its actor."""


class StartupTimes:
    """One for a driver. The ledger keeps when what was told, so that a search that goes on repeats it there."""

    def __init__(self, ledger: SearchStudy, rule: TrialScheduler) -> None:
        self._ledger = ledger
        self._rule = rule
        self._first: dict[int, tuple[int, float]] = {}  # by trial: which epoch it reported first, and when that ended
        self._gaps: dict[int, float] = {}  # by trial: seconds from the last epoch of the actor's trial before to that
        self._epoch_s: dict[int, float] = {}  # seconds of an epoch after that, by trial
        self._told = False

    def record_epoch(self, number: int, epoch: EpochReport) -> None:
        """Hear when an epoch ended."""
        if self._told or epoch.at is None:
            return
        first, at = self._first.setdefault(number, (epoch.epoch, epoch.at))
        if epoch.epoch > first:
            self._epoch_s[number] = (epoch.at - at) / (epoch.epoch - first)
        elif epoch.before is not None:
            self._gaps[number] = epoch.at - epoch.before
        if len(self._gaps) >= N_MEASURED and self._epoch_s:
            self._report_startup()

    def _report_startup(self) -> None:
        """Tell what is left of the gaps without the epochs in them: an epoch takes what the trial's later ones do."""
        usual_s = statistics.median(self._epoch_s.values())
        if usual_s <= 0:
            return
        starts = [
            gap / (self._epoch_s.get(number) or usual_s) - self._first[number][0] for number, gap in self._gaps.items()
        ]
        start = max(statistics.median(starts), 0.0)
        self._ledger.notes.set_startup_epochs(start)
        self._rule.set_startup_epochs(start)
        self._told = True


def add_trial(rule: TrialScheduler, trial: int) -> None:
    """Let the scheduler wait for a trial; the baseline is in no round, for it neither pauses nor ends."""
    if trial != BASELINE:
        rule.on_trial_add(trial)


def judge_epoch(rule: TrialScheduler, trial: int, epoch: int, value: float) -> SchedulerDecision:
    """Ask the scheduler about a trial after an epoch. The baseline goes on, unless its metric is not finite."""
    decision = rule.on_trial_result(trial, epoch, value)
    return SchedulerDecision.GO_ON if trial == BASELINE and math.isfinite(value) else decision


def replay_history(
    rule: TrialScheduler,
    history: Iterable[Event],
    standing: dict[int, SchedulerDecision],
    was_last: Callable[[int, int], bool],
    take_over: Callable[[SchedulerMove], None],
) -> None:
    """Bring ``rule`` to where it was, and into ``standing`` what it said last to each trial in it.

    ``was_last`` tells of a trial and its epoch whether none was to follow: such a trial is not stopped any more.
    """
    for event in history:
        match event:
            case TrialOpened(trial):
                add_trial(rule, trial)
            case TrialReported(trial, epoch, value):
                verdict = judge_epoch(rule, trial, epoch, value)
                if trial in standing and not was_last(trial, epoch):
                    standing[trial] = verdict
            case TrialEnded(trial, failed):
                rule.on_trial_end(trial, failed=failed)
            case TrialSealed():
                rule.mark_no_more_trials()
            case StartupMeasured(n_epochs):
                rule.set_startup_epochs(n_epochs)
        for move in rule.take_moves():
            if standing.get(move.trial) is SchedulerDecision.PAUSE:
                take_over(move)
                standing[move.trial] = SchedulerDecision.GO_ON if move.goes_on else SchedulerDecision.STOP


class SchedulerRunner:
    """Stands between the scheduler, which only decides, and the trials."""

    def __init__(
        self, ledger: SearchStudy, rule: TrialScheduler, pbt_exploit: PbtExploit, versions: VersionFolders
    ) -> None:
        self._ledger = ledger
        self._rule = rule
        self._pbt_exploit = pbt_exploit
        self._versions = versions
        self._starts = StartupTimes(ledger, rule)
        self._n_sealed = 0  # trials that there were when the scheduler heard that no further one comes
        self.turns = TrialQueue()
        """Trials of an earlier driver, those whose process died, and those that the scheduler lets wait."""
        self.stopped: set[int] = set()
        """By the scheduler."""

    def restore_scheduler(self) -> list[int]:
        """Let the scheduler hear what earlier drivers told it; return the open trials that it does not let wait."""
        standing = dict.fromkeys(self._versions.trial_numbers, SchedulerDecision.GO_ON)
        replay_history(self._rule, self._ledger.history, standing, self._was_last_epoch, self._exploit_donor)
        self.stopped |= {number for number, verdict in standing.items() if verdict is SchedulerDecision.STOP}
        for number in [number for number, verdict in standing.items() if verdict is SchedulerDecision.PAUSE]:
            self.turns.pause_trial(number)
            self.set_waiting(number)
        return [number for number, verdict in standing.items() if verdict is not SchedulerDecision.PAUSE]

    def _was_last_epoch(self, number: int, epoch: int) -> bool:
        return bool(self._ledger.get_attributes(number).get("last_epoch") == epoch)

    def set_trial_length(self, n_whole: int | None, *, is_mean: bool) -> None:
        """Hear how many values a whole trial reports."""
        self._rule.set_trial_length(n_whole, is_mean=is_mean)

    def on_trial_add(self, number: int) -> None:
        """Hear of a new trial."""
        add_trial(self._rule, number)

    def decision_epochs(self, number: int) -> tuple[int, ...] | None:
        """Return the epochs at which the scheduler decides about a trial; None: any."""
        epochs = self._rule.decision_epochs(number)
        return None if epochs is None else tuple(epochs)

    def mark_no_more_trials(self, n_asked: int) -> bool:
        """Hear that no further trial comes than those so many; tell whether that is news to the scheduler."""
        if self._n_sealed == n_asked:
            return False
        self._n_sealed = n_asked
        self._ledger.mark_no_more_trials()
        self._rule.mark_no_more_trials()
        return True

    def on_trial_result(self, number: int, epoch: EpochReport, *, last: bool) -> None:
        """Ask the scheduler about a trial after an epoch; one that is through anyway is neither stopped nor waits."""
        self._starts.record_epoch(number, epoch)
        verdict = judge_epoch(self._rule, number, epoch.epoch, epoch.value)
        if verdict is SchedulerDecision.STOP and not last:
            self.stopped.add(number)
        if verdict is SchedulerDecision.PAUSE and not last and number not in self.stopped:
            self.turns.pause_trial(number)

    def set_waiting(self, number: int) -> None:
        """Let a trial wait whose process has ended; a move may have come already."""
        self._ledger.set_waiting(number)
        self.turns.mark_process_ended(number)

    def retry_trial(self, number: int, max_failures: int) -> bool:
        """Let a trial whose process died go on, unless it died too often; what dies as the search ends waits."""
        deaths = self._ledger.get_attributes(number).get("deaths", 0) + 1
        self._ledger.set_attributes(number, deaths=deaths)
        if deaths > max_failures:
            return False
        self.turns.append_trial(number)
        return True

    def trials_in_use(self, running: Iterable[int], closing: int) -> set[int]:
        """Return the trials whose checkpoints somebody needs: to go on with, or to take over."""
        going_on = {*running, *self.turns.waiting_trials} - {closing}
        return going_on | {
            mutation["donor"] for each in going_on for mutation in self._ledger.read_mutations(each)[-1:]
        }

    def on_trial_end(self, number: int, *, failed: bool) -> None:
        """Is called when a trial has ended."""
        self._rule.on_trial_end(number, failed=failed)

    def apply_moves(self) -> Iterator[int]:
        """Do with paused trials what the scheduler says; yield those that are to be closed.

        All takeovers come first: then the donors may go on.
        """
        moves = [
            move for move in self._rule.take_moves() if self.turns.is_pausing(move.trial)
        ]  # one may be through anyway
        for move in moves:
            self._exploit_donor(move)
        for move in moves:
            if not move.goes_on:
                self.stopped.add(move.trial)
            if self.turns.apply_move(move):
                self._ledger.set_running(move.trial)
                yield move.trial

    def _exploit_donor(self, move: SchedulerMove) -> None:
        if move.donor is not None:
            self._pbt_exploit.exploit_donor(move.trial, move.donor, self._versions.get_version)

"""Trials that somebody proposed or stopped: how they begin, and how they end."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from tune.errors import OptionError
from tune.experiment.proposal_note import STOPPED, ProposalNote, describe_stop
from tune.experiment.trial_result import BASELINE, TrialResult
from tune.search.samplers.searcher import SuggestedConfig
from tune.search.scheduler_runner import SchedulerRunner
from tune.search.steering.controls import SearchControls
from tune.search.study.study import SearchStudy


class SteeredTrials:
    """Those of one search."""

    def __init__(
        self,
        ledger: SearchStudy,
        scheduler_runner: SchedulerRunner,
        controls: SearchControls,
        close_trial: Callable[[int], None],
        on_end: Callable[[TrialResult], None],
    ) -> None:
        """``close_trial``: closes a stopped trial that has reported; ``on_end``: is called with others that ended."""
        self._ledger = ledger
        self._scheduler_runner = scheduler_runner
        self._controls = controls
        self._close_trial = close_trial
        self._on_end = on_end

    def add_proposal(self, draw: SuggestedConfig, note: ProposalNote) -> int:
        """Let a configuration wait for a place; return its trial's number."""
        number = self._ledger.add_proposal(draw, note)
        self._scheduler_runner.on_trial_add(number)
        self._controls.append_proposal(number)
        return number

    def start_proposal(self) -> int | None:
        """Begin what was proposed first; None where nothing is. What ran meanwhile is not trained twice."""
        while self._controls.has_proposals:
            number = self._controls.pop_proposal()
            repeat = self._ledger.close_as_repeat(number)
            if repeat is None:
                return number
            self._leave_scheduler(number, repeat)
        return None

    def stop_trial(self, number: int, why: Mapping[str, Any], running: Collection[int]) -> bool:
        """Stop a trial that runs after its epoch, and one that waits at once; False: it has ended."""
        if number == BASELINE:
            what = "trial 000 trains the hardcoded values, against which every gain is measured"
            raise OptionError(None, what, "Only the whole search can be stopped meanwhile.")
        noted = {STOPPED: dict(why)}
        if number in running:
            self._ledger.set_attributes(number, **noted)
            self._controls.request_stop(number)
            return True
        if self._controls.withdraw_proposal(number):
            self._leave_scheduler(number, self._ledger.withdraw_trial(number, describe_stop(why), **noted))
            return True
        if self._scheduler_runner.turns.remove_trial(number):
            self._ledger.set_attributes(number, **noted)
            self._close_waiting(number)
            return True
        return False

    def stop_paused(self, number: int) -> None:
        """Close a trial that the scheduler lets wait, where somebody stopped it."""
        if self._controls.is_stopping(number) and self._scheduler_runner.turns.remove_trial(number):
            self._close_waiting(number)

    def restore_stop(self, number: int) -> bool:
        """Tell whether a trial of an earlier driver was stopped by somebody, and has reported."""
        if STOPPED not in self._ledger.get_attributes(number):
            return False
        self._controls.request_stop(number)
        return bool(self._ledger.read_curve(number))

    def _close_waiting(self, number: int) -> None:
        """Close a trial between two attempts; one that has reported nothing is withdrawn."""
        if self._ledger.read_curve(number):
            self._ledger.set_running(number)
            self._scheduler_runner.stopped.add(number)
            self._close_trial(number)
        else:
            why = describe_stop(self._ledger.get_attributes(number)[STOPPED])
            self._leave_scheduler(number, self._ledger.withdraw_trial(number, why))

    def _leave_scheduler(self, number: int, outcome: TrialResult) -> None:
        self._scheduler_runner.on_trial_end(number, failed=False)
        self._on_end(outcome)

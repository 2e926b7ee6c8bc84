"""How far a search is: what runs, what has ended, the best so far, and how long it may still take."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tune.cluster.resources import Resources
from tune.experiment.counted_fits import CountedFits
from tune.experiment.proposal_note import SearchPause
from tune.experiment.trial_result import (
    BASELINE,
    Mode,
    State,
    TrialResult,
    find_best_epoch,
    find_score_epoch,
    is_improvement,
)
from tune.search.controller_api import SearchListener
from tune.space.space import Space
from tune.trial.messages import EpochReport, TrialTask

WARM_UP_TRIALS = 3
"""Once 3 more trials have ended than run at a time, the first ones are ignored: they include the import of torch."""


EARLY_SHARE = 0.4
"""Of a whole training: what a trial is expected to take where a scheduler stops weak ones, until WARM_UP_TRIALS tell.
Where one trial in four passes each rung, ASHA trains 0.2 to 0.44 of it (trainings of 4 to 30 epochs); the first trials
pass more often."""


def expected_share(space: Space) -> float:
    """Return what part of a whole training a trial is expected to have; populations train all to the end."""
    return EARLY_SHARE if space.stops_early and space.settings.scheduler != "pbt" else 1.0


def estimate_remaining_s(
    *,
    ended: Sequence[float],
    running: Sequence[tuple[float, float]],
    n_waiting: int,
    concurrency: int,
    whole_s: float | None = None,
    expected_share: float = 1.0,
) -> float | None:
    """Return seconds; None while nothing has shown how long a trial takes.

    ``ended`` are the durations of trials in the order of their ends, ``running`` each one's time so far and the share
    of its epochs that is done. All trials take as long as those before them did on average, whoever stopped them.
    Until a few have ended, they are taken to need ``expected_share`` of a whole training, which took ``whole_s``.
    """
    typical = _mean_trial_s(ended, running, concurrency, whole_s, expected_share)
    if typical is None:
        return None
    rest = [_remaining_trial_s(spent, share, typical) for spent, share in running]
    work = sum(rest) + n_waiting * typical
    return max(work / max(1, concurrency), max(rest, default=0.0))


def _mean_trial_s(
    ended: Sequence[float],
    running: Sequence[tuple[float, float]],
    concurrency: int,
    whole_s: float | None,
    expected_share: float,
) -> float | None:
    known = [whole_s] if whole_s is not None else [spent / share for spent, share in running if share > 0]
    n_missing = WARM_UP_TRIALS - len(ended)
    if ended and (n_missing <= 0 or not known or expected_share == 1.0):
        warm = ended[concurrency:] if len(ended) >= concurrency + WARM_UP_TRIALS else ended
        return sum(warm) / len(warm)
    if not known:
        return None
    expected = expected_share * sum(known) / len(known)
    return (sum(ended) + n_missing * expected) / WARM_UP_TRIALS


def _remaining_trial_s(spent: float, share: float, typical: float) -> float:
    """Return what is left of one trial: not more than its epochs say, nor than others took, since it may be stopped."""
    rest = max(0.0, typical - spent)
    return min(rest, spent * (1 - share) / share) if share > 0 else rest


def format_clock(seconds: float) -> str:
    """Return ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def format_estimate(seconds: float) -> str:
    """Return what an estimate is good for: ``20 s``, ``3 min``, ``2 h 10 min``, ``4 days``."""
    if seconds < 60:
        return f"{max(5, 5 * math.ceil(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        hours, rest = divmod(5 * round(minutes / 5), 60)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(minutes / (24 * 60))} days"


Phase = Literal["Ray starts", "workers start", "pre-flight", "trials run"]
ENDED: tuple[State, ...] = ("complete", "pruned", "failed")
LATEST = 3
"""Trials that ended last, to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A trial that runs."""

    number: int
    version: str
    """Its folder's name."""
    started: float
    """On the clock of the progress, in seconds."""
    in_preflight: bool
    """Whether it begins with the pre-flight, and has not reported since."""
    curve: dict[int, float] = field(default_factory=dict)
    """The metric by epoch, those of earlier attempts included where this driver heard of them."""
    n_epochs: int | None = None
    """How many it will have if nothing stops it; None where nothing says."""
    device: str = ""
    """The GPUs that it runs on, ``host:device``; empty on the CPU, and while its place is not known."""

    @property
    def done_share(self) -> float:
        """The part of its epochs that is done; 0 where nobody knows."""
        return min(1.0, max(self.curve, default=0) / self.n_epochs) if self.n_epochs else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BestTrial:
    """A trial with its best epoch."""

    version: str
    score: float
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStatus:
    """How far the search is at one moment."""

    n_trials: int
    """How many it is to have; more where more came: a retraining may ask for one again."""
    counts: Counter[State]
    """Trials by state, those of earlier drivers included."""
    running: tuple[Running, ...]
    """In the order of their numbers."""
    latest: tuple[TrialResult, ...]
    """Those that ended last, the latest first."""
    best: BestTrial | None
    """Running trials count too; None before the first epoch."""
    baseline: BestTrial | None
    """The hardcoded values; None before their first epoch."""
    phase: Phase
    has_ended: bool
    """Whether no further trial starts: Ctrl-C, or the time is over."""
    elapsed_s: float
    left_s: float | None
    """About how long it will take; None while nobody can tell."""
    pause: SearchPause | None = None
    """Who let no further trial start until the search goes on; None: nobody."""

    @property
    def n_ended(self) -> int:
        """Trials that are through."""
        return sum(self.counts[state] for state in ENDED)

    @property
    def done_share(self) -> float:
        """The part of the search that is done, the epochs of running trials included."""
        done = self.n_ended + sum(trial.done_share for trial in self.running)
        return min(1.0, done / self.n_trials) if self.n_trials else 1.0

    def describe_line(self, metric: str) -> str:
        """Return all of it in one line."""
        told = [f"{self.n_ended}/{self.n_trials} trials"]
        if self.counts["failed"]:
            told.append(f"{self.counts['failed']} failed")
        if self.best is not None:
            told.append(f"best {metric} = {self.best.score:.5g} in epoch {self.best.epoch} of {self.best.version}")
        told.append(f"{format_clock(self.elapsed_s)} so far")
        if self.pause is not None:
            told.append(self.pause.description)
        if self.left_s is not None and self.n_ended < self.n_trials and not self.has_ended:
            told.append(f"about {format_estimate(self.left_s)} left")
        return ", ".join(told)


class Progress(SearchListener):
    """Is called in the driver's main thread, and tells others in theirs how far the search is."""

    def __init__(
        self,
        mode: Mode,
        n_trials: int,
        concurrency: int,
        *,
        n_epochs: int | None = None,
        time_budget_s: float | None = None,
        before: Sequence[TrialResult] = (),
        baseline: int | None = BASELINE,
        expected_share: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mode = mode
        self._n_trials = n_trials
        self._concurrency = concurrency  # trials at a time; where the search measures how many fit, it says so later
        self._n_epochs = n_epochs
        self._n_fits = next((each.n_fits for each in before if each.n_fits is not None), None)
        self._time_budget_s = time_budget_s
        self._baseline = baseline
        self._expected_share = expected_share  # of a whole training, but for the baseline, which is never stopped
        self._whole_s: float | None = None  # the baseline's duration, where other trials may take less
        self._clock = clock
        self._lock = threading.Lock()
        self._began_at = clock()
        self._first_task: float | None = None
        self._running: dict[int, Running] = {}
        self._durations: list[float] = []  # of trials that ended here, in seconds
        self._counts: Counter[State] = Counter(each.state for each in before if each.state in ENDED)
        self._latest: list[TrialResult] = []
        self._leaders: dict[int, BestTrial] = {}  # the best epoch of each trial that has one and did not fail
        self._best: int | None = None
        self._has_ended = False  # set by a signal handler: without the lock
        self._pause: SearchPause | None = None
        self._phase: Phase = "Ray starts"
        self.has_changed = True
        """A plain flag, since a signal handler sets it; whoever shows the status resets it."""
        for outcome in before:
            if outcome.state != "failed":
                self._update_best(outcome.number, outcome.version, outcome.curve)

    def on_ray_start(self) -> None:
        """Take note that actors and the first trial's process are being started."""
        self._phase = "workers start"
        self.has_changed = True

    def on_share(self, resources: Resources, why: str) -> None:
        """Take note how many trials fit."""
        self._concurrency = resources.concurrency

    def on_proposal(self, number: int) -> None:
        """Count a trial that somebody proposed."""
        with self._lock:
            self._n_trials += 1
        self.has_changed = True

    def on_limits_changed(self, n_more: int, concurrency: int | None, time_budget_s: float | None) -> None:
        """Take the limits that the search has from now on."""
        with self._lock:
            self._n_trials += n_more
            self._concurrency = concurrency or self._concurrency
            self._time_budget_s = time_budget_s
        self.has_changed = True

    def on_pause(self, pause: SearchPause | None) -> None:
        """Know who paused the search."""
        self._pause = pause
        self.has_changed = True

    def on_trial_start(self, task: TrialTask) -> None:
        """Count a trial among those that run."""
        with self._lock:
            if task.preflight:
                self._phase = "pre-flight"
            now = self._clock()
            if self._first_task is None:
                self._first_task = now
            self._running[task.number] = Running(
                number=task.number,
                version=Path(task.version).name,
                started=now,
                in_preflight=task.preflight,
                n_epochs=self._n_epochs,
            )
        self.has_changed = True

    def on_preflight(self, counted: CountedFits, n_whole: int | None) -> None:
        """Take note of how many values a whole trial reports."""
        with self._lock:
            self._n_epochs = n_whole
            self._n_fits = len(counted.numbers) if counted.is_mean else None
            self._running = {number: replace(each, n_epochs=n_whole) for number, each in self._running.items()}

    def on_trial_placed(self, number: int, device: str) -> None:
        """Know the GPUs of a trial."""
        with self._lock:
            self._running[number] = replace(self._running[number], device=device)
        self.has_changed = True

    def on_epoch(self, number: int, epoch: EpochReport) -> None:
        """Add an epoch to a trial's curve."""
        with self._lock:
            self._phase = "trials run"
            trial = self._running[number]
            trial = replace(trial, in_preflight=False, curve={**trial.curve, epoch.epoch: epoch.value})
            self._running[number] = trial
            self._update_best(number, trial.version, trial.curve)
        self.has_changed = True

    def on_worker_free(self, number: int) -> None:
        """Take a trial from those that run."""
        with self._lock:
            trial = self._running.pop(number, None)
            if trial is not None and not trial.in_preflight:  # that it trained nothing says nothing of others
                duration = self._clock() - trial.started
                if number == self._baseline and self._expected_share < 1.0:
                    self._whole_s = duration
                else:
                    self._durations.append(duration)
        self.has_changed = True

    def on_trial_end(self, outcome: TrialResult) -> None:
        """Count a trial that ended."""
        with self._lock:
            self._counts[outcome.state] += 1
            self._latest = [outcome, *self._latest][:LATEST]
            if outcome.state == "failed":
                # forget what a trial that failed had reached
                self._leaders.pop(outcome.number, None)
                if self._best == outcome.number:
                    scores = {each: leader.score for each, leader in sorted(self._leaders.items())}
                    self._best = find_best_epoch(scores, self._mode)
            else:
                self._update_best(outcome.number, outcome.version, outcome.curve)
        self.has_changed = True

    def on_search_ending(self) -> None:
        """Take note that no further trial starts."""
        self._has_ended = self.has_changed = True

    def current_status(self) -> SearchStatus:
        """Return how far the search is."""
        with self._lock:
            now = self._clock()
            running = tuple(self._running[number] for number in sorted(self._running))
            counts: Counter[State] = Counter(self._counts)
            if running:
                counts["running"] = len(running)
            budget_left = None if self._time_budget_s is None else max(0.0, self._time_budget_s - self._spent_s(now))
            return SearchStatus(
                n_trials=max(self._n_trials, sum(counts.values())),
                counts=counts,
                running=running,
                latest=tuple(self._latest),
                best=None if self._best is None else self._leaders[self._best],
                baseline=None if self._baseline is None else self._leaders.get(self._baseline),
                phase=self._phase,
                has_ended=self._has_ended or budget_left == 0.0,
                elapsed_s=now - self._began_at,
                left_s=None if self._pause is not None else self._estimate_left_s(now, running, budget_left),
                pause=self._pause,
            )

    def _spent_s(self, now: float) -> float:
        return 0.0 if self._first_task is None else now - self._first_task

    def _estimate_left_s(self, now: float, running: Sequence[Running], budget_left: float | None) -> float | None:
        n_ended = sum(self._counts[state] for state in ENDED)
        left = estimate_remaining_s(
            ended=self._durations,
            running=[(now - trial.started, trial.done_share) for trial in running],
            n_waiting=max(0, self._n_trials - n_ended - len(running)),
            concurrency=self._concurrency,
            whole_s=self._whole_s,
            expected_share=self._expected_share,
        )
        return left if budget_left is None or left is None else min(left, budget_left)

    def _update_best(self, number: int, version: str, curve: dict[int, float]) -> None:
        """Know a trial's best epoch, and whether it beats all others."""
        epoch = find_score_epoch(curve, self._mode, self._n_fits)
        if epoch is None or len(curve) < (self._n_fits or 0):
            return
        self._leaders[number] = BestTrial(version=version, score=curve[epoch], epoch=epoch)
        if is_improvement(self._mode, curve[epoch], None if self._best is None else self._leaders[self._best].score):
            self._best = number

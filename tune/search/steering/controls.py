"""What can change while a search runs: its limits, whether new trials start, what was proposed, and who is to stop."""

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from tune.experiment.proposal_note import SearchPause
from tune.experiment.trial_result import BASELINE
from tune.search.spec import Budget, SearchLimits
from tune.search.study.study import SearchStudy


class SearchControls:
    """Those of one search. The controller reads them, and ``RequestHandler`` changes them."""

    def __init__(self, limits: SearchLimits, ledger: SearchStudy, budget: Budget | None = None) -> None:
        self.limits = limits
        self.budget = budget or Budget()
        self.pause: SearchPause | None = None
        """Who let no trial start until the search goes on; those that run go on."""
        self.is_finishing = False
        """Whether no trial begins any more; those that have begun train to their end."""
        self._ledger = ledger
        self._queue = deque(() if limits.rehearsal else sorted(ledger.proposals.waiting))
        self._stopping: set[int] = set()
        ledger.notes.note_pause(None)  # an earlier driver was killed while it was paused

    @property
    def is_paused(self) -> bool:
        """Whether no trial starts."""
        return self.pause is not None

    def change_pause(self, pause: SearchPause | None) -> None:
        """Let no trial start from now on; None: let them start again."""
        self._ledger.notes.note_pause(pause)
        self.pause = pause

    @property
    def has_proposals(self) -> bool:
        """Whether a proposal is to begin."""
        return bool(self._queue) and not self.is_finishing

    @property
    def n_proposals(self) -> int:
        """How many proposals wait."""
        return len(self._queue)

    def append_proposal(self, number: int) -> None:
        """Let a proposal begin behind those that were made before it."""
        self._queue.append(number)

    def withdraw_proposal(self, number: int) -> bool:
        """Take a proposal back; tell whether it had not begun."""
        if number not in self._queue:
            return False
        self._queue.remove(number)
        return True

    def pop_proposal(self) -> int:
        """Return the next one, which begins now."""
        number = self._queue.popleft()
        self._ledger.proposals.waiting.discard(number)
        self._ledger.set_running(number)
        return number

    def wants_trials(self, n_asked: int) -> bool:
        """Tell whether the sampler is to draw more than ``n_asked`` trials."""
        # a grid of one point has it as its baseline
        through = self._ledger.searcher.is_exhausted and n_asked > BASELINE
        return n_asked < self.limits.trials and not self.is_finishing and not through

    def request_stop(self, number: int) -> None:
        """Let a running trial stop after its epoch."""
        self._stopping.add(number)

    def is_stopping(self, number: int) -> bool:
        """Tell whether a trial is to stop because somebody asked for it."""
        return number in self._stopping

    def change_limits(self, *, trials: int | None = None, concurrency: int | None = None) -> None:
        """Let the search have so many trials, or so many at a time, from now on."""
        if trials is not None:
            self.limits = replace(self.limits, trials=trials)
        if concurrency is not None:
            self.limits = replace(self.limits, concurrency=concurrency)


class PollClock:
    """When a driver looks for requests: at once where it has time, and never for more than a share of it."""

    POLL_S = 0.25
    """So often at most."""
    REST = 25
    """So many times as long as a look computed the driver rests: it spends 4 % of a core on requests."""

    MOST_REST_S = 3.0
    """It rests so long at most: a first look imports and opens what later ones have."""

    def __init__(self) -> None:
        self._next = 0.0

    def is_due(self) -> bool:
        """Tell whether it is time."""
        return time.monotonic() >= self._next

    @contextlib.contextmanager
    def time_look(self) -> Iterator[None]:
        """Look for requests meanwhile; the next look is after a rest."""
        began = time.thread_time()
        try:
            yield
        finally:
            rest_s = min(self.MOST_REST_S, self.REST * (time.thread_time() - began))
            self._next = time.monotonic() + max(self.POLL_S, rest_s)

"""What a search is made of, what was asked of it, and what it came to."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tune.cluster.resources import Resources
from tune.errors import SearchError
from tune.experiment.records import TrialRecord
from tune.experiment.trial_result import TrialResult
from tune.paths import ExperimentPaths
from tune.promotion.program import Program
from tune.promotion.resolve import PromotedConstant
from tune.search.checkpoint_retention import FreedCheckpoints
from tune.search.controller_api import SearchListener
from tune.space.settings import CONFIRM_SHARE
from tune.space.space import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchLimits:
    """What was asked for."""

    trials: int
    """The baseline counts."""
    concurrency: int
    """Trials at a time."""
    max_failures: int
    """How often a trial goes on after its process died."""
    give_up_after: int = 5
    """Failures in a row with one cause that end the search."""
    rehearsal: bool = False
    """Run nothing but the pre-flight."""
    n_confirming: int = 0
    """Whole trainings that follow the search, and share its time; 0: none."""
    weighs: bool = False
    """Whether that pre-flight measures what trials take of a GPU."""
    slots: Callable[[], int] | None = None
    """Returns how many trials are to run now, on a cluster that grows; None: always as many."""

    is_end_wanted: Callable[[], bool] = lambda: False
    """Tells whether the caller wants the search to end."""

    @property
    def at_a_time(self) -> int:
        """How many trials are to run now."""
        return self.concurrency if self.slots is None else self.slots()

    @property
    def n_confirm_rounds(self) -> int:
        """How many trainings follow one another in the confirmation."""
        return math.ceil(self.n_confirming / self.concurrency)


class Budget:
    """The time that a search has, from its first trial on."""

    def __init__(self, budget_s: float | None = None) -> None:
        self.budget_s = budget_s
        """How long it is, in seconds from the first trial on, and may be changed; None: it has no end."""
        self._began_s: float | None = None
        self._reserve_s = 0.0

    def reserve_time(self, seconds: float) -> None:
        """Keep time for what follows the search: so much, and CONFIRM_SHARE of the budget at most."""
        self._reserve_s = seconds

    def start_clock(self) -> None:
        """Let it run; only the first call counts."""
        if self._began_s is None:
            self._began_s = time.monotonic()

    @property
    def ends_at(self) -> float | None:
        """When it is over, by ``time.monotonic``; None where it has no end, or does not run yet."""
        return None if self.budget_s is None or self._began_s is None else self._began_s + self.budget_s

    @property
    def began_s(self) -> float | None:
        """When it began to run, by ``time.monotonic``; None: it has not."""
        return self._began_s

    @property
    def is_spent(self) -> bool:
        """Whether the time is over."""
        if self.budget_s is None or self._began_s is None:
            return False
        reserve_s = min(self._reserve_s, CONFIRM_SHARE * self.budget_s)
        return time.monotonic() - self._began_s >= self.budget_s - reserve_s


DRIVER_LOG = "driver.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """A search that came to its end."""

    outcomes: list[TrialResult]
    """Every trial of the ledger."""
    baseline: TrialRecord | None
    """The baseline's own record; None where the search was interrupted before there was one."""
    exhausted: bool
    """Whether a grid was visited whole."""
    interrupted_by_user: bool
    """Ctrl-C, before the trials were done."""
    is_finishing: bool
    """Whether somebody asked that no further trial begins, and the running ones train to their end."""
    fault: SearchError | None
    """Why the search could not go on; `resume` may. None where it could."""
    freed: FreedCheckpoints
    """The checkpoints that made room for better ones."""
    n_wanted: int
    """How many trials it is to have in all, proposals included."""
    ends_at: float | None = None
    """When its time budget is over, by ``time.monotonic``; None where it has none, or no trial began."""
    resources: Resources
    """As the trials had them: with the share of a GPU that was measured, without GPUs that failed the pre-flight."""
    began_s: float | None
    """When its time budget began to run, by ``time.monotonic``; None: no trial began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """All that a search is made of."""

    space: Space
    program: Program
    promoted: Sequence[PromotedConstant]
    resources: Resources
    paths: ExperimentPaths
    """The folder is there, and empty."""
    listeners: Sequence[SearchListener] = ()
    """Called in this order."""
    is_end_wanted: Callable[[], bool] = lambda: False
    """Tells whether the search is to end: no further trial starts, and the running ones end after their epoch."""
    explain: Callable[[SearchError], SearchError] = lambda fault: fault
    """Adds to why the search could not go on the command that goes on."""
    command: str | None = None
    """What was typed, for the ledger; None where nothing was."""
    knowledge: tuple[str, Sequence[TrialResult]] | None = None
    """Another experiment's name, and those of its trials that say something about this space."""
    rehearsal: bool = False
    """Run nothing but the pre-flight."""
    session: float | None = None
    """When the command began, in seconds since the epoch, where trials are to say where their time goes."""
    n_confirming: int = 0
    """How many whole trainings at most follow the search, and share its time; 0: none."""
    spent_s: float = 0.0
    """How much of its time budget is over before it begins."""
    trusts_checkpoints: bool = False
    """Whether a search that goes on takes checkpoints that hold more than plain data; a new one writes its own."""

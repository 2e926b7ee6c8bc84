"""What was asked of a search, and the time that it has."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from tune.space.settings import CONFIRM_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchLimits:
    """What was asked for."""

    trials: int
    """The baseline counts."""
    time_budget_s: float | None
    """None: no end."""
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

    def __init__(self, budget_s: float | None) -> None:
        self._budget_s = budget_s
        self._began_s: float | None = None
        self._reserve_s = 0.0

    def reserve_time(self, seconds: float) -> None:
        """Keep time for what follows the search: so much, and CONFIRM_SHARE of the budget at most."""
        self._reserve_s = seconds

    def change_budget(self, seconds: float) -> None:
        """Have so much time from the first trial on; as much is kept of it as was asked for."""
        self._budget_s = seconds

    def start_clock(self) -> None:
        """Let it run; only the first call counts."""
        if self._began_s is None:
            self._began_s = time.monotonic()

    @property
    def is_spent(self) -> bool:
        """Whether the time is over."""
        if self._budget_s is None or self._began_s is None:
            return False
        reserve_s = min(self._reserve_s, CONFIRM_SHARE * self._budget_s)
        return time.monotonic() - self._began_s >= self._budget_s - reserve_s

"""One simulated search: workers that train side by side, in the time that the table recorded."""

import heapq
import itertools
import math
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.simulate.methods import Method
from benchmarks.simulate.tables import Floats, Table
from tune.trial.messages import EpochReport

N_MOMENTS = 80
"""At so many moments, as far from each other, the best value is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of a search."""

    best: list[float]
    """The best value so far, at each moment; infinite before the first epoch. Values of failed trials do not count."""
    n_trials: int
    n_epochs: int
    method_s: float
    """Seconds of CPU that the method took on this machine; none of the simulated time."""


def simulate(table: Table, method: Method, n_workers: int, budget_s: float) -> Run:
    """Search for ``budget_s`` of simulated time; a worker that is free begins the next trial at once.

    What happens at the same moment happens in the order in which it was begun, so that a seed gives one search. A trial
    fails when its value is not finite.
    """
    order = itertools.count()
    events: list[tuple[float, int, str, int]] = []  # end of an epoch: when, order, trial, epoch
    before: dict[str, float | None] = {}  # when the last epoch of the worker's trial before ended, by trial
    curves: dict[str, tuple[Floats, float]] = {}
    reported: list[tuple[float, float, str]] = []  # when, value, trial
    failed: set[str] = set()
    method_s, n_epochs = 0.0, 0

    def begin(ended: float | None) -> None:
        nonlocal method_s
        now, trial = ended or 0.0, f"{next(order):08d}"
        before[trial] = ended
        started = time.process_time()
        config = method.ask(trial)
        method_s += time.process_time() - started
        curves[trial] = table.curve(config)
        heapq.heappush(events, (now + table.start_s + curves[trial][1], next(order), trial, 1))

    for _ in range(n_workers):
        begin(None)
    n_trials = n_workers
    while events[0][0] <= budget_s:
        now, _, trial, epoch = heapq.heappop(events)
        values, epoch_s = curves[trial]
        value = float(values[epoch - 1])
        n_epochs += 1
        reported.append((now, value, trial))
        if not math.isfinite(value):
            failed.add(trial)
        started = time.process_time()
        ends = method.report(trial, EpochReport(epoch, value, epoch == table.n_epochs, at=now, before=before[trial]))
        method_s += time.process_time() - started
        if ends:
            del curves[trial], before[trial]
            begin(now)
            n_trials += 1
        else:
            heapq.heappush(events, (now + epoch_s, next(order), trial, epoch + 1))
    sound = [(when, value) for when, value, trial in reported if trial not in failed]
    times = [0.0, *(when for when, _ in sound)]
    bests = list(itertools.accumulate((value for _, value in sound), min, initial=math.inf))
    places = np.searchsorted(times, moments() * budget_s, side="right") - 1
    return Run(
        best=[bests[place] for place in places], n_trials=n_trials, n_epochs=n_epochs, method_s=round(method_s, 3)
    )


def moments() -> Floats:
    """Return the moments, as shares of the budget."""
    return np.linspace(1 / N_MOMENTS, 1, N_MOMENTS)

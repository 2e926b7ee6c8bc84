"""How many trials and seeds a race has, and its verdict, where time is limited.

The verdict comes first: without it nothing is confirmed. Time for the race is taken from the search. It pays where
enough trials race with enough seeds: less than LEAST_TRIALS with LEAST_SEEDS choose no better than the search, which
goes on then (``python -m benchmarks.simulate.confirm``).
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_TRIALS = 3
LEAST_SEEDS = 2
LEAST_VERDICT_SEEDS = 5
"""Fewer tell no effect of less than six standard deviations, and nothing where their differences are equal
(LEAST_ALIKE of ``tune/results/verdict.py``). So many are trained even where time is over by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceSize:
    """A race that ends in time."""

    n_trials: int
    n_seeds: int
    race_s: float
    """How long it takes if no trial is dropped."""


def choose_race_size(run_s: Sequence[float], n_seeds: int, n_workers: int, available_s: float) -> RaceSize | None:
    """Return the largest race that ends within ``available_s``: it gives up seeds first, then trials. None: none does.

    ``run_s``: how long a training of each trial takes, the best trial first. ``n_seeds``: the most that are wanted.
    """
    least_trials = min(LEAST_TRIALS, len(run_s))
    sizes = [(len(run_s), seeds) for seeds in range(n_seeds, LEAST_SEEDS - 1, -1)]
    sizes += [(trials, LEAST_SEEDS) for trials in range(len(run_s) - 1, least_trials - 1, -1)]
    for n_trials, seeds in sizes if len(run_s) > 1 else ():
        race_s = estimate_time(list(run_s[:n_trials]) * seeds, n_workers)
        if race_s <= available_s:
            return RaceSize(n_trials=n_trials, n_seeds=seeds, race_s=race_s)
    return None


def estimate_time(run_s: Sequence[float], n_workers: int) -> float:
    """Return when the last run ends, of runs that begin in this order as soon as a worker is free."""
    free_at = [0.0] * n_workers
    for seconds in run_s:
        heapq.heapreplace(free_at, free_at[0] + seconds)
    return max(free_at)


def count_affordable_seeds(run_s: Sequence[float], n_seeds: int, n_workers: int, available_s: float) -> int:
    """Return how many seeds a verdict has whose trainings end within ``available_s``.

    ``run_s``: how long a training of each configuration takes. ``n_seeds``: the most that are wanted; at least it has
    LEAST_VERDICT_SEEDS.
    """
    counts = range(n_seeds, LEAST_VERDICT_SEEDS, -1)
    return next((n for n in counts if estimate_time(list(run_s) * n, n_workers) <= available_s), LEAST_VERDICT_SEEDS)

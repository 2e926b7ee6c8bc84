"""What a search hands over that keeps a share of its budget for a race of its best trials, as ``--confirm`` does."""

import heapq
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.simulate.noise import Noisy
from benchmarks.simulate.tables import Config
from benchmarks.simulate.trace import TrialTrace
from tune.results.confirm.race import run_race
from tune.results.confirm.race_size import choose_race_size, estimate_time


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceRule:
    """How the budget is shared."""

    top: int
    """The most trials that race."""
    seeds: int
    """The most seeds of each."""
    share: float
    """Of the budget, for the race at most; 0: the search's best score is handed over."""
    checks_seed: bool = True
    """Whether the search keeps its budget where the seed changes nothing."""
    knows: bool = False
    """Whether the truly best of the `top` is handed over, in no time: no race can do better. 0: the best of all."""
    rounds: tuple[int, ...] = ()
    """How many trials are trained with each seed, the best so far: successive elimination instead of a race."""

    def __str__(self) -> str:
        """As it is written on the command line: `5x3@0.2`, `5?`, `8-4-2@0.2`."""
        if self.knows:
            return f"{self.top or 'all'}?"
        sizes = "-".join(map(str, self.rounds)) or f"{self.top}x{self.seeds}"
        return f"{sizes}@{self.share:g}{'' if self.checks_seed else '!'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """What came of a search and its race."""

    config: Config
    n_trials: int
    """That raced; 0: none did."""
    n_seeds: int
    """That all which were left were trained with."""
    searched_s: float
    """How long the search had, in simulated seconds."""


def hand_over(trace: Sequence[TrialTrace], table: Noisy, rule: RaceRule, n_workers: int, budget_s: float) -> HandedOver:
    """Return what is handed over at the end of the budget of a search that was recorded for all of it.

    What a search did until a moment does not depend on when it is to end. A race that does not end in time is decided
    by the seeds that all which are left were trained with.
    """
    if rule.knows:
        ranked = rank_until(trace, budget_s)
        best = min(ranked[: rule.top or None], key=lambda trial: table.true_value(trace[trial].config))
        return HandedOver(config=trace[best].config, n_trials=0, n_seeds=0, searched_s=budget_s)
    if not rule.share or (rule.checks_seed and not table.has_noise):
        return _without_race(trace, budget_s)
    if rule.rounds:
        return _eliminate(trace, table, rule, n_workers, budget_s)
    searched_s = (1 - rule.share) * budget_s
    for _ in range(2):  # other trials may be the best by the time at which the first ones would have to race
        racing = rank_until(trace, searched_s)[: rule.top]
        run_s = [table.seconds(trace[trial].config) for trial in racing]
        size = choose_race_size(run_s, rule.seeds, n_workers, budget_s - searched_s)
        if size is None:
            return _without_race(trace, budget_s)
        searched_s = budget_s - size.race_s
    trial, n_seeds = _race(trace, table, racing[: size.n_trials], size.n_seeds, n_workers, size.race_s)
    return HandedOver(config=trace[trial].config, n_trials=size.n_trials, n_seeds=n_seeds, searched_s=searched_s)


def _eliminate(
    trace: Sequence[TrialTrace], table: Noisy, rule: RaceRule, n_workers: int, budget_s: float
) -> HandedOver:
    """Train the best trials with a further seed, the best of them by their mean with another one, and so on."""
    searched_s, racing = (1 - rule.share) * budget_s, list[int]()
    for _ in range(2):  # as in a race
        racing = rank_until(trace, searched_s)[: rule.rounds[0]]
        run_s = [table.seconds(trace[trial].config) for trial in racing]
        needed_s = sum(estimate_time(run_s[:n_trials], n_workers) for n_trials in rule.rounds)
        if needed_s > rule.share * budget_s:
            return _without_race(trace, budget_s)
        searched_s = budget_s - needed_s
    scores: dict[int, list[float]] = {trial: [] for trial in racing}
    for number, n_trials in enumerate(rule.rounds, 1):
        racing = racing[:n_trials]
        for trial in racing:
            score = float(table.train(trace[trial].config, table.seed + number)[0].min())
            scores[trial].append(score if math.isfinite(score) else math.inf)
        racing.sort(key=lambda trial: statistics.fmean(scores[trial]))
    config = trace[racing[0]].config
    return HandedOver(config=config, n_trials=rule.rounds[0], n_seeds=len(rule.rounds), searched_s=searched_s)


def rank_until(trace: Sequence[TrialTrace], now: float) -> list[int]:
    """Return the trials that have a score by then, the best first; those that failed are left out."""
    scores = {number: min(trial.values_until(now), default=math.inf) for number, trial in enumerate(trace)}
    return sorted((number for number, score in scores.items() if math.isfinite(score)), key=scores.__getitem__)


def _without_race(trace: Sequence[TrialTrace], budget_s: float) -> HandedOver:
    best = rank_until(trace, budget_s)[0]
    return HandedOver(config=trace[best].config, n_trials=0, n_seeds=0, searched_s=budget_s)


def _race(
    trace: Sequence[TrialTrace], table: Noisy, trials: Sequence[int], n_seeds: int, n_workers: int, available_s: float
) -> tuple[int, int]:
    """Return the winner, and how many seeds decided.

    A worker that is free takes the next run of the first seed that is not whole, or one of a later seed.
    """
    seeds = [table.seed + 1 + number for number in range(n_seeds)]
    scores: dict[int, dict[int, float | None]] = {trial: {} for trial in trials}
    standing = run_race(trials, seeds, scores, "min")
    waiting = [(seed, trial) for seed in seeds for trial in trials]
    running: list[tuple[float, int, int]] = []  # when a run ends, trial, seed
    now, n_free = 0.0, n_workers
    while True:
        waiting = [(seed, trial) for seed, trial in waiting if trial in standing.left and len(standing.left) > 1]
        while n_free and waiting:
            seed, trial = waiting.pop(0)
            ends_at = now + table.seconds(trace[trial].config)
            if ends_at <= available_s * (1 + 1e-9):
                heapq.heappush(running, (ends_at, trial, seed))
                n_free -= 1
        if not running:
            return (standing.left or list(trials))[0], standing.n_seeds
        now, trial, seed = heapq.heappop(running)
        n_free += 1
        score = float(table.train(trace[trial].config, seed)[0].min())
        scores[trial][seed] = score if math.isfinite(score) else None
        standing = run_race(trials, seeds, scores, "min")

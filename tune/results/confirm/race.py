"""A race of the best trials over fresh seeds: after each seed those that are hopeless are dropped.

Each seed trains all trials that are left, so a seed is a block: what it does to all of them alike does not count. After
the second seed, and each further one, a trial is dropped if its mean is worse than the best mean by more than Student's
one-sided quantile allows; the noise is the residual of trials by seeds, over the trials that are left (Maron and Moore,
"Hoeffding Races", 1994; Birattari et al., "A Racing Algorithm for Configuring Metaheuristics", 2002). The race chooses
a trial. It says nothing of its gain: the verdict is on other seeds.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tune.experiment.trial_result import Mode

DROP_LEVEL = 0.05
"""The probability that of two equally good trials a certain one is dropped after a seed; among more it is larger."""

Scores = Mapping[int, Mapping[int, float | None]]
"""By trial and by seed; None of a run that failed. A run that is missing has no entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceStanding:
    """A race after the last seed that all trials which are left have been trained with."""

    left: tuple[int, ...]
    """The trials that can still win, the best mean first; of equals the earlier. None where all failed."""
    dropped: Mapping[int, int]
    """By trial how many seeds it was dropped after."""
    needed: tuple[tuple[int, int], ...]
    """The runs of the next seed, as trial and seed; none: the race is over."""
    n_seeds: int
    """How many seeds all that are left were trained with."""

    @property
    def winner(self) -> int | None:
        """The trial that won; None while the race goes on, or where all failed."""
        return self.left[0] if self.left and not self.needed else None


def run_race(trials: Sequence[int], seeds: Sequence[int], scores: Scores, mode: Mode) -> RaceStanding:
    """Return the standing: it depends on the scores alone, and not on the order in which they came.

    ``trials``: those that race, the best of the search first. Of one trial alone nothing is run.
    """
    left, dropped = list(trials), dict[int, int]()
    for n_before, seed in enumerate(seeds):
        if len(left) < 2:
            return RaceStanding(left=tuple(left), dropped=dropped, needed=(), n_seeds=n_before)
        if needed := [(trial, seed) for trial in left if seed not in scores.get(trial, {})]:
            return RaceStanding(left=tuple(left), dropped=dropped, needed=tuple(needed), n_seeds=n_before)
        failed = [trial for trial in left if scores[trial][seed] is None]
        left = [trial for trial in left if trial not in failed]
        values = {trial: _signed_scores(scores[trial], seeds[: n_before + 1], mode) for trial in left}
        hopeless = find_hopeless(values)
        means = {trial: statistics.fmean(each) for trial, each in values.items() if trial not in hopeless}
        left = sorted((trial for trial in trials if trial in means), key=lambda trial: -means[trial])
        dropped |= dict.fromkeys((*failed, *hopeless), n_before + 1)
    return RaceStanding(left=tuple(left), dropped=dropped, needed=(), n_seeds=len(seeds))


def _signed_scores(scores: Mapping[int, float | None], seeds: Sequence[int], mode: Mode) -> list[float]:
    sign = 1 if mode == "max" else -1
    return [sign * score for seed in seeds if (score := scores[seed]) is not None]


def find_hopeless(values: Mapping[int, Sequence[float]]) -> list[int]:
    """Return the trials whose mean is too far below the best one; ``values``: larger ones are better, in seeds' order.

    None after one seed, which tells nothing of the noise.
    """
    from scipy.special import stdtrit

    n_seeds = min(map(len, values.values()), default=0)
    if len(values) < 2 or n_seeds < 2:
        return []
    means = {trial: statistics.fmean(each) for trial, each in values.items()}
    freedom = (len(values) - 1) * (n_seeds - 1)
    noise = math.sqrt(_sum_squared_residuals(list(values.values())) / freedom)
    reach = float(stdtrit(freedom, 1 - DROP_LEVEL)) * noise * math.sqrt(2 / n_seeds)
    best = max(means.values())
    return [trial for trial, mean in means.items() if best - mean > reach]


def _sum_squared_residuals(rows: Sequence[Sequence[float]]) -> float:
    """Return what is left of a table of trials by seeds once each row's and each column's mean is taken away."""
    of_rows = [statistics.fmean(row) for row in rows]
    of_columns = [statistics.fmean(column) for column in zip(*rows, strict=True)]
    whole = statistics.fmean(of_rows)
    return math.fsum(
        (value - of_row - of_column + whole) ** 2
        for row, of_row in zip(rows, of_rows, strict=True)
        for value, of_column in zip(row, of_columns, strict=True)
    )

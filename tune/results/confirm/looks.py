"""The two looks of a verdict: where its first seeds leave it open, as many again follow.

A verdict is open that says "noise" although an interval with an error rate of OPEN_LEVEL says otherwise: then more
seeds tell. That is seldom so where nothing is, and often where an effect is there that the noise of one configuration
hides, for it is larger than the other's, or has a tail. Each look has a part of the verdict's error rate: both together
err no more often than the verdict may, however the second one depends on the first (Bonferroni).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tune.experiment.trial_result import Mode
from tune.results.verdict import ERROR_RATE, SeedRun, Verdict, judge_gain

FIRST_SHARE = 0.8
"""Of the verdict's error rate, that the first look has where a second one may follow. In the simulation of
``benchmarks/verdict/simulated.py`` half of it found as much in all, and took the second look more often."""
OPEN_LEVEL = ERROR_RATE
"""With 0.2 that found 1% more, for four times as many needless trainings."""

Runs = Mapping[int, SeedRun]
"""By seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAt:
    """What the looks tell."""

    verdict: Verdict
    """Of the last look; of no use while runs of its seeds are missing."""
    seeds: tuple[int, ...]
    """Those that it is on."""


def judge_in_looks(
    baseline: Runs, candidate: Runs, mode: Mode, seeds: Sequence[int], more_seeds: Sequence[int], error_rate: float
) -> LookedAt:
    """Compare runs by seed: those of ``seeds``, and where these leave it open those of ``more_seeds`` too.

    ``more_seeds``: none where there is no second look; the first one has all of ``error_rate`` then.
    """

    def judge_look(at: Sequence[int], look_rate: float) -> Verdict:
        theirs, ours = ({seed: runs[seed] for seed in at if seed in runs} for runs in (baseline, candidate))
        return judge_gain(theirs, ours, mode, error_rate=look_rate, of_verdict=error_rate)

    first = judge_look(seeds, error_rate * FIRST_SHARE if more_seeds else error_rate)
    is_open = first.finding == "noise" and judge_look(seeds, OPEN_LEVEL).finding != "noise"
    if not more_seeds or not is_open:
        return LookedAt(verdict=first, seeds=tuple(seeds))
    both = (*seeds, *more_seeds)
    return LookedAt(verdict=judge_look(both, error_rate * (1 - FIRST_SHARE)), seeds=both)

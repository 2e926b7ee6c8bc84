"""Is the gain real? Retrainings of two configurations under the same fresh seeds, compared in pairs.

The search took the best of many trials, so its score is too good (the winner's curse). None of the seeds here was seen
by the search, and both configurations are worth their best epoch: what that adds by luck, it adds to both, and more to
the one whose curve varies more from epoch to epoch.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from tune.experiment.trial_result import Mode, find_score_epoch
from tune.results.confirm.error_rate import MOST_SEEDS, count_needed_seeds, next_error_rate

ERROR_RATE = 0.05
"""The probability that an interval does not hold the mean, where nothing else is said."""
LEAST_ALIKE = 5
"""So many pairs with the very same difference show that it is real. A metric that counts, such as an accuracy, has
equal differences by chance, and Student's interval of them is a point: of an accuracy of 0.97 on 30 samples, without
any effect, two pairs are alike and not zero in 12% of cases, three in 2.4%, five in 0.08%."""
ALIKE = 1e-6
"""How far differences may lie apart to be the same one, by the largest score: metrics have single precision."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the mean of what was sampled lies, with a certain confidence."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SampleStatistics:
    """A sample's mean and standard deviation."""

    mean: float
    deviation: float | None
    """Of single values, with n - 1; None of one value."""


def compute_statistics(values: Sequence[float]) -> SampleStatistics:
    """Describe one value or more."""
    return SampleStatistics(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


def compute_interval(values: Sequence[float], *, n_intervals: int = 1, error_rate: float = ERROR_RATE) -> Interval:
    """Return the interval that holds the mean of two values or more, but for ``error_rate``.

    Of several intervals each is so much wider that all of them hold together (Bonferroni).
    """
    from scipy.special import stdtrit  # Student's quantile; torch has none, and scipy.stats takes a second to import

    found = compute_statistics(values)
    assert found.deviation is not None
    tail = error_rate / (2 * n_intervals)
    half = float(stdtrit(len(values) - 1, 1 - tail)) * found.deviation / math.sqrt(len(values))
    return Interval(found.mean - half, found.mean + half)


Finding = Literal["gain", "loss", "noise", "one seed", "no seed", "incomplete"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRun:
    """What came of one seed."""

    curve: Mapping[int, float]
    """The metric by epoch, from 1; empty where there is none."""
    failure: str | None = None
    """Why it failed."""
    n_fits: int | None = None
    """Where the curve is the running mean over fits: how many count."""

    def best_score(self, mode: Mode) -> float | None:
        """Return the metric in the best epoch; None where it failed."""
        epoch = None if self.failure is not None else find_score_epoch(dict(self.curve), mode, self.n_fits)
        return None if epoch is None else self.curve[epoch]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A configuration against the hardcoded values."""

    finding: Finding
    """``gain``, ``loss``: real ones. ``noise``: not distinguishable from it. ``one seed``: no interval of one pair, nor
    of fewer than LEAST_ALIKE that have one difference, other than 0. ``no seed``: all runs of both were the very same.
    ``incomplete``: a run failed or is missing."""
    seeds: tuple[int, ...]
    """Those that both were trained with."""
    baseline: SampleStatistics | None
    """Of the hardcoded values' scores; None where there is none."""
    candidate: SampleStatistics | None
    gain: float | None
    """The mean of the paired differences; above 0 the candidate is better, whatever the mode."""
    interval: Interval | None
    """Of that mean; None where the noise is not known."""
    n_compared: int
    """How many configurations were compared with the hardcoded values: the intervals hold for all of them together."""
    error_rate: float = ERROR_RATE
    """The probability that the intervals do not all hold."""
    failures: tuple[tuple[str, int, str], ...]
    """Whose run failed (``baseline``, ``candidate``), with which seed, and why."""
    n_enough: int | None = None
    """Of noise where every seed has the same winner: how many seeds would tell, if the differences scatter as much.
    They would make a further verdict. None where more than MOST_SEEDS would be needed."""

    @property
    def sentence(self) -> str:
        """The verdict as a sentence."""
        return _build_sentence(self)


def judge_gain(
    baseline: Mapping[int, SeedRun],
    candidate: Mapping[int, SeedRun],
    mode: Mode,
    *,
    n_compared: int = 1,
    error_rate: float = ERROR_RATE,
    of_verdict: float | None = None,
) -> Verdict:
    """Compare runs by seed; ``n_compared``: how many candidates share the error rate.

    ``of_verdict``: the error rate of the whole verdict, where this is one of several looks at it.
    """
    named = (("baseline", baseline), ("candidate", candidate))
    failures = tuple((name, seed, run.failure) for name, runs in named for seed, run in runs.items() if run.failure)
    ours = {seed: score for seed, run in candidate.items() if (score := run.best_score(mode)) is not None}
    theirs = {seed: score for seed, run in baseline.items() if (score := run.best_score(mode)) is not None}
    seeds = tuple(seed for seed in baseline if seed in ours and seed in theirs)
    sign = 1 if mode == "max" else -1
    gains = [sign * (ours[seed] - theirs[seed]) for seed in seeds]
    in_force = _has_seed_effect(baseline) or _has_seed_effect(candidate)
    largest = max((abs(each) for runs in (ours, theirs) for each in runs.values()), default=0.0)
    is_alike = bool(gains) and max(gains) - min(gains) <= ALIKE * largest < max(map(abs, gains))
    is_unknown = is_alike and in_force and len(gains) < LEAST_ALIKE
    found = (
        None if len(gains) < 2 or is_unknown else compute_interval(gains, n_intervals=n_compared, error_rate=error_rate)
    )
    whole = len(seeds) == len(baseline.keys() | candidate.keys()) and bool(seeds)
    finding = _choose_finding(found, whole=whole, in_force=in_force)
    further = next_error_rate(error_rate if of_verdict is None else of_verdict) / n_compared
    enough = _count_enough_seeds(gains, further) if finding == "noise" else None
    return Verdict(
        finding=finding,
        seeds=seeds,
        baseline=compute_statistics([theirs[seed] for seed in seeds]) if seeds else None,
        candidate=compute_statistics([ours[seed] for seed in seeds]) if seeds else None,
        gain=math.fsum(gains) / len(gains) if gains else None,
        interval=found,
        n_compared=n_compared,
        error_rate=error_rate,
        failures=failures,
        n_enough=enough,
    )


def _count_enough_seeds(gains: Sequence[float], error_rate: float) -> int | None:
    """Return how many seeds would tell the mean of these gains from zero; None if they differ in sign, or too many."""
    from scipy.special import stdtrit

    found = compute_statistics(gains)
    if found.deviation is None or not (all(gain > 0 for gain in gains) or all(gain < 0 for gain in gains)):
        return None
    for n_seeds in range(len(gains) + 1, MOST_SEEDS + 1):
        half = float(stdtrit(n_seeds - 1, 1 - error_rate / 2)) * found.deviation / math.sqrt(n_seeds)
        if half < abs(found.mean):
            return n_seeds
    return None


def _has_seed_effect(runs: Mapping[int, SeedRun]) -> bool:
    """Tell whether a seed changes anything: two runs that are equal in every epoch had the same random numbers."""
    curves = [tuple(run.curve.items()) for run in runs.values()]
    return len(set(curves)) > 1


def _choose_finding(found: Interval | None, *, whole: bool, in_force: bool) -> Finding:
    if not whole:
        return "incomplete"
    if found is None:
        return "one seed"
    if not in_force:
        return "no seed"
    if found.low > 0:
        return "gain"
    return "loss" if found.high < 0 else "noise"


def _build_sentence(verdict: Verdict) -> str:
    gain = verdict.gain or 0.0
    match verdict.finding:
        case "gain":
            return f"the gain of {gain:.3g} over the hardcoded values is real: {_describe_interval(verdict)}"
        case "loss":
            return f"the loss of {-gain:.3g} against the hardcoded values is real: {_describe_interval(verdict)}"
        case "noise" if verdict.n_enough is not None:
            n, better = len(verdict.seeds), "better" if gain > 0 else "worse"
            return (
                f"{n} seeds are too few to tell: {better} with each of them, by {abs(gain):.3g} on average, "
                f"{_describe_interval(verdict)}; with as much scatter about {verdict.n_enough} seeds would tell"
            )
        case "noise":
            return f"not distinguishable from seed noise: a difference of {gain:+.3g}, {_describe_interval(verdict)}"
        case "one seed":
            n = len(verdict.seeds)
            seeds = "one seed" if n == 1 else f"each of {n} seeds"
            enough = count_needed_seeds(verdict.error_rate / verdict.n_compared)
            return f"a difference of {gain:+.3g} with {seeds} says nothing of the noise: take --seeds {enough}"
        case "no seed":
            n = len(verdict.seeds)
            return (
                f"no verdict: the seed is not in force; {n} seeds gave the very same curve, of both configurations. "
                "The program may draw its random numbers from generators of its own."
            )
        case "incomplete":
            return f"no verdict: {_describe_failures(verdict.failures)}"
        case never:
            assert_never(never)


def _describe_interval(verdict: Verdict) -> str:
    assert verdict.interval is not None
    low, high = verdict.interval.low, verdict.interval.high
    if verdict.finding == "loss":
        low, high = -high, -low
    together = f" (together with {verdict.n_compared - 1} more)" if verdict.n_compared > 1 else ""
    percent = 100 * verdict.error_rate
    digits = max(0, math.ceil(-math.log10(percent)))
    return f"{100 - percent:.{digits}f}% interval {low:.3g} to {high:.3g}{together}"


def _describe_failures(failures: Sequence[tuple[str, int, str]]) -> str:
    if not failures:
        return "not every run finished"
    name, seed, reason = failures[0]
    whose = "the hardcoded values" if name == "baseline" else "it"
    more = f", and {len(failures) - 1} more" if len(failures) > 1 else ""
    return f"{whose} failed with seed {seed}: {reason}{more}"

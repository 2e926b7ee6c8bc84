"""How much the score of the hardcoded values changes with the seed alone, and gains in units of that."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tune.experiment.open import StoredExperiment
from tune.experiment.trial_result import BASELINE, Mode, TrialResult, is_improvement
from tune.results.retrain_results import find_latest, read_retrained

LEAST_TRIALS = 10
"""So many trials in vain are worth a hint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedNoise:
    """The noise of the hardcoded values' score."""

    deviation: float
    """The standard deviation over seeds, with n - 1; above 0."""
    n_seeds: int
    """Fresh seeds, and the search's own."""

    def describe(self, gain: float) -> str:
        """Return a gain in units of the noise: ``5.1 standard deviations of its seed noise``."""
        return f"{abs(gain) / self.deviation:.2g} standard deviations of the seed noise, over {self.n_seeds} seeds"


def measure_seed_noise(experiment: StoredExperiment) -> SeedNoise | None:
    """Return the noise; None where the hardcoded values ran with one seed alone, or no seed changes anything."""
    mode, baseline = experiment.space.mode, experiment.baseline
    if baseline is None or baseline.final_score is None:
        return None
    scores = [baseline.final_score]
    retrained = read_retrained(experiment.paths)
    for each in retrained:
        is_latest = find_latest(retrained, each.request) is each
        if each.request.trial == BASELINE and each.request.fresh and is_latest:
            score = each.seed_run.best_score(mode)
            scores += [] if score is None else [score]
    deviation = statistics.stdev(scores) if len(scores) > 1 else 0.0
    return SeedNoise(deviation=deviation, n_seeds=len(scores)) if deviation > 0 and math.isfinite(deviation) else None


def describe_gain_in_noise(experiment: StoredExperiment, gain: float) -> str:
    """Return `` (5.1 standard deviations of ...)``, to stand behind a gain; nothing where the noise is not known."""
    noise = measure_seed_noise(experiment)
    return "" if noise is None else f" ({noise.describe(gain)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class BelowNoise:
    """The last trials gained less than the seed alone may."""

    n_trials: int
    gain: float
    noise: SeedNoise

    @property
    def sentence(self) -> str:
        """What was seen, and what it means."""
        return (
            f"the last {self.n_trials} trials looked for less than the noise: they gained {self.gain:.2g}, and the "
            f"seed alone changes the score by {self.noise.deviation:.2g}; `--confirm` tells what is real"
        )


def find_gains_below_noise(trials: Sequence[TrialResult], mode: Mode, noise: SeedNoise | None) -> BelowNoise | None:
    """Return the hint where the last ten trials or more that ended gained less than one standard deviation."""
    ended = sorted((each for each in trials if each.ended is not None), key=lambda each: each.ended or 0.0)
    if noise is None:
        return None
    bests: list[float | None] = []
    best: float | None = None
    for trial in ended:
        if trial.final_score is not None and is_improvement(mode, trial.final_score, best):
            best = trial.final_score
        bests.append(best)
    if best is None:
        return None
    close = [each is not None and abs(best - each) < noise.deviation for each in bests]
    first = close.index(True)
    n_trials, before = len(bests) - 1 - first, bests[first]
    assert before is not None
    if n_trials < LEAST_TRIALS:
        return None
    return BelowNoise(n_trials=n_trials, gain=abs(best - before), noise=noise)

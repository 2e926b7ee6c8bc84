"""Searches in a row on a program that nobody trains: how often their verdicts, all together, say what is not there.

A score is drawn from a distribution. Each search draws the scores of its trials and takes the best of them to a race
on fresh seeds; the winner of the race is judged on further seeds beside the hardcoded values. Race, verdict and error
rate are those of ``--confirm``.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.simulate.tables import Floats
from tune.results.confirm.error_rate import EFFECT, NORMAL_SHARE, count_needed_seeds, error_rate_of_verdict
from tune.results.confirm.looks import LookedAt, judge_in_looks
from tune.results.confirm.race import run_race
from tune.results.verdict import Finding, SeedRun

TOP = 3
N_RACE_SEEDS = 3
N_VALIDATED = 50
"""Examples of the small validation set."""
N_SEARCHES = 20
MOMENTS = (1, 5, 20)
"""The verdicts of a project at which the power is measured."""

Draw = Callable[[int], Floats]
"""Returns so many scores of a configuration that differ by their seed alone."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How the scores of one configuration differ by their seed."""

    about: str
    draw: Callable[[np.random.Generator, float], Draw]
    """Returns what draws the scores of a new configuration, whose mean is so many standard deviations above 0."""


def _draw_normal(rng: np.random.Generator, mean: float) -> Draw:
    return lambda n: mean + rng.standard_normal(n)


def _draw_unequal(rng: np.random.Generator, mean: float) -> Draw:
    deviation = math.exp(rng.normal(-0.25, 0.5))  # its mean square is 1
    return lambda n: mean + deviation * rng.standard_normal(n)


def _draw_skewed(rng: np.random.Generator, mean: float) -> Draw:
    return lambda n: mean + 1 - rng.exponential(size=n)


def _draw_accuracies(rng: np.random.Generator, mean: float) -> Draw:
    share = 0.6  # of right answers; a standard deviation is 0.069
    share += mean * math.sqrt(share * (1 - share) / N_VALIDATED)
    return lambda n: rng.binomial(N_VALIDATED, share, n) / N_VALIDATED


def _draw_unequal_and_skewed(rng: np.random.Generator, mean: float) -> Draw:
    deviation = math.exp(rng.normal(-0.25, 0.5))
    return lambda n: mean + deviation * (1 - rng.exponential(size=n))


def _draw_collapses(rng: np.random.Generator, mean: float) -> Draw:
    share = rng.choice([0.0, 0.1])  # of the runs that collapse
    size = 3.0
    return lambda n: mean + size * share + rng.standard_normal(n) - size * (rng.random(n) < share)


NOISES = {
    "normal": Noise("the same for all configurations", _draw_normal),
    "unequal": Noise("normal, with a deviation of each configuration's own", _draw_unequal),
    "skewed": Noise("exponential, with a tail of bad scores", _draw_skewed),
    "accuracies": Noise(f"of a validation set of {N_VALIDATED}", _draw_accuracies),
    "unequal, skewed": Noise("exponential, with a deviation of each configuration's own", _draw_unequal_and_skewed),
    "collapses": Noise("normal; of half of the configurations one training in ten collapses", _draw_collapses),
}


def search_and_confirm(draws: Sequence[Draw], baseline: Draw, number: int, *, share: float = NORMAL_SHARE) -> Finding:
    """Search, race and judge; ``draws``: of the trials; ``number``: of the verdict, from 1.

    ``share``: of the project's error rate, that all verdicts together get.
    """
    scores = [float(draw(1)[0]) for draw in draws]
    best = sorted(range(len(draws)), key=lambda trial: -scores[trial])[:TOP]
    fresh = {trial: dict(enumerate(map(float, draws[trial](N_RACE_SEEDS)))) for trial in best}
    winner = run_race(best, range(N_RACE_SEEDS), fresh, "max").winner
    assert winner is not None
    error_rate = error_rate_of_verdict(number) * share / NORMAL_SHARE
    return judge_fresh(baseline, draws[winner], error_rate).verdict.finding


def judge_fresh(baseline: Draw, candidate: Draw, error_rate: float) -> LookedAt:
    """Return the verdict on two configurations, over as many fresh seeds as it takes."""
    n_seeds = count_needed_seeds(error_rate)
    both = to_runs(baseline(2 * n_seeds)), to_runs(candidate(2 * n_seeds))
    return judge_in_looks(*both, "max", range(n_seeds), range(n_seeds, 2 * n_seeds), error_rate)


def to_runs(scores: Floats) -> dict[int, SeedRun]:
    """Return scores as trainings of one epoch, by seed."""
    return {seed: SeedRun(curve={1: float(score)}) for seed, score in enumerate(scores)}


def count_false_sequences(
    noise: Noise, n_sequences: int, n_trials: int, rng: np.random.Generator, *, share: float = NORMAL_SHARE
) -> int:
    """Return how many sequences of searches on a null program hold a false gain or loss."""
    n_false = 0
    for _ in range(n_sequences):
        baseline = noise.draw(rng, 0.0)
        found = (
            search_and_confirm([noise.draw(rng, 0.0) for _ in range(n_trials)], baseline, number, share=share)
            for number in range(1, N_SEARCHES + 1)
        )
        n_false += any(each in ("gain", "loss") for each in found)
    return n_false


def count_found_effects(noise: Noise, n_searches: int, n_trials: int, number: int, rng: np.random.Generator) -> int:
    """Return how many searches found that one constant, which half of the trials have, adds EFFECT."""
    found = [
        search_and_confirm(
            [noise.draw(rng, EFFECT * (trial % 2)) for trial in range(n_trials)], noise.draw(rng, 0.0), number
        )
        for _ in range(n_searches)
    ]
    return found.count("gain")


def print_simulation(n_sequences: int, n_trials: int, seed: int) -> None:
    """Print how often each kind of noise gave a false "real", and how often the effect was found."""
    print(f"{n_sequences} sequences of {N_SEARCHES} searches of {n_trials} trials, seed {seed}\n")
    heads = "".join(f"{f'found, {number}.':>12}" for number in MOMENTS)
    print(f"{'noise':18}{'false real':>12}{heads}")
    for kind, noise in NOISES.items():
        rng = np.random.default_rng([seed, list(NOISES).index(kind)])
        n_false = count_false_sequences(noise, n_sequences, n_trials, rng)
        found = [count_found_effects(noise, n_sequences, n_trials, number, rng) for number in MOMENTS]
        shares = "".join(f"{n / n_sequences:>12.1%}" for n in (n_false, *found))
        print(f"{kind:18}{shares}   {noise.about}")
    print(f"{'target':18}{'5% at most':>12}{'':>{12 * len(MOMENTS) - 12}}{'90% at least':>12}")

"""Other tests than Student's t of the pairs, and other shares of the error rate: how often they err, what they find.

Each case is a configuration beside the hardcoded values, on so many seeds as the first verdict of a project has. A test
says "real" if its p-value is below that verdict's error rate.
"""

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
from scipy.special import stdtr

from benchmarks.simulate.tables import Floats
from benchmarks.verdict.simulated import N_SEARCHES, NOISES, count_false_sequences
from tune.results.confirm.error_rate import EFFECT, NORMAL_SHARE, count_needed_seeds, error_rate_of_verdict

N_RESAMPLED = 1999
"""Samples of a bootstrap."""
KINDS = ("normal", "unequal, skewed")
SHARES = (1.0, 0.5, NORMAL_SHARE)
"""Of the error rate of a project, that Student's intervals may get."""

Test = Callable[[Floats, Floats, np.random.Generator], float]
"""Returns the two-sided p-value of no difference, from the scores of the hardcoded values and of a candidate."""


def compute_p_of_pairs(theirs: Floats, ours: Floats, rng: np.random.Generator) -> float:
    """Student's t of the pairs."""
    return _p_of_t(_t_of(ours - theirs), len(ours) - 1)


def compute_p_of_welch(theirs: Floats, ours: Floats, rng: np.random.Generator) -> float:
    """Welch's t."""
    errors = np.array([each.var(ddof=1) / len(each) for each in (theirs, ours)])
    freedom = errors.sum() ** 2 / (errors**2 / (len(ours) - 1)).sum()
    return _p_of_t((ours.mean() - theirs.mean()) / math.sqrt(errors.sum()), float(freedom))


def compute_p_of_permuted_welch(theirs: Floats, ours: Floats, rng: np.random.Generator) -> float:
    """Welch's t against all of its permutations (Janssen, 1997; Chung and Romano, 2013)."""
    both = np.concatenate([theirs, ours])
    n, chosen = len(ours), _list_halves(len(both))
    first, squares = chosen @ both, chosen @ both**2
    means, rest = first / n, (both.sum() - first) / n
    spreads = squares - n * means**2 + ((both**2).sum() - squares) - n * rest**2
    t = np.abs(means - rest) / np.sqrt(np.maximum(spreads, 1e-300))
    return float(np.mean(t >= t[0] * (1 - 1e-9)))  # the first one is theirs against ours


def compute_p_of_sign_flips(theirs: Floats, ours: Floats, rng: np.random.Generator) -> float:
    """Compare the mean difference with those of all flips of the pairs' signs."""
    signs = np.array([*itertools.product((1.0, -1.0), repeat=len(ours))])
    means = np.abs(signs @ (ours - theirs))
    return float(np.mean(means >= means[0] * (1 - 1e-9)))


def compute_p_of_bootstrap_t(theirs: Floats, ours: Floats, rng: np.random.Generator) -> float:
    """Compare the t of the pairs with that of samples drawn from them."""
    pairs = ours - theirs
    drawn = rng.choice(pairs, (N_RESAMPLED, len(pairs)))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (drawn.mean(1) - pairs.mean()) / drawn.std(1, ddof=1) * math.sqrt(len(pairs))
    t, found = t[~np.isnan(t)], _t_of(pairs)
    return 2 * float(min((1 + np.sum(t >= found)) / (len(t) + 1), (1 + np.sum(t <= found)) / (len(t) + 1)))


def compute_p_of_johnson(theirs: Floats, ours: Floats, rng: np.random.Generator) -> float:
    """Johnson's t (1978), which corrects for skewness."""
    pairs = ours - theirs
    n, mean, deviation = len(pairs), pairs.mean(), pairs.std(ddof=1)
    third = np.mean((pairs - mean) ** 3)
    moved = mean + third / (6 * deviation**2 * n) + third / (3 * deviation**4) * mean**2
    return _p_of_t(float(moved / deviation * math.sqrt(n)), n - 1)


def compute_p_of_hall(theirs: Floats, ours: Floats, rng: np.random.Generator) -> float:
    """Hall's transformation (1992), which is monotone in the mean."""
    pairs = ours - theirs
    n, mean, deviation = len(pairs), pairs.mean(), pairs.std(ddof=1)
    skewness, ratio = np.mean((pairs - mean) ** 3) / deviation**3, mean / deviation
    moved = ratio + skewness * ratio**2 / 3 + skewness**2 * ratio**3 / 27 + skewness / (6 * n)
    return _p_of_t(float(moved * math.sqrt(n)), n - 1)


TESTS: dict[str, Test] = {
    "Student's t of the pairs": compute_p_of_pairs,
    "Welch's t": compute_p_of_welch,
    "permutation of Welch's t": compute_p_of_permuted_welch,
    "sign flips of the pairs": compute_p_of_sign_flips,
    "bootstrap-t": compute_p_of_bootstrap_t,
    "Johnson's t": compute_p_of_johnson,
    "Hall's transformation": compute_p_of_hall,
}


def _t_of(pairs: Floats) -> float:
    return float(pairs.mean() / pairs.std(ddof=1) * math.sqrt(len(pairs)))


def _p_of_t(t: float, freedom: float) -> float:
    return 2 * float(stdtr(freedom, -abs(t)))


@functools.cache
def _list_halves(n: int) -> Floats:
    """Return each way to choose half of ``n`` as a row of zeros and ones; the first one chooses the first half.

    The other half is no further way: the first element is always chosen.
    """
    rest = [*itertools.combinations(range(1, n), n // 2 - 1)]
    halves = np.zeros((len(rest), n))
    halves[:, 0] = 1.0
    for row, chosen in zip(halves, rest, strict=True):
        row[[*chosen]] = 1.0
    return halves


def measure_test(test: Test, kind: str, n_cases: int, effect: float, seed: int) -> float:
    """Return how often a test says "real", of configurations that are better by ``effect``; the same cases for all."""
    rng = np.random.default_rng([seed, 404, KINDS.index(kind), int(effect)])
    resampling = np.random.default_rng(seed)
    error_rate = error_rate_of_verdict(1)
    n_seeds, draw = count_needed_seeds(error_rate), NOISES[kind].draw
    cases = [(draw(rng, 0.0)(n_seeds), draw(rng, effect)(n_seeds)) for _ in range(n_cases)]
    return sum(test(theirs, ours, resampling) < error_rate for theirs, ours in cases) / n_cases


def print_alternatives(n_cases: int, n_sequences: int, seed: int) -> None:
    """Print what other tests and other shares would do."""
    error_rate = error_rate_of_verdict(1)
    n_seeds = count_needed_seeds(error_rate)
    print(f"{n_cases} cases of {n_seeds} seeds, an error rate of {error_rate:.2%}, seed {seed}\n")
    print(f"{'test':28}" + "".join(f"{kind:>20}{'':>10}" for kind in KINDS))
    print(f"{'':28}" + f"{'false':>20}{'found':>10}" * len(KINDS))
    for name, test in TESTS.items():
        cells = [
            f"{measure_test(test, kind, n_cases, effect, seed):>{width}.1%}"
            for kind in KINDS
            for effect, width in ((0.0, 20), (EFFECT, 10))
        ]
        print(f"{name:28}{''.join(cells)}", flush=True)
    print(f"\nfalse sequences of {N_SEARCHES} searches, noise unequal and skewed, {n_sequences} sequences")
    for share in SHARES:
        rng = np.random.default_rng([seed, list(NOISES).index(KINDS[1])])
        n_false = count_false_sequences(NOISES[KINDS[1]], n_sequences, 20, rng, share=share)
        print(f"with {share:.2g} of the error rate: {n_false / n_sequences:.1%}", flush=True)

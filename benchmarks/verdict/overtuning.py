"""Planted overtuning: a search on 30 validation samples finds what is right on these, and on no others.

A constant of the program says which half of the training samples a linear model of digits is fitted to. Each value of
it is fitted with each seed once. A search is then a draw of the validation samples, of the hold-out samples and of each
trial's seeds; race and verdict are those of ``--confirm``. The hardcoded value is the best one on all samples, so that
no gain is true. Beside digits there are drawn data, where the shares of sample noise and seed noise are known.

The hold-out verdict is given twice: over seeds, and over seeds and parts of the hold-out set. The first says what
other seeds would give on these samples; the second, what they would give on other samples, too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulate.tables import Floats
from benchmarks.verdict.simulated import N_RACE_SEEDS, TOP, to_runs
from tune.results.confirm.error_rate import count_needed_seeds, error_rate_of_verdict
from tune.results.confirm.race import run_race
from tune.results.held_out import compute_crossed_interval
from tune.results.verdict import Finding, judge_gain

N_TRAINED = 200
"""Samples that a configuration's half is taken of."""
N_VALIDATED = 30
N_PARTS = 10
"""Equal parts of the hold-out set."""
N_TRIALS = 20
N_SEEDS = 12
"""Each configuration is trained with so many at least: one of the search, the race's, the verdict's."""

Right = NDArray[Any]
"""(configurations, seeds, samples): whether the sample is told right. The first configuration is the hardcoded one, and
no other is better in truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutVerdicts:
    """What was said of one search."""

    validation: Finding
    seeds: Finding
    """On the hold-out set, by the interval over seeds."""
    parts: Finding
    """On the hold-out set, by the interval over seeds and parts."""


def fit_digits(n_configs: int, n_seeds: int) -> Right:
    """Return what models tell right of samples that none was fitted to; the best model on all of them is first."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import SGDClassifier

    images, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(labels))
    images, labels = images[order] / 16, labels[order]
    right = np.empty((n_configs, n_seeds, len(labels) - N_TRAINED), bool)
    for config in range(n_configs):
        chosen, decay = rng.permutation(N_TRAINED)[: N_TRAINED // 2], 10 ** rng.uniform(-4, -3)
        for seed in range(n_seeds):
            model = SGDClassifier(loss="log_loss", alpha=decay, max_iter=20, tol=None, random_state=seed)
            model.fit(images[chosen], labels[chosen])
            right[config, seed] = model.predict(images[N_TRAINED:]) == labels[N_TRAINED:]
    return right[np.argsort(-right.mean((1, 2)), kind="stable")]


def draw_right(share: float, n_configs: int, n_seeds: int, n_samples: int, rng: np.random.Generator) -> Right:
    """Return what configurations without any true gain tell right.

    ``share``: of the variance, that a configuration has with every seed; the rest is the seed's.
    """
    mean, concentration = 0.8, 1 / share - 1
    chance = rng.beta(mean * concentration, (1 - mean) * concentration, (n_configs, 1, n_samples))
    return rng.random((n_configs, n_seeds, n_samples)) < chance


def search_and_hold_out(right: Right, n_holdout: int, rng: np.random.Generator) -> HoldoutVerdicts:
    """Search, race and judge with samples and seeds that are drawn."""
    error_rate = error_rate_of_verdict(1)
    n_verdict_seeds = count_needed_seeds(error_rate)
    samples = rng.permutation(right.shape[2])[: N_VALIDATED + n_holdout]
    seeds = np.array([rng.permutation(right.shape[1]) for _ in right])[:, : 1 + N_RACE_SEEDS + n_verdict_seeds]
    drawn = np.array([each[own][:, samples] for each, own in zip(right, seeds, strict=True)]).astype(float)
    validated, held_out = drawn[..., :N_VALIDATED], drawn[..., N_VALIDATED:]
    scores = validated.mean(2)
    best = sorted(range(1, len(right)), key=lambda config: -scores[config, 0])[:TOP]
    raced = {config: dict(enumerate(scores[config, 1 : 1 + N_RACE_SEEDS].tolist())) for config in best}
    winner = run_race(best, range(N_RACE_SEEDS), raced, "max").winner
    assert winner is not None
    judged = slice(1 + N_RACE_SEEDS, None)
    gains = (held_out[winner, judged] - held_out[0, judged]).reshape(n_verdict_seeds, N_PARTS, -1).mean(2)
    return HoldoutVerdicts(
        validation=_judge_over_seeds(scores[0, judged], scores[winner, judged], error_rate),
        seeds=_judge_over_seeds(held_out[0, judged].mean(1), held_out[winner, judged].mean(1), error_rate),
        parts=judge_over_parts(gains, error_rate),
    )


def _judge_over_seeds(baseline: Floats, candidate: Floats, error_rate: float) -> Finding:
    return judge_gain(to_runs(baseline), to_runs(candidate), "max", error_rate=error_rate).finding


def judge_over_parts(gains: Floats, error_rate: float) -> Finding:
    """Judge gains (seeds, parts) by the interval that covers both."""
    by_seed, by_part = gains.mean(1).tolist(), gains.mean(0).tolist()
    found = compute_crossed_interval(float(gains.mean()), by_seed, by_part, error_rate)
    return "gain" if found.low > 0 else "loss" if found.high < 0 else "noise"


def print_overtuning(n_searches: int, seed: int) -> None:
    """Print how often the hold-out verdict did not say that a false gain is real."""
    rng = np.random.default_rng([seed, 77])
    print(
        f"\n{n_searches} searches where no gain is real; in how many of them {N_VALIDATED} validation samples say that"
    )
    print("one is, and how often the hold-out verdict then does not: over seeds, and over seeds and parts\n")
    print(f"{'data':28}{'hold-out':>10}{'such':>7}{'seeds':>8}{'parts':>8}")
    digits = fit_digits(N_TRIALS + 1, 2 * N_SEEDS)
    for n_holdout in (30, 300):
        _print_line("digits", [digits] * n_searches, n_holdout, rng)
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        for n_holdout in (30, 300):
            n_samples = N_VALIDATED + n_holdout
            drawn = (draw_right(share, N_TRIALS + 1, N_SEEDS, n_samples, rng) for _ in range(n_searches))
            _print_line(f"drawn, {share:.0%} not the seed's", drawn, n_holdout, rng)
    print(f"{'target':28}{'':>17}{'80% at least':>16}")


def _print_line(what: str, data: Iterable[Right], n_holdout: int, rng: np.random.Generator) -> None:
    found = [search_and_hold_out(right, n_holdout, rng) for right in data]
    false = [each for each in found if each.validation == "gain"]
    over_seeds = sum(each.seeds != "gain" for each in false) / max(1, len(false))
    over_parts = sum(each.parts != "gain" for each in false) / max(1, len(false))
    print(f"{what:28}{n_holdout:>10}{len(false):>7}{over_seeds:>8.0%}{over_parts:>8.0%}")

"""What each constant had to do with the best trials: Optuna's PED-ANOVA, and what chance alone would have made of it.

Watanabe, Bansal, Hutter: "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces", 2023.
It compares where the best fifth of the trials lies with where all lie. Trials that were stopped early count with their
best epoch: that they were weak is all that is asked of them.
"""

import functools
import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tune.experiment.trial_result import TrialResult
from tune.space.conditions import is_same_yaml_value
from tune.space.dimensions import Choice, place_in
from tune.space.space import Space

if TYPE_CHECKING:
    import optuna

TOP = 0.2
"""The share of the trials that counts as the best."""
N_SHUFFLES = 20
MOST_TRIALS = 300
"""Of more, even samples: the judgement does not change, and its time stays below half a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """One constant."""

    constant: str
    share: float
    """Of all constants' importance together, between 0 and 1."""
    chance: float
    """How often it was at least as important when the scores were shuffled among the trials."""


def measure_importance(trials: Sequence[TrialResult], space: Space) -> tuple[Importance, ...]:
    """Return every constant, the most important first; nothing where the scores do not differ."""
    scored = sample_evenly([trial for trial in trials if is_scored(trial)], MOST_TRIALS)
    scores = [trial.score or 0.0 for trial in scored]
    if len(set(scores)) < 2:
        return ()
    options = {name: len(each.options) for name, each in space.dimensions.items() if isinstance(each, Choice)}
    sign = -1.0 if space.mode == "max" else 1.0
    return _compute_importance(
        tuple(tuple(_locate_values(trial, space).items()) for trial in scored),
        tuple(sign * score for score in scores),
        tuple(options.items()),
    )


@functools.lru_cache(maxsize=4)
def _compute_importance(
    params: tuple[tuple[tuple[str, float], ...], ...], scores: tuple[float, ...], options: tuple[tuple[str, int], ...]
) -> tuple[Importance, ...]:
    """Judge once: the hints on the terminal, those in the report and the report's own table all ask.

    ``options`` says of each constant that is a choice how many it has; of scores less is better.
    """
    study = _build_study(params, dict(options))
    real = _measure_divergences(study, scores)
    total = sum(real.values())
    if total == 0:
        return ()
    shuffled = []
    left, rng = list(scores), random.Random(0)  # noqa: S311 - the same judgement each time
    for _ in range(N_SHUFFLES):
        rng.shuffle(left)
        shuffled.append(_measure_divergences(study, left))
    found = [
        Importance(
            constant=name,
            share=value / total,
            chance=sum(each.get(name, 0.0) >= value for each in shuffled) / N_SHUFFLES,
        )
        for name, value in real.items()
    ]
    return tuple(sorted(found, key=lambda each: -each.share))


def is_scored(trial: TrialResult) -> bool:
    """Tell whether a trial ended with a score of its own."""
    return trial.state in ("complete", "pruned") and trial.score is not None and trial.repeat_of is None


def sample_evenly(trials: Sequence[TrialResult], most: int) -> Sequence[TrialResult]:
    """Return the trials, or as many of them, evenly spaced, as may be."""
    return trials if len(trials) <= most else [trials[place * len(trials) // most] for place in range(most)]


def _locate_values(trial: TrialResult, space: Space) -> dict[str, float]:
    """Return where a trial's values lie; one that is outside of its range (the baseline's may be) is left out."""
    found: dict[str, float] = {}
    place: float | None
    for name, dimension in space.dimensions.items():
        if name not in trial.values:
            continue
        if isinstance(dimension, Choice):
            place = next(
                (n for n, option in enumerate(dimension.options) if is_same_yaml_value(option, trial.values[name])),
                None,
            )
        else:
            place = place_in(dimension, trial.values[name])
        if place is not None:
            found[name] = place
    return found


def _build_study(params: Sequence[Sequence[tuple[str, float]]], options: Mapping[str, int]) -> "optuna.Study":
    """Return a study of these trials, whose scores it does not know.

    Every range is its own scale from 0 to 1, so that log and linear ones look alike; options stand by their places.
    """
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
    from optuna.trial import create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    names = dict.fromkeys(name for each in params for name, _ in each)
    distributions: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(range(options[name])) if name in options else FloatDistribution(0.0, 1.0)
        for name in names
    }
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler())
    study.add_trials(
        create_trial(params=dict(each), distributions={name: distributions[name] for name, _ in each}, value=0.0)
        for each in params
    )
    return study


def _measure_divergences(study: "optuna.Study", scores: Sequence[float]) -> dict[str, float]:
    from optuna.importance import PedAnovaImportanceEvaluator

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a condition holds in few trials, and that less is better
        evaluator = PedAnovaImportanceEvaluator(target_quantile=TOP)
        return dict(evaluator.evaluate(study, target=lambda trial: scores[trial.number]))

"""A search as Optuna's plots take it: a study in memory, of trials that ended, with constants as people read them.

The ledger itself is not plotted: trials that were stopped have no value there, a choice may go by an odd label, and the
hardcoded value may lie outside of its range.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from tune.results.report.plot import safe
from tune.space.dimensions import (
    Choice,
    Dimension,
    LogRandInt,
    LogUniform,
    QRandInt,
    QUniform,
    RandInt,
    Uniform,
    Value,
    contains,
    same,
)
from tune.space.space import Mode, Objective
from tune.space.when import restored
from tune.trial.outcome import Outcome

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

LONGEST_LABEL = 24
"""Characters of an option on an axis."""
DIRECTIONS: dict[Mode, Literal["minimize", "maximize"]] = {"min": "minimize", "max": "maximize"}


def study_of(
    trials: Sequence[Outcome], dimensions: Mapping[str, Dimension], objectives: Mapping[int, Objective]
) -> "optuna.Study":
    """Return a study of these trials and metrics, which are given by their places; all trials count as complete."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        directions=[DIRECTIONS[each.mode] for each in objectives.values()], sampler=optuna.samplers.RandomSampler()
    )
    if len(objectives) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([safe(each.metric) for each in objectives.values()])
    distributions = {name: _distribution(dimension) for name, dimension in dimensions.items()}
    for trial in trials:
        params = _params(trial.values, dimensions)
        study.add_trial(
            optuna.trial.create_trial(
                values=[trial.scores[place] for place in objectives],
                params={safe(name): value for name, value in params.items()},
                distributions={safe(name): distributions[name] for name in params},
                user_attrs={"number": trial.number, "version": safe(trial.version)},
            )
        )
    return study


def labels(choice: Choice) -> list[str]:
    """Return what stands on an axis for each option, all different."""
    texts = [safe(_short(str(option))) for option in choice.options]
    if len(set(texts)) < len(texts):
        texts = [safe(_short(repr(option))) for option in choice.options]
    if len(set(texts)) < len(texts):
        texts = [f"{text} ({number})" for number, text in enumerate(texts, 1)]
    return texts


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 3]}..."


def _params(values: Mapping[str, Value], dimensions: Mapping[str, Dimension]) -> dict[str, object]:
    """Return the values inside their ranges; a baseline outside of them is no point of the plots."""
    found: dict[str, object] = {}
    for name, dimension in dimensions.items():
        value = restored(dimension, values.get(name))
        if name not in values or not contains(dimension, value):
            continue
        if isinstance(dimension, Choice):
            place = next(place for place, option in enumerate(dimension.options) if same(option, value))
            found[name] = labels(dimension)[place]
        else:
            found[name] = value
    return found


def _distribution(dimension: Dimension) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match dimension:
        case Choice():
            return CategoricalDistribution(labels(dimension))
        case Uniform() | QUniform():
            return FloatDistribution(dimension.low, dimension.high)
        case LogUniform():
            return FloatDistribution(dimension.low, dimension.high, log=True)
        case RandInt() | QRandInt():
            return IntDistribution(dimension.low, dimension.high)
        case LogRandInt():
            return IntDistribution(dimension.low, dimension.high, log=True)

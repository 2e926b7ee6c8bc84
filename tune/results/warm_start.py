"""What another search of the same constants and metric has learnt: knowledge for a new one, not results of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tune.errors import ExperimentError
from tune.experiment.open import open_experiment
from tune.experiment.trial_result import TrialResult
from tune.promotion.resolve import PromotedConstant, hardcoded_values
from tune.space.conditions import only_active, restore_value
from tune.space.dimensions import Dimension, Value, could_draw
from tune.space.space import Space

FAILED, UNFINISHED = "failed", "not finished"
OUTSIDE = "outside of these ranges"
REFUSED = "against what is required here"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorTrials:
    """Trials of another experiment."""

    experiment: str
    """Its name."""
    trials: tuple[TrialResult, ...]
    """Those that count here, their values as this space knows them."""
    left_out: dict[str, int]
    """How many do not count, by the reason."""


def read_prior_trials(name: str, storage: Path, space: Space, promoted: Sequence[PromotedConstant]) -> PriorTrials:
    """Return what an experiment knows; raise ExperimentError where it searched something else."""
    other = open_experiment(name, storage)
    theirs, ours = other.space, space
    if theirs.dimensions.keys() != ours.dimensions.keys():
        what = f"{other.paths.name} searched {', '.join(theirs.dimensions)}, this space {', '.join(ours.dimensions)}"
        raise ExperimentError("--from", what, "Take an experiment with the same constants, or leave --from out.")
    if theirs.objectives != ours.objectives:
        what = f"{other.paths.name} was to {theirs.goal}, this space is to {ours.goal}"
        raise ExperimentError("--from", what, "Take an experiment with the same metric, or leave --from out.")
    taken: list[TrialResult] = []
    left_out: Counter[str] = Counter()
    for trial in other.trials:
        if trial.repeat_of is not None:
            continue  # the one that it repeats is there
        values = _convert_values(trial.values, {item.key: item.dimension for item in promoted}, space)
        reason = _exclusion_reason(trial, values, space, hardcoded_values(promoted))
        if reason is None and values is not None:
            taken.append(replace(trial, values=values))
        else:
            left_out[reason or OUTSIDE] += 1
    return PriorTrials(experiment=other.paths.name, trials=tuple(taken), left_out=dict(left_out))


def _exclusion_reason(
    trial: TrialResult, values: Mapping[str, Value] | None, space: Space, known: Mapping[str, Value]
) -> str | None:
    """Return why a trial does not count, or None."""
    if trial.state == "failed":
        return FAILED
    if trial.state not in ("complete", "pruned") or not trial.curve:
        return UNFINISHED
    if values is None:
        return OUTSIDE
    if not all(requirement.is_met({**known, **values}) for requirement in space.requirements):
        return REFUSED
    return None


def _convert_values(
    values: Mapping[str, Value], dimensions: Mapping[str, Dimension], space: Space
) -> dict[str, Value] | None:
    """Return the values in this space's order and types; None where one is missing or outside its range."""
    fitted: dict[str, Value] = {}
    for name, dimension in dimensions.items():
        if name in values:
            fitted[name] = restore_value(dimension, values[name])
            if not could_draw(dimension, fitted[name]):
                return None
    complete = only_active({**dict.fromkeys(dimensions), **fitted}, space.conditions)
    return fitted if complete.keys() == fitted.keys() else None

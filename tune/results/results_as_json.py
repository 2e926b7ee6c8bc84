"""An experiment for machines: the same trials as a JSON object, and as rows of a table. Floats are not rounded.

The columns of the table are the paths of the object: ``scores.Accuracy/Val``, ``constants.LR``.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tune.experiment.lock import is_running
from tune.experiment.open import StoredExperiment
from tune.experiment.preflight_failure import describe_preflight_failure, find_preflight_failure
from tune.experiment.trial_result import TrialResult
from tune.results.confirm.confirmation import confirmation_as_json
from tune.results.failure_groups import FailureGroup, group_failures
from tune.results.hints.find_hints import HINT_KINDS, find_hints_of
from tune.results.profile import gpu_usage_object

FIELDS = (
    *("experiment", "number", "version", "state", "score", "best_epoch", "n_epochs", "repeat_of", "reason"),
    *("standard_error", "n_fits"),
)
"""The columns that every table has, in their order."""
GPU_FIELDS = ("name", "total_bytes", "peak_bytes", "utilization")
"""The columns, ``gpu.name``, that a table has where a trial had a GPU."""


def as_object(experiment: StoredExperiment, trials: Sequence[TrialResult]) -> dict[str, Any]:
    """Return the experiment with these of its trials, in this order; what is not finite is None."""
    space, best = experiment.space, experiment.best
    failures = group_failures(experiment.trials, space, experiment.paths)
    return {
        "experiment": experiment.paths.name,
        "folder": str(experiment.paths.folder),
        "program": str(experiment.snapshot.program.path),
        "metrics": [{"metric": each.metric, "mode": each.mode} for each in space.objectives],
        "n_trials": experiment.n_wanted,
        "best": None if best is None else best.number,
        "confirmation": confirmation_as_json(experiment),
        "trials": [_trial_object(experiment, trial) for trial in trials],
        "failures": [_failure_object(group) for group in failures],
        "hints": [{"kind": HINT_KINDS[type(hint)], "sentence": hint.sentence} for hint in find_hints_of(experiment)],
        "preflight_failure": None if is_running(experiment.paths) else _preflight_object(experiment),
    }


def as_rows(tables: Iterable[tuple[StoredExperiment, Sequence[TrialResult]]]) -> Iterator[list[Any]]:
    """Yield a header, and a row for each trial of several experiments; a column that one does not have stays empty."""
    objects = [_trial_object(experiment, trial) for experiment, trials in tables for trial in trials]
    scores = dict.fromkeys(name for each in objects for name in each["scores"])
    constants = dict.fromkeys(name for each in objects for name in each["constants"])
    usage = GPU_FIELDS if any("gpu" in each for each in objects) else ()
    yield [
        *FIELDS,
        *(f"scores.{name}" for name in scores),
        *(f"constants.{name}" for name in constants),
        *(f"gpu.{name}" for name in usage),
    ]
    for each in objects:
        yield [
            *(each[field] for field in FIELDS),
            *(each["scores"].get(name) for name in scores),
            *(each["constants"].get(name) for name in constants),
            *(each.get("gpu", {}).get(name) for name in usage),
        ]


def _trial_object(experiment: StoredExperiment, trial: TrialResult) -> dict[str, Any]:
    names = [each.metric for each in experiment.space.objectives]
    scores = [*trial.scores, *[None] * len(names)]
    return {
        "experiment": experiment.paths.name,
        "number": trial.number,
        "version": trial.version,
        "state": trial.state,
        "score": replace_non_finite(trial.score),
        "best_epoch": trial.best_epoch,
        "n_epochs": trial.n_epochs,
        "repeat_of": trial.repeat_of,
        "reason": trial.reason,
        "standard_error": replace_non_finite(trial.standard_error),
        "n_fits": trial.n_fits,
        "scores": {name: replace_non_finite(score) for name, score in zip(names, scores, strict=False)},
        "constants": replace_non_finite(dict(trial.values)),
        **gpu_usage_object(trial),
        **({"n_changes": trial.n_changes} if trial.n_changes else {}),
        **({} if trial.proposal is None else {"proposal": trial.proposal.as_json()}),
        "curve": [[epoch, replace_non_finite(value)] for epoch, value in sorted(trial.curve.items())],
    }


def _failure_object(group: FailureGroup) -> dict[str, Any]:
    region = group.region
    return {
        "cause": group.cause,
        "sentence": group.sentence,
        "trials": list(group.trials),
        "place": group.place,
        "code": group.code,
        "constants": replace_non_finite(group.constants),
        "log": str(group.log),
        "region": None
        if region is None
        else {"constant": region.constant, "relation": region.relation, "bound": replace_non_finite(region.bound)},
    }


def _preflight_object(experiment: StoredExperiment) -> dict[str, Any] | None:
    failure = find_preflight_failure(experiment.paths, experiment.trials)
    if failure is None:
        return None
    return {
        "sentence": describe_preflight_failure(failure),
        "kind": failure.kind,
        "message": failure.message,
        "place": failure.place,
        "code": failure.code,
    }


def replace_non_finite(value: Any) -> Any:
    """Return a value as strict JSON has it: infinity and what is no number are None."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list() | tuple():
            return [replace_non_finite(each) for each in value]
        case dict():
            return {str(name): replace_non_finite(each) for name, each in value.items()}
        case _:
            return value

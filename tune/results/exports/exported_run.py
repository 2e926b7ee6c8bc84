"""The trials of an experiment as runs of a tracker, in a form that tells whether one was sent already."""

import hashlib
import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType

from tune.errors import OptionError, PromotuneError, StorageError
from tune.experiment.open import StoredExperiment
from tune.experiment.trial_result import State, find_score_epoch
from tune.results.retrain_results import RetrainedVersion, read_retrained
from tune.trial.trackers.run_labels import RunEnd, RunLabels, RunState

EXTRAS = {"wandb": "wandb", "mlflow": "mlflow", "pyarrow": "parquet"}
"""The extra of our package that installs a package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCount:
    """What was sent."""

    n_new: int
    n_known: int
    """Runs that were there already, as they are."""
    place: str
    """Where they are, for people."""


def import_tracker(package: str) -> ModuleType:
    """Return a package that is needed; raise OptionError, which names the extra, where it is not installed."""
    try:
        found = importlib.import_module(package)
        if found.__file__ is None:  # a folder of that name, as W&B writes one where a program trains
            raise ModuleNotFoundError(package, name=package)
        return found
    except ModuleNotFoundError as error:
        what = f"{package} is not installed" if error.name == package else f"{package} cannot be imported: {error}"
        raise OptionError("--to", what, f"Install it: pip install 'promotune[{EXTRAS[package]}]'") from error


def describe_tracker_error(package: str, error: Exception, hint: str) -> PromotuneError:
    """Return the error of a tracker that took nothing, or not all."""
    text = " ".join(str(error).split()) or type(error).__name__
    return StorageError(package, f"it refused what was sent: {text}", hint)


STATES: Mapping[State, RunState] = {"complete": "complete", "pruned": "stopped", "failed": "failed"}
"""How trackers call the end of a trial; trials in other states have not ended."""
STAGES: Mapping[str, RunState] = {"complete": "complete", "stopped": "stopped", "failed": "failed"}
"""The same of retrained versions."""
N_DIGITS = 12
"""Hexadecimal ones, of what tells experiments, runs and their contents apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRun:
    """One trial that ended, or one retrained version."""

    labels: RunLabels
    end: RunEnd
    reason: str | None
    """Why it failed."""
    curves: Mapping[str, Mapping[int, float]]
    """By metric: the value by epoch, from 1."""
    started: float | None
    """Seconds since the epoch."""
    ended: float | None
    """Seconds since the epoch."""
    experiment_id: str
    """The same wherever the experiment lies."""

    @property
    def key(self) -> str:
        """What no other run has, of any experiment."""
        return _hash_text(f"{self.experiment_id}\0{self.labels.name}")

    @property
    def digest(self) -> str:
        """Another one once anything about the run is."""
        curves = {name: sorted(curve.items()) for name, curve in self.curves.items()}
        told = [dict(self.labels.constants), self.end.state, self.end.score, self.reason, curves]
        return _hash_text(json.dumps(told, sort_keys=True, default=str))


def _hash_text(text: str) -> str:
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:N_DIGITS]


def list_exported_runs(experiment: StoredExperiment) -> list[ExportedRun]:
    """Return a run for each trial that ended, and for each retrained version."""
    return [*_list_trials(experiment), *_list_retrained(experiment)]


def count_unfinished(experiment: StoredExperiment) -> int:
    """Return how many trials have begun and not ended."""
    return sum(each.state not in STATES for each in experiment.trials)


def identify_experiment(experiment: StoredExperiment) -> str:
    """Return what stays as it is when the experiment is moved: its name, and when its first trial began."""
    first = experiment.trials[0].started if experiment.trials else None
    return _hash_text(f"{experiment.paths.name}\0{first!r}")


def _list_trials(experiment: StoredExperiment) -> Iterator[ExportedRun]:
    names = [each.metric for each in experiment.space.objectives]
    identity = identify_experiment(experiment)
    for trial in experiment.trials:
        if trial.state not in STATES:
            continue
        yield ExportedRun(
            labels=RunLabels(
                experiment=experiment.paths.name,
                version=trial.version,
                number=trial.number,
                constants=trial.values,
                is_retrained=False,
            ),
            end=RunEnd(state=STATES[trial.state], score=trial.score),
            reason=trial.reason,
            curves={
                name: {epoch: values[at] for epoch, values in sorted(trial.measures.items()) if at < len(values)}
                for at, name in enumerate(names)
            },
            started=trial.started,
            ended=trial.ended,
            experiment_id=identity,
        )


def _list_retrained(experiment: StoredExperiment) -> Iterator[ExportedRun]:
    identity = identify_experiment(experiment)
    for version in read_retrained(experiment.paths):
        if version.record is not None and version.record.stage in STAGES:
            yield _describe_retrained(experiment, version, identity)


def _describe_retrained(experiment: StoredExperiment, version: RetrainedVersion, identity: str) -> ExportedRun:
    record = version.record
    assert record is not None
    epoch = find_score_epoch(version.curve, experiment.space.mode, version.n_fits)
    return ExportedRun(
        labels=RunLabels(
            experiment=experiment.paths.name,
            version=version.files.folder.name,
            number=version.request.trial,
            constants=record.constants,
            is_retrained=True,
        ),
        end=RunEnd(state=STAGES[record.stage], score=None if epoch is None else version.curve[epoch]),
        reason=None if record.failure is None else record.failure.reason,
        curves={experiment.space.metric: dict(sorted(version.curve.items()))},
        started=record.started,
        ended=record.ended,
        experiment_id=identity,
    )

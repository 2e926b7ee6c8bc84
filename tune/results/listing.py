"""The experiments of a storage at a glance."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tune.errors import PromotuneError
from tune.paths import ExperimentPaths
from tune.results.experiment import Experiment, open_experiment

State = Literal["running", "interrupted", "finished", "unreadable", "never began"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One experiment."""

    name: str
    state: State
    """``interrupted``: `resume` would go on with it."""
    n_trials: int
    """Trials that ended."""
    n_wanted: int
    """As many as there were to be."""
    n_failed: int
    metric: str
    best: float | None
    """The best trial's score; None where no trial has one."""
    baseline: float | None
    """The hardcoded values' score."""
    changed: float
    """When the ledger was last written, in seconds since the epoch."""
    n_bytes: int
    """All files together; what links lead to is not counted."""
    error: str | None = None
    """Why it cannot be read."""


def experiments(storage: Path) -> list[ExperimentPaths]:
    """Return the experiments of a storage, the one that was written last first."""
    if not storage.is_dir():
        return []
    found = [ExperimentPaths(folder) for folder in storage.iterdir()]
    return sorted((each for each in found if each.is_there), key=_changed, reverse=True)


def listed(paths: ExperimentPaths, *, running: bool) -> Listed:
    """Describe an experiment; ``running``: a process writes it now."""
    if not paths.journal.is_file():
        return _without_trials(paths, "running" if running else "never began")
    try:
        experiment = open_experiment(str(paths.folder), paths.folder.parent)
    except PromotuneError as error:
        return _without_trials(paths, "running" if running else "unreadable", str(error))
    ended = [trial for trial in experiment.trials if trial.state in ("complete", "pruned", "failed")]
    best, baseline = experiment.best, experiment.baseline
    return Listed(
        name=paths.name,
        state="running" if running else _state(experiment, len(ended)),
        n_trials=len(ended),
        n_wanted=experiment.space.settings.trials,
        n_failed=sum(trial.state == "failed" for trial in ended),
        metric=experiment.space.metric,
        best=None if best is None else best.score,
        baseline=None if baseline is None else baseline.final_score,
        changed=_changed(paths),
        n_bytes=sum(_sizes(paths.folder)),
    )


def _without_trials(paths: ExperimentPaths, state: State, error: str | None = None) -> Listed:
    return Listed(
        name=paths.name,
        state=state,
        n_trials=0,
        n_wanted=0,
        n_failed=0,
        metric="",
        best=None,
        baseline=None,
        changed=_changed(paths),
        n_bytes=sum(_sizes(paths.folder)),
        error=error,
    )


def _changed(paths: ExperimentPaths) -> float:
    written = paths.journal if paths.journal.is_file() else paths.space
    return written.stat().st_mtime


def _state(experiment: Experiment, n_ended: int) -> State:
    """Tell whether something is left to do; a grid may be through before its number of trials is."""
    open_ones = n_ended < len(experiment.trials)
    short_of = n_ended < experiment.space.settings.trials and experiment.space.settings.sampler != "grid"
    return "interrupted" if open_ones or short_of else "finished"


def _sizes(folder: Path) -> Iterator[int]:
    """Yield the size of every file below a folder; one that goes away meanwhile does not count."""
    try:
        for entry in folder.iterdir():
            if entry.is_symlink():
                continue
            if entry.is_dir():
                yield from _sizes(entry)
            else:
                yield entry.stat().st_size
    except OSError:
        return

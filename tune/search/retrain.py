"""Train recorded configurations again, for the full budget, from the experiment's own source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tune.paths import ExperimentPaths, VersionPaths
from tune.promotion.resolve import resolve
from tune.promotion.snapshot import Snapshot
from tune.search.cluster import local_cluster
from tune.search.job import build_job
from tune.search.names import version_name
from tune.search.resources import Resources
from tune.search.run import DRIVER_LOG
from tune.search.tuner import run_trials
from tune.space.dimensions import Dimension, Value
from tune.space.space import Space
from tune.space.when import restored
from tune.trial.outcome import Outcome
from tune.trial.output import logged_to
from tune.trial.record import Record, read_record
from tune.trial.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """What to train again."""

    space: Space
    """As the experiment ran it, with what the command line changed."""
    snapshot: Snapshot
    paths: ExperimentPaths
    resources: Resources
    trials: tuple[Outcome, ...]


def retrain(retraining: Retraining) -> list[Record]:
    """Train each configuration into a version of its own under ``retrain/``; return their records, in order."""
    snapshot, space = retraining.snapshot, retraining.space
    program = snapshot.stored
    promoted = resolve(space, program)
    job = build_job(space, program, promoted, snapshot.folder, retraining.resources)
    job = replace(job, program=snapshot.program)
    retraining.paths.retrain.mkdir(exist_ok=True)
    tasks = _tasks(retraining, {item.key: item.dimension for item in promoted})
    with logged_to(retraining.paths.folder / DRIVER_LOG), local_cluster(retraining.resources):
        run_trials(_Rerun(tasks, retraining.resources.concurrency), job, retraining.resources)
    records = [read_record(VersionPaths(Path(task.version))) for task in tasks]
    return [record for record in records if record is not None]


def _tasks(retraining: Retraining, dimensions: Mapping[str, Dimension]) -> list[Task]:
    """Return a task a trial, numbered after the versions that are there."""
    folder = retraining.paths.retrain
    first = 1 + max((_number(entry.name) for entry in folder.iterdir()), default=-1)
    return [
        Task(
            number=number,
            version=str(folder / version_name(number, _shown(outcome))),
            seed=retraining.space.settings.seed,
            values={name: restored(dimensions[name], value) for name, value in outcome.values.items()},
        )
        for number, outcome in enumerate(retraining.trials, first)
    ]


def _shown(outcome: Outcome) -> dict[str, Value]:
    return {} if outcome.is_baseline else outcome.values


def _number(name: str) -> int:
    digits = name.partition(",")[0]
    return int(digits) if digits.isdecimal() else -1


class _Rerun:
    """A director that hands out a list, and stops nothing."""

    def __init__(self, tasks: Sequence[Task], concurrency: int) -> None:
        self._waiting = list(tasks)
        self._concurrency = concurrency
        self._running: set[str] = set()
        self.ending = False

    @property
    def finished(self) -> bool:
        return not self._waiting or self.ending

    @property
    def aborted(self) -> bool:
        return False

    def end(self) -> None:
        self.ending = True

    def next_task(self, trial_id: str) -> Task | None:
        if self.finished or len(self._running) >= self._concurrency:
            return None
        self._running.add(trial_id)
        return self._waiting.pop(0)

    def report(self, trial_id: str, epoch: int, value: float, *, last: bool, others: tuple[float, ...] = ()) -> bool:
        return self.ending and not last

    def ended(self, trial_id: str, *, failed: bool) -> None:
        self._running.discard(trial_id)

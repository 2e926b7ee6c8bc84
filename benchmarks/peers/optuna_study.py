"""Optuna in several processes on one journal: the same script, started once a worker.

    python -m benchmarks.peers.optuna_study ASSIGNMENT

https://optuna.readthedocs.io, "Easy Parallelization": every process loads the study and optimizes. Where nothing is
fixed it draws by Optuna's default sampler, and its default pruner stops trials through the Lightning callback.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peers.assignment import Assignment

WORKER = "--worker"


def main() -> None:
    """Start the processes, and wait for them."""
    if sys.argv[2:3] == [WORKER]:
        _work(Assignment.read(sys.argv[1]), int(sys.argv[3]))
        return
    assignment = Assignment.read(sys.argv[1])
    command = [sys.executable, "-m", "benchmarks.peers.optuna_study", sys.argv[1], WORKER]
    workers = [subprocess.Popen([*command, str(number)]) for number in range(assignment.n_workers)]
    assert [worker.wait() for worker in workers] == [0] * assignment.n_workers


def _work(assignment: Assignment, worker: int) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.study import MaxTrialsCallback

    seed = assignment.seed * assignment.n_workers + worker
    if assignment.grid:
        axes = {name: kind["choice"] for name, kind in assignment.constants.items()}
        sampler: optuna.samplers.BaseSampler = optuna.samplers.GridSampler(axes, seed=seed)
    else:
        sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(
        study_name="study",
        storage=JournalStorage(JournalFileBackend(str(Path(assignment.folder) / "journal.log"))),
        direction={"min": "minimize", "max": "maximize"}[assignment.mode],
        sampler=sampler,
        load_if_exists=True,
    )
    study.optimize(_objective(assignment), callbacks=[MaxTrialsCallback(assignment.n_trials, states=None)])


def _objective(assignment: Assignment) -> Callable[[Any], float]:
    from benchmarks.peers.pruning import PruningCallback
    from benchmarks.peers.training import train

    def objective(trial: Any) -> float:
        values = {name: _suggest(trial, name, *dict(kind).popitem()) for name, kind in assignment.constants.items()}
        callbacks = [] if assignment.grid else [PruningCallback(trial, assignment.metric)]
        return train(assignment, values, Path(assignment.folder) / f"{trial.number:03d}", callbacks)

    return objective


def _suggest(trial: Any, name: str, kind: str, arguments: list[Any]) -> Any:
    match kind:
        case "choice":
            return trial.suggest_categorical(name, arguments)
        case "uniform" | "loguniform":
            return trial.suggest_float(name, *arguments, log=kind == "loguniform")
        case "randint" | "lograndint":
            return trial.suggest_int(name, *arguments, log=kind == "lograndint")
        case _:
            raise AssertionError(kind)


if __name__ == "__main__":
    main()

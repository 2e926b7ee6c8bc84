"""Ray Tune with Lightning in the kinder of its tutorials' forms: a function, and a Trainer with Ray's callback.

    python -m benchmarks.peers.ray_tune ASSIGNMENT [--reuse]

Ray's other tutorial puts a distributed TorchTrainer into each trial, which starts more processes for it. Every trial is
a process of its own, as Ray does by default, or with ``--reuse`` (``reuse_actors=True``) the next of one that stays.
Where nothing is fixed, Optuna draws (OptunaSearch) and ASHA stops trials, with the settings of the tutorial.
"""

import sys
from pathlib import Path
from typing import Any

import ray
from ray.tune import (
    CheckpointConfig,
    RunConfig,
    TuneConfig,
    Tuner,
    choice,
    get_context,
    grid_search,
    lograndint,
    loguniform,
    randint,
    uniform,
    with_parameters,
)

from benchmarks.peers.assignment import Assignment

REUSE = "--reuse"


def main() -> None:
    """Search."""
    assignment = Assignment.read(sys.argv[1])
    ray.init(num_cpus=assignment.n_workers)
    drawing = {} if assignment.grid else {"num_samples": assignment.n_trials, **_drawing(assignment)}
    space = {name: _dimension(assignment, *dict(kind).popitem()) for name, kind in assignment.constants.items()}
    tuner = Tuner(
        with_parameters(_trial, assignment=assignment),
        param_space=space,
        tune_config=TuneConfig(
            metric=assignment.metric, mode=assignment.mode, reuse_actors=REUSE in sys.argv, **drawing
        ),
        run_config=RunConfig(
            name="tune",
            storage_path=assignment.folder,
            checkpoint_config=CheckpointConfig(
                num_to_keep=2,
                checkpoint_score_attribute=assignment.metric,
                checkpoint_score_order=assignment.mode,
            ),
        ),
    )
    print(tuner.fit().get_best_result().config)


def _trial(config: dict[str, Any], assignment: Assignment) -> None:
    from ray.tune.integration.pytorch_lightning import TuneReportCheckpointCallback

    from benchmarks.peers.training import train

    report = TuneReportCheckpointCallback([assignment.metric], on="validation_end")
    version = (
        Path(assignment.folder) / "versions" / get_context().get_trial_id()
    )  # a reused actor's trial dir is another
    train(assignment, config, version, [report], enable_checkpointing=False)


def _drawing(assignment: Assignment) -> dict[str, Any]:
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    return {
        "search_alg": OptunaSearch(seed=assignment.seed),
        "scheduler": ASHAScheduler(max_t=assignment.epochs, grace_period=1, reduction_factor=2),
        "max_concurrent_trials": assignment.n_workers,
    }


def _dimension(assignment: Assignment, kind: str, arguments: list[Any]) -> Any:
    match kind:
        case "choice":
            return grid_search(arguments) if assignment.grid else choice(arguments)
        case "uniform":
            return uniform(*arguments)
        case "loguniform":
            return loguniform(*arguments)
        case "randint":
            return randint(arguments[0], arguments[1] + 1)
        case "lograndint":
            return lograndint(arguments[0], arguments[1] + 1)
        case _:
            raise AssertionError(kind)


if __name__ == "__main__":
    main()

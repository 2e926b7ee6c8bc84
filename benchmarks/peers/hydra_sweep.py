"""Hydra's Optuna sweeper with the joblib launcher, as lightning-hydra-template uses it.

    python benchmarks/peers/hydra_sweep.py ASSIGNMENT

It runs in a virtual environment of its own, for the sweeper needs an Optuna below 3. The sweeper trains as many trials
at a time as there are workers, and waits for all of them; it stops none early.
"""

import sys
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from benchmarks.peers.assignment import Assignment

ASSIGNMENT = "PROMOTUNE_ASSIGNMENT"


@hydra.main(version_base="1.3", config_path=None)
def train_once(config: DictConfig) -> float:
    """Train one trial; what it returns is what the sweeper optimizes."""
    from hydra.core.hydra_config import HydraConfig

    from benchmarks.peers.training import train

    given = dict(config)
    assignment = Assignment.read(given.pop("assignment"))
    return train(assignment, given, Path(HydraConfig.get().runtime.output_dir))


def overrides(assignment: Assignment) -> list[str]:
    """Return the command line that says what the template's ``hparams_search`` file says."""
    grid = assignment.grid
    sampler = ["hydra/sweeper/sampler=grid"] if grid else [f"hydra.sweeper.sampler.seed={assignment.seed}"]
    return [
        "--multirun",
        "hydra/sweeper=optuna",
        "hydra/launcher=joblib",
        *sampler,
        f"hydra.launcher.n_jobs={assignment.n_workers}",
        f"hydra.sweeper.n_jobs={assignment.n_workers}",
        f"hydra.sweeper.n_trials={assignment.n_trials}",
        f"hydra.sweeper.direction={assignment.mode}imize",
        f"hydra.sweep.dir={assignment.folder}",
        *(f"+{name}={_dimension(*dict(kind).popitem())}" for name, kind in assignment.constants.items()),
    ]


def _dimension(kind: str, arguments: list[Any]) -> str:
    inside = ",".join(map(str, arguments))
    match kind:
        case "choice":
            return f"choice({inside})"
        case "uniform":
            return f"interval({inside})"
        case "loguniform":
            return f"tag(log,interval({inside}))"
        case "lograndint":
            return f"tag(log,int(interval({inside})))"
        case _:
            raise AssertionError(kind)


if __name__ == "__main__":
    path = sys.argv[1]
    sys.argv[1:] = [*overrides(Assignment.read(path)), f"+assignment={path}"]
    train_once()

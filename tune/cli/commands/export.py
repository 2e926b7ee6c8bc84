"""``promotune export EXPERIMENT --to TRACKER``: a search in the tracker that a team uses, or as tables."""

import argparse
import os
from pathlib import Path

from tune.cli.parser import storage_of
from tune.cli.terminal.screen import Screen, format_trial_count
from tune.cli.terminal.summary import warn_of_doubts
from tune.errors import OptionError
from tune.experiment.open import StoredExperiment
from tune.results.exports.exported_run import ExportCount
from tune.storage_url import absolute_path

TARGETS = ("wandb", "mlflow", "csv", "parquet")
TABLES = frozenset({"csv", "parquet"})


def run(given: argparse.Namespace) -> int:
    """Send it, and say how much was new."""
    from tune.experiment.open import open_experiment
    from tune.results.exports.exported_run import count_unfinished

    if given.project is not None and given.to in TABLES:
        raise OptionError("--project", f"tables of {given.to} have no project", "Name their folder: --output FOLDER.")
    experiment = open_experiment(given.experiment, storage_of(given.storage))
    warn_of_doubts([experiment])
    screen = Screen()
    if given.to in TABLES:
        from tune.results.exports.tables import export_tables

        count = export_tables(experiment, _folder_of(given, f"{experiment.paths.name}-{given.to}"), given.to)
        screen.print_line(f"{given.to}: {_count_runs(count.n_new)} in {count.place}")
        return 0
    count = _send(given, experiment)
    known = f", {count.n_known} were there already" if count.n_known else ""
    screen.print_line(f"{given.to}: {_count_runs(count.n_new)} sent to {count.place}{known}")
    if n_left := count_unfinished(experiment):
        have = "has" if n_left == 1 else "have"
        screen.print_line(f"{format_trial_count(n_left)} {have} not ended: export again to send what is left")
    return 0


def _send(given: argparse.Namespace, experiment: StoredExperiment) -> ExportCount:
    from tune.results.exports.exported_run import list_exported_runs

    runs = list_exported_runs(experiment)
    if given.to == "mlflow":
        from tune.results.exports.mlflow_export import export_to_mlflow

        return export_to_mlflow(runs, given.output, given.project or experiment.paths.name)
    from tune.results.exports.wandb_export import export_to_wandb

    project = given.project or os.environ.get("WANDB_PROJECT") or experiment.paths.name
    return export_to_wandb(runs, _folder_of(given, "."), project)


def _count_runs(number: int) -> str:
    return f"{number} run{'' if number == 1 else 's'}"


def _folder_of(given: argparse.Namespace, usual: str) -> Path:
    return absolute_path(given.output or usual, "--output")

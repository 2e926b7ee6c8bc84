"""``promotune pause EXPERIMENT``: no trial starts until ``resume``; those that run go on."""

import argparse

from tune.cli.parser import storage_of
from tune.cli.steer.answers import show_answer
from tune.experiment.open import find_experiment
from tune.experiment.steer import ask_running
from tune.paths import ExperimentPaths


def run(given: argparse.Namespace) -> int:
    """Ask for it, and show what the search says."""
    paths = ExperimentPaths(find_experiment(given.experiment, storage_of(given.storage)))
    return show_answer(ask_running(paths, "pause"), as_json=given.json)

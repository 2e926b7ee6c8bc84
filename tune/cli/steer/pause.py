"""``promotune pause EXPERIMENT``: no trial starts until ``resume``; those that run go on."""

import argparse

from tune.cli.parser import Parser, describe_command, storage_of
from tune.cli.steer.answers import add_answer_options, add_target, show_answer
from tune.experiment.open import find_experiment
from tune.experiment.steer import ask_running
from tune.paths import ExperimentPaths


def parser() -> Parser:
    """Return what it takes on the command line."""
    parser = Parser("pause", description=describe_command("pause"))
    add_target(parser)
    add_answer_options(parser)
    return parser


def run(given: argparse.Namespace) -> int:
    """Ask for it, and show what the search says."""
    paths = ExperimentPaths(find_experiment(given.experiment, storage_of(given.storage)))
    return show_answer(ask_running(paths, "pause"), as_json=given.json)

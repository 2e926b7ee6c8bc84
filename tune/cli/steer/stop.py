"""``promotune stop EXPERIMENT [TRIAL...]``: stop trials after their epochs, or end a search as Ctrl-C does."""

import argparse

from tune.cli.parser import storage_of
from tune.cli.steer.answers import show_answer
from tune.errors import OptionError
from tune.experiment.open import find_experiment
from tune.experiment.steer import stop_trials
from tune.paths import ExperimentPaths


def run(given: argparse.Namespace) -> int:
    """Ask for it, and show what the search says."""
    if given.finish and given.trials:
        what = f"--finish lets all trials end, got {given.trials[0]} too"
        raise OptionError("--finish", what, "Leave one of the two out.")
    paths = ExperimentPaths(find_experiment(given.experiment, storage_of(given.storage)))
    answer = stop_trials(paths, given.trials, why=given.why, finish=given.finish)
    return show_answer(answer, as_json=given.json)

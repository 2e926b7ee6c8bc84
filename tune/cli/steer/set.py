"""``promotune set EXPERIMENT trials=+20``: change how long a search goes on, and how many trials run at a time."""

import argparse

from tune.cli.parser import storage_of
from tune.cli.steer.answers import show_answer
from tune.errors import OptionError
from tune.experiment.open import find_experiment
from tune.experiment.steer import ask_running
from tune.paths import ExperimentPaths


def run(given: argparse.Namespace) -> int:
    """Ask for it, and show what the search says."""
    asked: dict[str, str] = {}
    for word in given.settings:
        name, equals, text = word.partition("=")
        name = name.removeprefix("--").replace("-", "_")
        if not equals or name in asked:
            what = f"a setting and its value once, got {word!r}"
            raise OptionError(None, what, "Write `trials=+20`.")
        asked[name] = text
    paths = ExperimentPaths(find_experiment(given.experiment, storage_of(given.storage)))
    return show_answer(ask_running(paths, "set", asked), as_json=given.json)

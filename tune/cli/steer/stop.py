"""``promotune stop EXPERIMENT [TRIAL...]``: stop trials after their epochs, or end a search as Ctrl-C does."""

import argparse

from tune.cli.parser import Parser, describe_command, storage_of
from tune.cli.steer.answers import SteerParser, add_answer_options, add_target, show_answer
from tune.errors import OptionError
from tune.experiment.open import find_experiment
from tune.experiment.steer import stop_trials
from tune.paths import ExperimentPaths


def parser() -> Parser:
    """Return what it takes on the command line."""
    parser = SteerParser("stop", description=describe_command("stop"))
    add_target(parser)
    told = "numbers of trials; none: the whole search, as Ctrl-C does"
    parser.add_argument("trials", nargs="*", type=int, metavar="TRIAL", help=told)
    finish = "let no further trial begin, and those that run train to their end"
    parser.add_argument("--finish", action="store_true", help=finish)
    parser.add_argument("--why", metavar="TEXT", default="", help="the reason, which is recorded with the trial")
    add_answer_options(parser)
    return parser


def run(given: argparse.Namespace) -> int:
    """Ask for it, and show what the search says."""
    if given.finish and given.trials:
        what = f"--finish lets all trials end, got {given.trials[0]} too"
        raise OptionError("--finish", what, "Leave one of the two out.")
    paths = ExperimentPaths(find_experiment(given.experiment, storage_of(given.storage)))
    answer = stop_trials(paths, given.trials, why=given.why, finish=given.finish)
    return show_answer(answer, as_json=given.json)

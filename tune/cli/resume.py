"""``run_search.py resume EXPERIMENT``: go on from the ledger, to the number of trials that is asked for."""

import argparse
from dataclasses import replace

from tune.cli.arguments import SETTINGS, Arguments, add_settings
from tune.cli.commands import described
from tune.cli.parser import Parser
from tune.cli.screen import Screen, TrialLines, show_links, show_space
from tune.cli.search import show_finished
from tune.cli.storage import storage_of
from tune.errors import OptionError
from tune.paths import ExperimentPaths, short
from tune.promotion.resolve import resolve
from tune.search.lock import locked
from tune.search.resources import plan_resources
from tune.space.space import Space

MAY_CHANGE = ("trials", "time-budget", "concurrency", "cpus-per-trial", "gpus-per-trial", "max-failures")
"""Settings that may change in the middle of a search."""


def parser() -> Parser:
    """Return what it takes on the command line."""
    parser = Parser(prog="run_search.py resume", description=described("resume"))
    parser.add_argument("experiment", help="its name, or its folder")
    settings = {name: SETTINGS[name] for name in MAY_CHANGE}
    add_settings(parser, {**settings, "trials": "how many in all; +20: so many more than it was to have"})
    return parser


def run(given: argparse.Namespace) -> int:
    """Take the experiment, mend its ledger if that was torn, and run what is left."""
    from tune.results.experiment import find_experiment

    paths = ExperimentPaths(find_experiment(given.experiment, storage_of(given.storage)))
    with locked(paths):
        return _resume(Arguments.of(given), paths)


def _resume(arguments: Arguments, paths: ExperimentPaths) -> int:
    from tune.results.experiment import open_experiment
    from tune.search.journal import repair
    from tune.search.run import Search, resume_search

    screen = Screen()
    if lost := repair(paths.journal):
        notice = (
            f"{short(paths.journal)} ended in a torn record of {lost} bytes; it was taken out, all others are there"
        )
        screen.line(f"warning: {notice}", style="yellow")
    experiment = open_experiment(str(paths.folder), paths.folder.parent)
    space = _changed(experiment.space, arguments)
    if space.settings.trials < len(experiment.trials):
        there = f"there are {len(experiment.trials)} already, got {space.settings.trials}"
        raise OptionError("--trials", there, "Give a larger number, or `+N` for N more.")
    program = experiment.snapshot.stored
    promoted = resolve(space, program)
    resources = plan_resources(space.settings, arguments.gpus)
    show_space(screen, space, promoted, program, resources)
    search = Search(
        space=space,
        program=program,
        promoted=promoted,
        resources=resources,
        paths=paths,
        on_start=lambda dashboard: show_links(screen, paths.folder.parent, dashboard),
        on_end=TrialLines(screen, space.mode, space.settings.trials, experiment.trials).ended,
    )
    return show_finished(screen, resume_search(search, experiment.snapshot), search)


def _changed(space: Space, arguments: Arguments) -> Space:
    """Return the space with what was given; ``--trials +20`` adds to what the search was to have."""
    given, settings = dict(arguments.given), space.settings
    trials = given.get("trials", "")
    if trials.startswith("+") and trials[1:].isdecimal():
        del given["trials"]
        settings = replace(settings, trials=settings.trials + int(trials))
    return replace(space, settings=replace(arguments, given=given).settings(settings))

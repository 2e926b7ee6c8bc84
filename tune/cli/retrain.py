"""``run_search.py retrain EXPERIMENT``: train the best configuration again, for the full budget."""

import argparse
from dataclasses import replace
from pathlib import Path

from tune.cli.arguments import Arguments, SearchParser, add_settings
from tune.cli.commands import described
from tune.cli.screen import Screen, shown
from tune.cli.storage import storage_of
from tune.errors import EXIT_INTERRUPTED, EXIT_SEARCH, ExperimentError
from tune.paths import VersionPaths, short
from tune.search.resources import plan_resources
from tune.space.space import Space
from tune.trial.record import Record
from tune.trial.score import best_of


def parser() -> SearchParser:
    """Return what it takes on the command line."""
    parser = SearchParser(prog="run_search.py retrain", description=described("retrain"))
    parser.add_argument("experiment", help="its name, or its folder")
    add_settings(parser, {})
    return parser


def run(given: argparse.Namespace) -> int:
    """Retrain the best trial, and say how to load what came of it."""
    arguments = Arguments.of(given)
    from tune.results.experiment import open_experiment

    experiment = open_experiment(given.experiment, storage_of(given.storage))
    best = experiment.best
    if best is None:
        raise ExperimentError(short(experiment.paths.folder), "no trial came to an end", "Search again.")
    space = replace(experiment.space, settings=arguments.settings(experiment.space.settings))
    resources = plan_resources(space.settings, arguments.gpus)
    screen = Screen()
    values = ", ".join(f"{name}={shown(value)}" for name, value in best.values.items())
    screen.line(f"retraining {best.version}: {values}")

    from tune.search.retrain import Retraining, retrain

    records = retrain(
        Retraining(
            space=space,
            snapshot=experiment.snapshot,
            paths=experiment.paths,
            resources=replace(resources, concurrency=1),
            trials=(best,),
        )
    )
    return _show(screen, records, experiment.paths.retrain, space, best.score)


def _show(screen: Screen, records: list[Record], folder: Path, space: Space, searched: float | None) -> int:
    for record in records:
        if record.failure is not None:
            screen.line(f"{record.version} failed: {record.failure.reason}", style="red")
            screen.line(f"the whole traceback: {short(folder / record.version / 'error.txt')}")
            return EXIT_SEARCH
        curve = dict(record.curve)
        epoch = best_of(curve, space.mode)
        if epoch is None or record.stage == "stopped":
            return EXIT_INTERRUPTED
        version = VersionPaths(folder / record.version)
        seen = "" if searched is None else f"; the search saw {searched:.5g}"
        screen.line(f"{space.metric} = {curve[epoch]:.5g} in epoch {epoch} of {len(curve)}{seen}", style="bold")
        screen.line(f"checkpoint: {short(version.best)}")
        screen.line()
        screen.line("from tune import load")
        screen.line(f'model = load("{short(version.folder)}")')
    return 0

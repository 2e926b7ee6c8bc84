"""``promotune status EXPERIMENT``: where a search is, for people and for programs that watch it."""

import argparse
import json

from tune.cli.parser import Parser, add_storage, describe_command, storage_of
from tune.cli.terminal.summary import Screen, format_value
from tune.errors import EXIT_INTERRUPTED, EXIT_SEARCH
from tune.experiment.open import StoredExperiment, open_experiment
from tune.results.experiments import State
from tune.results.status import Event, follow_events, read_status

EXIT_NOTHING_BETTER = 3
"""The search is over, and no trial was better than the hardcoded values."""


def parser() -> Parser:
    """Return what it takes on the command line."""
    parser = Parser("status", description=describe_command("status"))
    parser.add_argument("experiment", help="its name, or its folder")
    parser.add_argument("--json", action="store_true", help="one object, for machines")
    parser.add_argument("--follow", action="store_true", help="a JSON line for each event, until the search ends")
    add_storage(parser)
    return parser


def run(given: argparse.Namespace) -> int:
    """Show it; the exit status says what the search came to."""
    experiment = open_experiment(given.experiment, storage_of(given.storage))
    screen = Screen()
    if given.follow:
        for event in follow_events(experiment.paths):
            screen.print_bytes(f"{json.dumps(event, allow_nan=False)}\n".encode())
        experiment = open_experiment(str(experiment.paths.folder), experiment.paths.folder.parent)
    status = read_status(experiment)
    if given.json and not given.follow:
        screen.print_json(status)
    elif not given.follow:
        _show_status(screen, status, experiment)
    return _choose_exit_status(status["state"], experiment)


def _show_status(screen: Screen, status: Event, experiment: StoredExperiment) -> None:
    counts = ", ".join(f"{n} {state}" for state, n in status["n_trials"].items() if n)
    screen.print_line(f"{status['experiment']}: {status['state']}", style="bold")
    screen.print_line(f"trials: {counts or 'none'}, of {status['n_wanted']}")
    for name in ("baseline", "best"):
        trial = status[name]
        if trial is not None and trial["score"] is not None:
            metric = experiment.space.metric
            screen.print_line(f"{name}: {metric} = {format_value(trial['score'])} of {trial['version']}")
    for trial in status["running"]:
        n_epochs = trial["n_epochs"]
        screen.print_line(f"runs: {trial['version']}, after {n_epochs} epoch{'s' if n_epochs != 1 else ''}")


def _choose_exit_status(state: State, experiment: StoredExperiment) -> int:
    best, baseline = experiment.best, experiment.baseline
    if state in ("interrupted", "never began"):
        return EXIT_INTERRUPTED
    if state == "running":
        return 0
    if best is None or baseline is None or baseline.state == "failed":
        return EXIT_SEARCH
    return EXIT_NOTHING_BETTER if best.is_baseline else 0

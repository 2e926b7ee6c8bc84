"""``promotune status EXPERIMENT``: where a search is, for people and for programs that watch it."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from tune.cli.parser import storage_of
from tune.cli.terminal.screen import Screen, format_value
from tune.errors import EXIT_INTERRUPTED, EXIT_SEARCH
from tune.experiment.proposal_note import SearchPause
from tune.invocation import this_command
from tune.paths import ExperimentPaths
from tune.results.status import Event, Outcome, find_search, follow_events, read_status

EXIT_NOTHING_BETTER = 3
"""The search is over, and nothing was better than the hardcoded values."""
EXIT_STATUSES: Mapping[Outcome, int] = {
    "running": 0,
    "better": 0,
    "nothing better": EXIT_NOTHING_BETTER,
    "interrupted": EXIT_INTERRUPTED,
    "failed": EXIT_SEARCH,
}


def run(given: argparse.Namespace) -> int:
    """Show it; the exit status says what the search came to."""
    paths = find_search(given.experiment, storage_of(given.storage))
    screen = Screen()
    if given.follow:
        outcome: Outcome = "running"
        for event in follow_events(paths):
            screen.print_bytes(f"{json.dumps(event, allow_nan=False)}\n".encode())
            outcome = event.get("outcome", outcome)
        return EXIT_STATUSES[outcome]
    status = read_status(paths)
    if given.json:
        screen.print_json(status)
    else:
        _show_status(screen, status)
    return EXIT_STATUSES[status["outcome"]]


def _show_status(screen: Screen, status: Event) -> None:
    counts = ", ".join(f"{n} {state}" for state, n in status["n_trials"].items() if n)
    outcome = f", {status['outcome']} than the hardcoded values" if "better" in status["outcome"] else ""
    paused = status["paused"]
    state = status["state"] if paused is None else SearchPause(**paused).description
    screen.print_line(f"{status['experiment']}: {state}{outcome}", style="bold")
    screen.print_line(f"trials: {counts or 'none'}, of {status['n_wanted']}")
    metric = status["metrics"][0]["metric"]
    for name in ("baseline", "best"):
        trial = status[name]
        if trial is not None and trial["score"] is not None:
            screen.print_line(f"{name}: {metric} = {format_value(trial['score'])} of {trial['version']}")
    for trial in status["running"]:
        n_epochs = trial["n_epochs"]
        screen.print_line(f"runs: {trial['version']}, after {n_epochs} epoch{'s' if n_epochs != 1 else ''}")
    confirmation = status["confirmation"]
    if confirmation is not None and not confirmation["is_over"]:
        screen.print_line(f"confirmation: {confirmation['n_trained']} trainings ended, and it needs more")
    if status["verdict"] is not None:
        screen.print_line(f"verdict: {status['verdict']}")
    if status["outcome"] == "interrupted" or paused is not None:
        screen.print_line(f"to go on: {this_command()} resume {ExperimentPaths(Path(status['folder'])).cli_argument}")

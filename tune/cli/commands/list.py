"""``promotune list``: the experiments of a storage."""

import argparse
import time
from dataclasses import asdict

from tune.cli.parser import Parser, add_storage, describe_command, storage_of
from tune.cli.terminal.summary import Screen
from tune.experiment.lock import is_locked
from tune.paths import display_path
from tune.results.experiments import ExperimentSummary, list_experiments, summarise_experiment
from tune.storage.download import download_experiments

UNITS_S = (("day", 86400), ("hour", 3600), ("minute", 60))
COLUMNS = ("experiment", "state", "trials", "best", "hardcoded", "metric", "written", "size")


def parser() -> Parser:
    """Return what it takes on the command line."""
    parser = Parser("list", description=describe_command("list"))
    parser.add_argument("--json", action="store_true", help="everything, for machines")
    add_storage(parser)
    return parser


def run(given: argparse.Namespace) -> int:
    """Print a line for each, the one that was written last first."""
    storage = storage_of(given.storage)
    download_experiments(storage)
    found = [summarise_experiment(paths, running=is_locked(paths)) for paths in list_experiments(storage)]
    screen = Screen()
    if given.json:
        screen.print_json([asdict(each) for each in found])
        return 0
    if not found:
        screen.print_line(f"no experiments in {display_path(storage)}")
        return 0
    screen.print_table(COLUMNS, [_format_cells(each) for each in found])
    for each in found:
        if each.error is not None:
            for line in each.error.split("\n"):
                screen.print_line(line, style="yellow")
    return 0


def _format_cells(each: ExperimentSummary) -> tuple[str, ...]:
    failed = f", {each.n_failed} failed" if each.n_failed else ""
    trials = f"{each.n_trials} of {each.n_wanted}{failed}" if each.n_wanted else "-"
    age, size = _format_age(time.time() - each.changed), _format_size(each.n_bytes)
    return (
        each.name,
        each.state,
        trials,
        _format_score(each.best),
        _format_score(each.baseline),
        each.metric or "-",
        age,
        size,
    )


def _format_score(score: float | None) -> str:
    return "-" if score is None else f"{score:.5g}"


def _format_age(seconds: float) -> str:
    for unit, length in UNITS_S:
        if seconds >= length:
            n = int(seconds // length)
            return f"{n} {unit}{'s' if n != 1 else ''} ago"
    return "just now"


def _format_size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"

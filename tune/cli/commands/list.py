"""``promotune list``: the experiments of a storage."""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from tune.cli.parser import storage_of
from tune.cli.terminal.console import GAP, TableColumn, cut_middle, describe_left_out, measure_table
from tune.cli.terminal.screen import Screen
from tune.experiment.lock import is_running
from tune.paths import display_path
from tune.results.confirm.error_rate import ERROR_RATE
from tune.results.confirm.project import SearchProject, list_projects
from tune.results.experiments import ExperimentSummary, list_experiments, summarise_experiment
from tune.storage.download import download_experiments

UNITS_S = (("day", "d", 86400), ("hour", "h", 3600), ("minute", "min", 60))
"""Units of an age: in words, in short, and in seconds."""

MOST_NAMED = 5
"""Searches of a project that are all named."""


def run(given: argparse.Namespace) -> int:
    """Print a line for each, the one that was written last first."""
    storage = storage_of(given.storage)
    download_experiments(storage)
    found = [summarise_experiment(paths, running=is_running(paths)) for paths in list_experiments(storage)]
    projects = list_projects(storage)
    screen = Screen()
    if given.json:
        of_search = {name: each for each in projects for name in each.searches}
        screen.print_json([_describe_for_machines(each, of_search.get(each.name)) for each in found])
        return 0
    if not found:
        screen.print_line(f"no experiments in {display_path(storage)}")
        return 0
    _show_experiments(screen, found)
    for each in found:
        if each.error is not None:
            for line in each.error.split("\n"):
                screen.print_line(line, style="yellow")
    _show_projects(screen, [each for each in projects if len(each.searches) > 1 or each.n_verdicts])
    return 0


def _describe_for_machines(each: ExperimentSummary, project: SearchProject | None) -> dict[str, Any]:
    return {**asdict(each), "project": None if project is None else project.describe_search(each.name)}


def _show_projects(screen: Screen, projects: Sequence[SearchProject]) -> None:
    """Show which searches share an error rate, and how much of it is left."""
    if not projects:
        return
    screen.print_line()
    heading = f"searches of one program and metric share an error rate of {ERROR_RATE:.0%} for their verdicts:"
    screen.print_prose(heading, style="bold")
    for each in projects:
        screen.print_prose(f"{display_path(each.program)}, {each.metric}: {_describe_project(each)}")


def _describe_project(project: SearchProject) -> str:
    n_searches, names = len(project.searches), project.searches
    shown = names if n_searches <= MOST_NAMED else (*names[:2], "...", *names[-2:])
    searches = f"{n_searches} search{'es' if n_searches > 1 else ''} ({', '.join(shown)})"
    if not project.n_verdicts:
        return f"{searches}, no verdict yet"
    verdicts = f"{project.n_verdicts} verdict{'s' if project.n_verdicts > 1 else ''}"
    left = f"{100 * project.error_rate_left:.2g}% of it left"
    return f"{searches}, {verdicts}, {left}; the next one takes {project.n_next_seeds} seeds"


def _show_experiments(screen: Screen, found: Sequence[ExperimentSummary]) -> None:
    """Print one line for each; on a narrow terminal columns become shorter, or are left out."""
    columns = {name: TableColumn(name, [describe(each) for each in found]) for name, describe in COLUMNS.items()}
    if not any(each.verdict for each in found):
        del columns["verdict"]
    left_out: list[str] = []
    for name, shorten in NARROWER:
        if name not in columns:
            continue
        if not screen.is_terminal or measure_table(columns.values()) <= screen.width:
            break
        if shorten is not None:
            columns[name] = TableColumn(name, [shorten(each) for each in found])
        else:
            del columns[name]
            left_out.append(name)
    if screen.is_terminal:
        room = screen.width - measure_table(column for name, column in columns.items() if name != NAME) - GAP
        columns[NAME] = TableColumn(NAME, [cut_middle(each.name, room) for each in found])
    screen.print_table(list(columns), list(zip(*(column.cells for column in columns.values()), strict=True)))
    if left_out:
        screen.print_line()
        screen.print_line(describe_left_out(left_out, "--json", screen.width), style="dim")


def _format_trials(each: ExperimentSummary) -> str:
    failed = f", {each.n_failed} failed" if each.n_failed else ""
    return f"{each.n_trials} of {each.n_wanted}{failed}" if each.n_wanted else "-"


def _format_trials_shortly(each: ExperimentSummary) -> str:
    return f"{each.n_trials}/{each.n_wanted}" if each.n_wanted else "-"


def _format_score(score: float | None) -> str:
    return "-" if score is None else f"{score:.5g}"


def _format_age(each: ExperimentSummary) -> str:
    seconds = time.time() - each.changed
    for unit, _, length in UNITS_S:
        if seconds >= length:
            n = int(seconds // length)
            return f"{n} {unit}{'s' if n != 1 else ''} ago"
    return "just now"


def _format_age_shortly(each: ExperimentSummary) -> str:
    seconds = time.time() - each.changed
    return next((f"{int(seconds // length)} {unit}" for _, unit, length in UNITS_S if seconds >= length), "now")


def _format_size(each: ExperimentSummary) -> str:
    n_bytes: float = each.n_bytes
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"


Describe = Callable[[ExperimentSummary], str]

NAME = "experiment"

COLUMNS: dict[str, Describe] = {
    NAME: lambda each: each.name,
    "state": lambda each: each.state,
    "trials": _format_trials,
    "best": lambda each: _format_score(each.best),
    "hardcoded": lambda each: _format_score(each.baseline),
    "verdict": lambda each: each.verdict or "-",
    "metric": lambda each: each.metric or "-",
    "written": _format_age,
    "size": _format_size,
}

NARROWER: Sequence[tuple[str, Describe | None]] = (
    ("written", _format_age_shortly),
    ("size", None),
    ("verdict", None),
    ("hardcoded", None),
    ("trials", _format_trials_shortly),
    ("metric", None),
    ("written", None),
    ("trials", None),
)
"""What a table that is too wide for the terminal does, one after the other; None: the column is left out."""

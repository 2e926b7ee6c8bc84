"""Trials as a table, and where the time of a search went."""

import math
from collections.abc import Callable, Sequence

from rich.cells import cell_len

from tune.cli.parser import Parser
from tune.cli.terminal.console import STYLES
from tune.cli.terminal.summary import INACTIVE, Screen, format_value, one_line
from tune.errors import OptionError, suggest_name
from tune.experiment.trial_result import Mode, TrialResult, rank_trials
from tune.paths import ExperimentPaths
from tune.results.profile import read_profile, time_columns, time_rows
from tune.space.dimensions import Value, is_number
from tune.space.space import Space

GAP = 3  # cells between two columns
FIELDS: dict[str, Callable[[TrialResult], object]] = {
    "number": lambda trial: trial.number,
    "state": lambda trial: list(STYLES).index(trial.state),
    "epochs": lambda trial: -trial.n_epochs,
}
"""What trials can be sorted by, beside the score, the metrics and the constants."""
SCORE = "score"


def sorted_trials(trials: Sequence[TrialResult], space: Space, by: str) -> list[TrialResult]:
    """Return the trials in order, by ``score`` the best first; what has no such value comes last.

    Raises OptionError where there is nothing of that name.
    """
    if by == SCORE:
        best = rank_trials(trials, space.mode)
        there = {trial.number for trial in best}
        return [*best, *(trial for trial in trials if trial.number not in there)]
    if by in FIELDS:
        return sorted(trials, key=FIELDS[by])  # type: ignore[arg-type]
    metrics = [each.metric for each in space.objectives]
    if by in metrics:
        place = metrics.index(by)
        return sorted(trials, key=lambda trial: _score_sort_key(trial.scores, place, space.objectives[place].mode))
    if by in space.dimensions:
        return sorted(trials, key=lambda trial: _value_sort_key(trial.values.get(by)))
    known = [SCORE, *FIELDS, *metrics, *space.dimensions]
    raise OptionError("--sort", f"there is no column {by!r}", suggest_name(by, known, what="columns"))


def show_trials(screen: Screen, trials: Sequence[TrialResult], space: Space) -> None:
    """Show the trials in this order."""
    best = next(iter(rank_trials(trials, space.mode)), None)
    metrics = [each.metric for each in space.objectives]
    head = ["trial", "state", "epochs", *metrics, "best in"]
    rows = [
        [_mark_number(trial, best), trial.state, str(trial.n_epochs), *_format_scores(trial, len(metrics))]
        for trial in trials
    ]
    constants = [[_format_constant(trial, name) for name in space.dimensions] for trial in trials]
    wide = [[*row, *cells] for row, cells in zip(rows, constants, strict=True)]
    columns = [*head, *space.dimensions]
    if screen.is_terminal and _table_width(columns, wide) > screen.width:
        room = screen.width - _table_width(head, rows) - GAP
        columns, wide = (
            [*head, "version"],
            [[*row, _cut_text(_last_cell(each), room)] for row, each in zip(rows, trials, strict=True)],
        )
    screen.print_table(columns, wide)


def _mark_number(trial: TrialResult, best: TrialResult | None) -> str:
    mark = "*" if best is not None and trial.number == best.number else " "
    return f"{trial.number:03d} {mark}"


def _format_scores(trial: TrialResult, n_metrics: int) -> list[str]:
    scores = [f"{score:.5g}" for score in trial.scores] or [INACTIVE] * n_metrics
    return [*scores, str(trial.best_epoch or INACTIVE)]


def _format_constant(trial: TrialResult, name: str) -> str:
    return format_value(trial.values[name]) if name in trial.values else INACTIVE


def _last_cell(trial: TrialResult) -> str:
    if trial.state == "failed":
        return one_line(trial.reason or "")
    return trial.version if trial.repeat_of is None else f"repeat of {trial.version}"


def _cut_text(text: str, room: int) -> str:
    room = max(8, room)
    return text if cell_len(text) <= room else f"{text[: room - 3]}..."


def _table_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    return sum(max(cell_len(cell) for cell in cells) + GAP for cells in zip(columns, *rows, strict=True)) - GAP


def _score_sort_key(scores: Sequence[float], place: int, mode: Mode) -> tuple[bool, float]:
    value = scores[place] if place < len(scores) else math.nan
    return not math.isfinite(value), 0.0 if not math.isfinite(value) else -value if mode == "max" else value


def _value_sort_key(value: Value) -> tuple[int, float, str]:
    """Numbers before all else, nothing last."""
    if is_number(value):
        return 0, float(value), ""
    return (2, 0.0, "") if value is None else (1, 0.0, str(value))


def add_profile(parser: Parser) -> None:
    """Add the option."""
    parser.add_argument("--profile", action="store_true", help="say at the end where each worker's time went")


def show_profile(screen: Screen, outcomes: Sequence[TrialResult], paths: ExperimentPaths) -> None:
    """Show the table; nothing where no trial came to its end."""
    found = read_profile(outcomes, paths)
    if found is not None:
        screen.print_table(time_columns(found), time_rows(found))
        screen.print_line()

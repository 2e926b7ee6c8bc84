"""Trials as a table, and where the time of a search went."""

import math
from collections.abc import Callable, Sequence

from tune.cli.terminal.console import GAP, LEAST, STYLES, TableColumn, cut_end, describe_left_out, measure_table
from tune.cli.terminal.screen import Screen, format_value, one_line
from tune.cli.terminal.summary import INACTIVE
from tune.errors import OptionError, suggest_name
from tune.experiment.trial_result import Mode, TrialResult, describe_hand, rank_trials
from tune.paths import ExperimentPaths
from tune.results.profile import GPU_COLUMNS, describe_gpu_usage, read_profile, time_columns, time_rows, uses_gpus
from tune.space.dimensions import Value, is_number
from tune.space.space import Space

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


def show_trials(screen: Screen, trials: Sequence[TrialResult], space: Space, csv_option: str) -> None:
    """Show the trials in this order; ``csv_option``: what prints the columns that a narrow terminal has no room for."""
    best = next(iter(rank_trials(trials, space.mode)), None)
    epochs = TableColumn("epochs", [str(trial.n_epochs) for trial in trials])
    best_in = TableColumn("best in", [str(trial.best_epoch or INACTIVE) for trial in trials])
    fields = [
        TableColumn("trial", [_mark_number(trial, best) for trial in trials]),
        TableColumn("state", [trial.state for trial in trials]),
        epochs,
        *(
            TableColumn(each.metric, [_format_score(trial, place) for trial in trials])
            for place, each in enumerate(space.objectives)
        ),
        best_in,
    ]
    constants = [TableColumn(name, [format_constant(trial, name) for trial in trials]) for name in space.dimensions]
    usage = [*_list_hand_columns(trials), *_list_usage_columns(trials)]
    if not screen.is_terminal:
        _print_columns(screen, [*fields, *constants, *usage])
        return
    without_best = [column for column in fields if column is not best_in]
    without_both = [column for column in without_best if column is not epochs]
    shown, held = _choose_columns((fields, without_best, without_both), constants, screen.width)
    room = screen.width - measure_table(shown) - GAP
    if constants and not held and room >= LEAST:
        shown.append(TableColumn("version", [cut_end(_last_cell(trial), room) for trial in trials]))
    shown = [*shown, *held]
    if usage and measure_table([*shown, *usage]) <= screen.width:
        shown += usage
    _print_columns(screen, shown)
    left_out = [column.name for column in (*constants, best_in, epochs, *usage) if column not in shown]
    if left_out:
        screen.print_line()
        screen.print_line(describe_left_out(left_out, csv_option, screen.width), style="dim")


def _list_usage_columns(trials: Sequence[TrialResult]) -> list[TableColumn]:
    """Return what trials used of their GPUs; nothing of trials on the CPU."""
    if not uses_gpus(trials):
        return []
    cells = [describe_gpu_usage(trial) for trial in trials]
    return [TableColumn(name, [each[place] for each in cells]) for place, name in enumerate(GPU_COLUMNS)]


def _list_hand_columns(trials: Sequence[TrialResult]) -> list[TableColumn]:
    """Return who proposed or stopped trials; nothing where nobody did."""
    cells = [one_line(describe_hand(trial)) for trial in trials]
    return [TableColumn("by hand", [cell or INACTIVE for cell in cells])] if any(cells) else []


def _choose_columns(
    heads: Sequence[list[TableColumn]], constants: Sequence[TableColumn], width: int
) -> tuple[list[TableColumn], list[TableColumn]]:
    """Return the first head beside which most constants fit, and those constants: they tell trials apart."""
    choices = [(head, _fit_columns(head, constants, width)) for head in heads]
    if constants and not any(held for _, held in choices):
        return choices[-1]
    if not constants:
        return next((choice for choice in choices if measure_table(choice[0]) <= width), choices[-1])
    return max(choices, key=lambda choice: len(choice[1]))


def _fit_columns(head: Sequence[TableColumn], constants: Sequence[TableColumn], width: int) -> list[TableColumn]:
    held: list[TableColumn] = []
    for column in constants:
        if measure_table([*head, *held, column]) <= width:
            held.append(column)
    return held


def _print_columns(screen: Screen, columns: Sequence[TableColumn]) -> None:
    rows = list(zip(*(column.cells for column in columns), strict=True))
    screen.print_table([column.name for column in columns], rows)


def _mark_number(trial: TrialResult, best: TrialResult | None) -> str:
    mark = "*" if best is not None and trial.number == best.number else " "
    return f"{trial.number:03d} {mark}"


def format_score(trial: TrialResult | None) -> str:
    """Return what a trial is worth; ``-`` where that is nothing, or there is none."""
    return INACTIVE if trial is None or trial.final_score is None else f"{trial.final_score:.5g}"


def format_constant(trial: TrialResult | None, name: str) -> str:
    """Return a constant's value in a trial; ``-`` where it has none, or there is no trial."""
    return INACTIVE if trial is None or name not in trial.values else format_value(trial.values[name])


def _format_score(trial: TrialResult, place: int) -> str:
    return f"{trial.scores[place]:.5g}" if place < len(trial.scores) else INACTIVE


def _last_cell(trial: TrialResult) -> str:
    if trial.state == "failed":
        return one_line(trial.reason or "")
    return trial.version if trial.repeat_of is None else f"repeat of {trial.version}"


def _score_sort_key(scores: Sequence[float], place: int, mode: Mode) -> tuple[bool, float]:
    value = scores[place] if place < len(scores) else math.nan
    return not math.isfinite(value), 0.0 if not math.isfinite(value) else -value if mode == "max" else value


def _value_sort_key(value: Value) -> tuple[int, float, str]:
    """Numbers before all else, nothing last."""
    if is_number(value):
        return 0, float(value), ""
    return (2, 0.0, "") if value is None else (1, 0.0, str(value))


def show_profile(screen: Screen, outcomes: Sequence[TrialResult], paths: ExperimentPaths) -> None:
    """Show the table; nothing where no trial came to its end."""
    found = read_profile(outcomes, paths)
    if found is not None:
        screen.print_table(time_columns(found), time_rows(found))
        screen.print_line()

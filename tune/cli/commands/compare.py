"""``promotune compare A B...``: experiments of the same metric side by side."""

import argparse
from collections.abc import Sequence

from tune.cli.parser import storage_of
from tune.cli.terminal.screen import Screen
from tune.cli.terminal.summary import warn_of_doubts
from tune.cli.terminal.trials_table import format_constant, format_score
from tune.experiment.open import open_experiment
from tune.paths import display_path
from tune.results.report.comparison import SearchHistory, compare_experiments
from tune.storage_url import absolute_path

HEIGHT, WIDTH = 12, 60  # of the chart, in characters
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SEVERAL = "*"  # more than one experiment


def run(given: argparse.Namespace) -> int:
    """Print what each came to, its best values, and how fast it was."""
    storage = storage_of(given.storage)
    experiments = [open_experiment(name, storage) for name in dict.fromkeys(given.experiments)]
    warn_of_doubts(experiments)
    histories = compare_experiments(experiments)
    space = experiments[0].space
    screen = Screen()
    screen.print_line(f"{space.metric} ({space.mode})", style="bold")
    screen.print_table(
        ("", "experiment", "trials", "epochs", "hardcoded", "best", "in trial"),
        [_build_row(letter, each) for letter, each in zip(_assign_letters(histories), histories, strict=True)],
    )
    screen.print_line()
    constants = dict.fromkeys(name for each in experiments for name in each.space.dimensions)
    rows = [(name, *(format_constant(each.best, name) for each in histories)) for name in constants]
    screen.print_table(("best values", *(each.name for each in histories)), rows)
    screen.print_line()
    screen.print_lines(draw_chart(histories))
    if given.output is not None:
        path = absolute_path(given.output, "--output")
        from tune.results.report.comparison import write_comparison

        write_comparison(experiments, path)
        screen.print_line()
        screen.print_line(f"report: {display_path(path)} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def _assign_letters(histories: Sequence[SearchHistory]) -> list[str]:
    return [LETTERS[index % len(LETTERS)] for index in range(len(histories))]


def _build_row(letter: str, each: SearchHistory) -> tuple[str, ...]:
    baseline, best = (format_score(trial) for trial in (each.baseline, each.best))
    of = "-" if each.best is None else f"{each.best.number:03d}"
    return letter, each.name, str(each.n_trials), str(each.n_epochs), baseline, best, of


def draw_chart(histories: Sequence[SearchHistory]) -> list[str]:
    """Return lines that draw the best score so far over the trials: a letter for each experiment."""
    scores = [score for each in histories for score in each.so_far if score is not None]
    longest = max((len(each.so_far) for each in histories), default=0)
    if not scores:
        return []
    low, high = min(scores), max(scores)
    width = min(WIDTH, longest)
    cells = [[" "] * width for _ in range(HEIGHT)]
    for letter, each in zip(_assign_letters(histories), histories, strict=True):
        for column in range(width):
            # A history's value in a column of the chart; None behind its last trial
            index = round(column * (longest - 1) / max(width - 1, 1))
            score = each.so_far[index] if index < len(each.so_far) else None
            if score is not None:
                row = round((high - score) / (high - low) * (HEIGHT - 1)) if high > low else 0
                cells[row][column] = letter if cells[row][column] == " " else SEVERAL
    labels = {0: f"{high:.5g}", HEIGHT - 1: f"{low:.5g}"} if high > low else {0: f"{high:.5g}"}
    margin = max(map(len, labels.values()))
    lines = [f"{labels.get(row, ''):>{margin}} |{''.join(line)}".rstrip() for row, line in enumerate(cells)]
    foot = f"{' ' * margin} +{'-' * width}"
    return ["the best score so far, by trials", *lines, foot, f"{' ' * margin}  1{longest:>{max(width - 1, 2)}}"]

"""What is told of data that the search never saw."""

from collections.abc import Mapping

from tune.cli.terminal.summary import Screen
from tune.results.held_out import WORDS, HeldOutJudgement

STYLES = {"gain": "green", "loss": "red"}
"""A verdict's style; yellow where it is neither."""


def list_columns(judgement: HeldOutJudgement) -> list[str]:
    """Return the heads of the columns that the table of means has for these data."""
    return [f"{metric}, mean" if source == "test" else f"{WORDS[source]}, mean" for source, metric in judgement.metrics]


def list_means(judgement: HeldOutJudgement, number: int | None) -> list[str]:
    """Return a trial's means in these columns; ``number`` None: those of the hardcoded values."""
    found = {}
    for trial, verdicts in judgement.verdicts.items():
        for each in verdicts:
            sample = each.verdict.baseline if number is None else each.verdict.candidate
            if number in (None, trial) and sample is not None:
                found[each.source, each.metric] = f"{sample.mean:.5g}"
    return [found.get(column, "-") for column in judgement.metrics]


def show_held_out(screen: Screen, judgement: HeldOutJudgement, metric: str, names: Mapping[int, str]) -> None:
    """Show the verdicts on these data; ``metric``: the searched one; ``names``: of the trials, by their numbers."""
    for number, verdicts in judgement.verdicts.items():
        who = f"{names[number]}: " if len(judgement.verdicts) > 1 else ""
        for each in verdicts:
            screen.print_result(f"{who}{each.sentence}", style=STYLES.get(each.verdict.finding, "yellow"))
    if judgement.unmatched:
        names_there = ", ".join(judgement.unmatched)
        screen.print_result(f"on test data: no verdict: no counterpart of {metric} among {names_there}", style="yellow")
    for warning, n_runs in judgement.warnings.items():
        screen.print_result(f"{warning} ({n_runs} {'run' if n_runs == 1 else 'runs'})", style="yellow")

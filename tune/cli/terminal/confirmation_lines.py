"""What is told of a confirmation: the verdict first, then what it rests on."""

import statistics

from tune.cli.terminal.summary import Screen, format_trial_count, format_value
from tune.cli.terminal.table_width import cut_end
from tune.experiment.open import StoredExperiment
from tune.experiment.trial_result import TrialResult
from tune.experiment.verdicts import VerdictRecord
from tune.results.confirm.confirmation import Confirmation, describe_confirmation
from tune.results.confirm.error_rate import ERROR_RATE
from tune.results.verdict import SampleStatistics

FOUND = {"gain": "bold green", "loss": "red"}
"""A verdict's style; yellow where it is neither."""


def show_confirmation(screen: Screen, experiment: StoredExperiment, confirmation: Confirmation) -> None:
    """Show the verdict, the race, and what is handed over."""
    record, verdict = confirmation.record, confirmation.verdict
    style = FOUND.get(verdict.finding, "yellow") if verdict is not None else "yellow"
    for number, line in enumerate(describe_confirmation(experiment, confirmation)):
        screen.print_prose(line, style if number == 0 else None, is_result=True)
    show_verdict_number(screen, record)
    screen.print_line()
    names = {each.number: each for each in experiment.trials}
    rows = [
        (shorten_version(screen, names[trial].version), *_race_row(names[trial], confirmation))
        for trial in record.trials
    ]
    if record.race_seeds and len(record.trials) > 1:
        screen.print_table((f"the race for the best: {experiment.space.metric}", "mean", "fresh seeds", ""), rows)
        screen.print_line()
    if verdict is not None and confirmation.winner is not None:
        screen.print_table(
            (f"{experiment.space.metric}, {len(verdict.seeds)} further seeds", "mean", "standard deviation"),
            [
                ("the hardcoded values", *format_statistics(verdict.baseline)),
                (shorten_version(screen, names[confirmation.winner].version), *format_statistics(verdict.candidate)),
            ],
        )
        screen.print_line()


NUMBERS = 45  # cells of a table of verdicts beside its versions


def shorten_version(screen: Screen, version: str) -> str:
    """Return a version for a table of verdicts; on a terminal as much of it as leaves room for the numbers."""
    return cut_end(version, screen.width - NUMBERS) if screen.is_terminal else version


def show_verdict_number(screen: Screen, record: VerdictRecord) -> None:
    """Show of a later verdict on a program that it has to be surer than the first."""
    if record.number > 1:
        screen.print_line(
            f"verdict {record.number} on this program and metric in this storage: it may err in "
            f"{100 * record.error_rate:.2g}% of cases, so that all of them together do in at most {ERROR_RATE:.0%}"
        )


def _race_row(trial: TrialResult, confirmation: Confirmation) -> tuple[str, str, str]:
    runs = confirmation.runs[trial.number]
    scores = [score for seed, score in _list_scores(confirmation, trial.number) if seed in runs]
    mean = "-" if not scores else f"{statistics.fmean(scores):.5g}"
    failed = any(runs[seed].failure is not None for seed in confirmation.record.race_seeds if seed in runs)
    dropped = confirmation.race.dropped.get(trial.number)
    end = "failed" if failed else f"dropped after {dropped} seeds" if dropped is not None else ""
    return mean, str(len(scores)), "won" if confirmation.winner == trial.number else end


def _list_scores(confirmation: Confirmation, trial: int) -> list[tuple[int, float]]:
    found = ((seed, confirmation.scores[trial].get(seed)) for seed in confirmation.record.race_seeds)
    return [(seed, score) for seed, score in found if score is not None]


def format_statistics(spread: SampleStatistics | None) -> tuple[str, str]:
    """Return a mean and a standard deviation for a table."""
    if spread is None:
        return "-", "-"
    return f"{spread.mean:.5g}", "-" if spread.deviation is None else f"{spread.deviation:.3g}"


def show_plan(screen: Screen, experiment: StoredExperiment, confirmation: Confirmation, n_reused: int) -> None:
    """Show what will be run."""
    record = confirmation.record
    names = {each.number: each.version for each in experiment.trials}
    n_top = len(record.trials)
    seeds = f"{len(record.seeds)} fresh seeds beside the hardcoded values: {_join(record.seeds)}"
    if n_top == 1:
        screen.print_line(f"confirming {names[record.trials[0]]} with {seeds}", style="bold")
    else:
        screen.print_line(f"confirming: the best {format_trial_count(n_top)} race", style="bold")
        screen.print_line(f"over the fresh seeds {_join(record.race_seeds)}; then the winner runs with {seeds}")
    if n_reused:
        screen.print_line(f"{n_reused} runs are there already", "dim")


def _join(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(format_value, seeds))

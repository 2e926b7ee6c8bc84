"""What is told of a confirmation: the verdict first, then what it rests on."""

import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from tune.cli.terminal.console import cut_end
from tune.cli.terminal.screen import Screen, format_trial_count, format_value
from tune.experiment.open import StoredExperiment
from tune.experiment.trial_result import TrialResult, describe_changes
from tune.experiment.verdicts import VerdictRecord
from tune.promotion.program import Program
from tune.results.confirm.confirmation import Confirmation, describe_confirmation
from tune.results.confirm.error_rate import ERROR_RATE, count_needed_seeds
from tune.results.confirm.project import SearchNumber, count_confirming_runs, count_open_runs, find_search_number
from tune.results.verdict import SampleStatistics
from tune.space.space import Space

if TYPE_CHECKING:
    from tune.retrain.confirm import ConfirmationPlan

FOUND = {"gain": "bold green", "loss": "red"}
"""A verdict's style; yellow where it is neither."""


def show_confirmation(screen: Screen, experiment: StoredExperiment, confirmation: Confirmation) -> None:
    """Show the verdict, the race, and what is handed over."""
    record, verdict = confirmation.record, confirmation.verdict
    style = FOUND.get(verdict.finding, "yellow") if verdict is not None else "yellow"
    for number, line in enumerate(describe_confirmation(experiment, confirmation)):
        screen.print_prose(line, style if number == 0 else None, is_result=True)
    show_verdict_number(screen, record, find_search_number(experiment))
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


def show_verdict_number(screen: Screen, record: VerdictRecord, search: SearchNumber) -> None:
    """Show which search of its program this is, and of a later verdict that it has to be surer than the first."""
    if search.number > 1:
        screen.print_line(f"{search}")
    if record.number > 1:
        screen.print_line(
            f"verdict {record.number} on it: its interval may miss a normal mean in {100 * record.error_rate:.2g}% of "
            f"cases, so that all verdicts together err in at most {ERROR_RATE:.0%}"
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


def show_confirming_runs(screen: Screen, storage: Path, program: Program, space: Space) -> int:
    """Show before a search how many trainings its confirmation adds, and return it; 0: it has none."""
    n_runs = count_confirming_runs(storage, program, space)
    if n_runs:
        n_more = count_open_runs(storage, program, space)
        where = "" if space.settings.time_budget_s is None else ", within the time budget"
        where = f", and {n_more} where these leave it open" if n_more else where
        screen.print_line(f"after the trials the confirmation trains at most {n_runs} times more{where}")
        screen.print_line()
    return n_runs


def show_plan(screen: Screen, experiment: StoredExperiment, plan: "ConfirmationPlan") -> None:
    """Show what will be run, if no trial is dropped."""
    record = plan.confirmation.record
    names = {each.number: each.version for each in experiment.trials}
    changed = describe_changes([each for each in experiment.trials if each.number in record.trials])
    n_top = len(record.trials)
    seeds = f"{len(record.seeds)} fresh seeds beside the hardcoded values: {_join(record.seeds)}"
    if experiment.space.others and not record.race_seeds:
        screen.print_line(f"confirming {format_trial_count(n_top)} of the Pareto front with {seeds}", style="bold")
    elif n_top == 1:
        screen.print_line(f"confirming {names[record.trials[0]]} with {seeds}", style="bold")
    else:
        screen.print_line(f"confirming: the best {format_trial_count(n_top)} race", style="bold")
        screen.print_line(f"over the fresh seeds {_join(record.race_seeds)}; then the winner runs with {seeds}")
    if changed is not None:
        screen.print_prose(changed, "yellow")
    if len(record.seeds) < (wanted := count_needed_seeds(record.error_rate)):
        room = f"the time budget has room for {len(record.seeds)} seeds of the verdict"
        screen.print_prose(f"{room}: {wanted} would find an effect of three standard deviations", "yellow")
    if plan.retraining.runs:
        more = (
            f", and {plan.n_more_runs} where these leave it open"
            if plan.n_more_runs and not plan.is_second_look
            else ""
        )
        screen.print_line(f"at most {plan.most_runs} trainings{more}", "dim")
    if plan.n_reused:
        screen.print_line(f"{plan.n_reused} runs are there already", "dim")


def _join(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(format_value, seeds))

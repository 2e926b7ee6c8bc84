"""``promotune results EXPERIMENT...``: what came of searches, running ones too, as tables or for machines."""

import argparse
import csv
import io
from collections import Counter
from collections.abc import Sequence

from tune.cli.parser import storage_of
from tune.cli.terminal.console import STYLES
from tune.cli.terminal.screen import Screen, format_trial_count
from tune.cli.terminal.summary import INACTIVE, baseline_failure, show_failures, show_front, show_hints, warn_of_doubts
from tune.cli.terminal.trials_table import format_constant, format_score, show_trials, sorted_trials
from tune.experiment.lock import is_running
from tune.experiment.open import StoredExperiment, open_experiment
from tune.experiment.preflight_failure import MEND, describe_preflight_failure, find_preflight_failure
from tune.experiment.trial_result import TrialResult
from tune.paths import display_path
from tune.results.confirm.confirmation import describe_confirmation, read_confirmation
from tune.results.confirm.seed_noise import describe_gain_in_noise
from tune.results.failure_groups import group_failures
from tune.results.hints.find_hints import find_hints_of


def run(given: argparse.Namespace) -> int:
    """Read the experiments as their files are now, and show them."""
    experiments = [open_experiment(name, storage_of(given.storage)) for name in given.experiment]
    trials = [sorted_trials(each.trials, each.space, given.sort) for each in experiments]
    warn_of_doubts(experiments)
    screen = Screen()
    if given.json:
        from tune.results.results_as_json import as_object

        screen.print_json({"experiments": [as_object(*each) for each in zip(experiments, trials, strict=True)]})
    elif given.csv:
        from tune.results.results_as_json import as_rows

        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(as_rows(zip(experiments, trials, strict=True)))
        screen.print_bytes(text.getvalue().encode(errors="backslashreplace"))
    elif len(experiments) == 1:
        _show_experiment(screen, experiments[0], trials[0])
    else:
        _show_side_by_side(screen, experiments)
    return 0


def _show_experiment(screen: Screen, experiment: StoredExperiment, trials: Sequence[TrialResult]) -> None:
    space, best, baseline = experiment.space, experiment.best, experiment.baseline
    screen.print_line(f"{experiment.paths.name}: {space.goal}", style="bold")
    if (failure := baseline_failure(experiment.trials)) is not None:
        screen.print_line(failure, style="red")
    if not is_running(experiment.paths):
        _show_preflight_failure(screen, experiment)
    screen.print_line(_describe_counts(experiment))
    screen.print_line()
    show_trials(screen, trials, space, "--csv")
    screen.print_line()
    if best is not None:
        screen.print_prose(f"best: {_describe_best(experiment)} {best.score_origin} of {best.version}", style="bold")
        if baseline is not None and baseline.final_score is not None:
            screen.print_line(f"the hardcoded values: {baseline.final_score:.5g}; {_describe_gain(experiment)}")
        if (confirmation := read_confirmation(experiment)) is not None:
            for line in describe_confirmation(experiment, confirmation):
                screen.print_line(line)
        show_front(screen, experiment.trials, space)
        screen.print_line()
    show_failures(screen, group_failures(experiment.trials, space, experiment.paths))
    show_hints(screen, find_hints_of(experiment))
    screen.print_line(f"everything is in {display_path(experiment.paths.folder)}")


def _show_preflight_failure(screen: Screen, experiment: StoredExperiment) -> None:
    """Show why nothing trained, and what to do."""
    failure = find_preflight_failure(experiment.paths, experiment.trials)
    if failure is not None:
        screen.print_line(describe_preflight_failure(failure), style="red")
        screen.print_line(MEND)


def _show_side_by_side(screen: Screen, experiments: Sequence[StoredExperiment]) -> None:
    """Show a column for each experiment; a constant that one does not search is `-` there."""
    constants = dict.fromkeys(name for each in experiments for name in each.space.dimensions)
    rows = [
        ("searched for", *(each.space.goal for each in experiments)),
        ("trials", *(_describe_counts(each) for each in experiments)),
        ("hardcoded values", *(format_score(each.baseline) for each in experiments)),
        ("best", *(format_score(each.best) for each in experiments)),
        ("gain", *(_describe_gain(each) for each in experiments)),
        ("in trial", *("" if each.best is None else f"{each.best.number:03d}" for each in experiments)),
        *((name, *(format_constant(each.best, name) for each in experiments)) for name in constants),
    ]
    screen.print_table(("", *(each.paths.name for each in experiments)), rows)


def _describe_counts(experiment: StoredExperiment) -> str:
    counts = Counter(trial.state for trial in experiment.trials)
    states = ", ".join(f"{counts[state]} {state}" for state in STYLES if counts[state])
    wanted = format_trial_count(experiment.n_wanted)
    return f"{len(experiment.trials)} of {wanted}" + (f": {states}" if states else "")


def _describe_best(experiment: StoredExperiment) -> str:
    return f"{experiment.space.metric} = {format_score(experiment.best)}"


def _describe_gain(experiment: StoredExperiment) -> str:
    best, baseline = experiment.best, experiment.baseline
    if best is None or best.score is None or baseline is None or baseline.final_score is None:
        return INACTIVE
    if best is baseline:
        return "no trial was better"
    gain = abs(best.score - baseline.final_score)
    return f"better by {gain:.5g}{describe_gain_in_noise(experiment, gain)}"

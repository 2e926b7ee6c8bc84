"""``run_search.py results EXPERIMENT...``: what came of searches, running ones too, as tables or for machines."""

import argparse
import csv
import io
from collections import Counter
from collections.abc import Sequence

from tune.cli.parser import Parser, add_storage, described, storage_of
from tune.cli.terminal.console import STYLES
from tune.cli.terminal.summary import (
    INACTIVE,
    Screen,
    baseline_failure,
    show_failures,
    show_front,
    show_hints,
    shown,
    warn_of_doubts,
)
from tune.cli.terminal.trials_table import SCORE, show_trials, sorted_trials
from tune.experiment.open import StoredExperiment, open_experiment
from tune.experiment.trial_result import TrialResult
from tune.paths import display_path
from tune.results.failures import failures_of
from tune.results.hints import hints_of


def parser() -> Parser:
    """Return what it takes on the command line."""
    parser = Parser(prog="run_search.py results", description=described("results"))
    parser.add_argument("experiment", nargs="+", help="its name, or its folder; several are shown side by side")
    parser.add_argument("--sort", metavar="COLUMN", default=SCORE, help="score (the best first), number, state, ...")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="everything, for machines")
    shape.add_argument("--csv", action="store_true", help="a row for each trial, for machines")
    add_storage(parser)
    return parser


def run(given: argparse.Namespace) -> int:
    """Read the experiments as their files are now, and show them."""
    experiments = [open_experiment(name, storage_of(given.storage)) for name in given.experiment]
    trials = [sorted_trials(each.trials, each.space, given.sort) for each in experiments]
    warn_of_doubts(experiments)
    screen = Screen()
    if given.json:
        _write_json(screen, experiments, trials)
    elif given.csv:
        _write_csv(screen, experiments, trials)
    elif len(experiments) == 1:
        _show(screen, experiments[0], trials[0])
    else:
        _show_side_by_side(screen, experiments)
    return 0


def _write_json(
    screen: Screen, experiments: Sequence[StoredExperiment], trials: Sequence[Sequence[TrialResult]]
) -> None:
    from tune.results.export import as_object

    screen.json({"experiments": [as_object(*each) for each in zip(experiments, trials, strict=True)]})


def _write_csv(
    screen: Screen, experiments: Sequence[StoredExperiment], trials: Sequence[Sequence[TrialResult]]
) -> None:
    from tune.results.export import as_rows

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(as_rows(zip(experiments, trials, strict=True)))
    screen.raw(text.getvalue().encode(errors="backslashreplace"))


def _show(screen: Screen, experiment: StoredExperiment, trials: Sequence[TrialResult]) -> None:
    space, best, baseline = experiment.space, experiment.best, experiment.baseline
    screen.line(f"{experiment.paths.name}: {space.goal}", style="bold")
    if (failure := baseline_failure(experiment.trials)) is not None:
        screen.line(failure, style="red")
    screen.line(_counted(experiment))
    screen.line()
    show_trials(screen, trials, space)
    screen.line()
    if best is not None:
        screen.line(f"best: {_best(experiment)} {best.scored_where} of {best.version}", style="bold")
        if baseline is not None and baseline.final_score is not None:
            screen.line(f"the hardcoded values: {baseline.final_score:.5g}; {_gain(experiment)}")
        show_front(screen, experiment.trials, space)
        screen.line()
    show_failures(screen, failures_of(experiment.trials, space, experiment.paths))
    show_hints(screen, hints_of(experiment.trials, space, experiment.paths.cli_argument))
    screen.line(f"everything is in {display_path(experiment.paths.folder)}")


def _show_side_by_side(screen: Screen, experiments: Sequence[StoredExperiment]) -> None:
    """Show a column for each experiment; a constant that one does not search is `-` there."""
    constants = dict.fromkeys(name for each in experiments for name in each.space.dimensions)
    rows = [
        ("searched for", *(each.space.goal for each in experiments)),
        ("trials", *(_counted(each) for each in experiments)),
        ("hardcoded values", *(_score(each.baseline) for each in experiments)),
        ("best", *(_score(each.best) for each in experiments)),
        ("gain", *(_gain(each) for each in experiments)),
        ("in version", *("" if each.best is None else each.best.version for each in experiments)),
        *((name, *(_constant(each, name) for each in experiments)) for name in constants),
    ]
    screen.table(("", *(each.paths.name for each in experiments)), rows)


def _counted(experiment: StoredExperiment) -> str:
    counts = Counter(trial.state for trial in experiment.trials)
    states = ", ".join(f"{counts[state]} {state}" for state in STYLES if counts[state])
    return f"{len(experiment.trials)} of {experiment.space.settings.trials} trials" + (f": {states}" if states else "")


def _best(experiment: StoredExperiment) -> str:
    return f"{experiment.space.metric} = {_score(experiment.best)}"


def _score(trial: TrialResult | None) -> str:
    return INACTIVE if trial is None or trial.final_score is None else f"{trial.final_score:.5g}"


def _gain(experiment: StoredExperiment) -> str:
    best, baseline = experiment.best, experiment.baseline
    if best is None or best.score is None or baseline is None or baseline.final_score is None:
        return INACTIVE
    return "no trial was better" if best is baseline else f"better by {abs(best.score - baseline.final_score):.5g}"


def _constant(experiment: StoredExperiment, name: str) -> str:
    best = experiment.best
    return shown(best.values[name]) if best is not None and name in best.values else INACTIVE

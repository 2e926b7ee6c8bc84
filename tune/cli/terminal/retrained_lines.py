"""What is told of a retraining or a confirmation: a line for each run, and what data say that the search never saw."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tune.cli.terminal.console import STYLES
from tune.cli.terminal.screen import Screen, one_line
from tune.experiment.trial_result import Mode, TrialResult, find_score_epoch
from tune.results.held_out import WORDS, HeldOutJudgement
from tune.results.retrain_results import RetrainedVersion
from tune.search.controller_api import SearchListener, notify_listeners
from tune.search.retrain import RetrainRun


class RetrainedLines:
    """Shows each run that came to its end: at once, or in a live view and with its line after it."""

    def __init__(self, screen: Screen, mode: Mode, listeners: Sequence[SearchListener]) -> None:
        self._screen = screen
        self._mode = mode
        self._listeners = listeners
        self._kept: list[RetrainedVersion] = []  # a live view shows those that ended last; all have their line after it

    def on_run_end(self, run: RetrainRun, found: RetrainedVersion) -> None:
        """Show a run."""
        if not self._screen.shows_live_view:
            self._show_run(found)
            return
        notify_listeners(self._listeners, SearchListener.on_trial_end, _as_trial_result(run, found, self._mode))
        self._kept.append(found)

    def show_kept(self) -> None:
        """Show what a live view has kept back."""
        for found in self._kept:
            self._show_run(found)

    def _show_run(self, found: RetrainedVersion) -> None:
        say = self._screen.print_result if found.has_failed else self._screen.print_line
        say(_format_run(found, self._mode), STYLES["failed"] if found.has_failed else None)


def _as_trial_result(run: RetrainRun, found: RetrainedVersion, mode: Mode) -> TrialResult:
    """Return a run as a live view knows trials."""
    epoch = find_score_epoch(found.curve, mode, found.n_fits)
    failure = None if found.record is None else found.record.failure
    return replace(
        run.outcome,
        number=run.number,
        version=found.files.folder.name,
        state="failed" if found.has_failed else "complete",
        score=None if epoch is None else found.curve[epoch],
        best_epoch=epoch,
        curve=found.curve,
        n_fits=found.n_fits,
        measures={each: (value,) for each, value in found.curve.items()},
        reason=None if failure is None else failure.reason,
        repeat_of=None,
    )


def describe_origin(found: RetrainedVersion, epoch: int | None) -> str:
    """Return where a run's score comes from."""
    last = max(found.curve, default=0)
    return f"as the mean of {found.n_fits} fits" if found.n_fits else f"in epoch {epoch} of {last}"


def _format_run(found: RetrainedVersion, mode: Mode) -> str:
    what = f"retrain/{found.files.folder.name}"
    if found.record is not None and found.record.failure is not None:
        return f"failed      {what}: {one_line(found.record.failure.reason)}"
    epoch = find_score_epoch(found.curve, mode, found.n_fits)
    score = "" if epoch is None else f"{found.curve[epoch]:<10.5g} {describe_origin(found, epoch)}"
    return f"{score}  {what}"


VERDICT_STYLES = {"gain": "green", "loss": "red"}
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
            screen.print_result(f"{who}{each.sentence}", style=VERDICT_STYLES.get(each.verdict.finding, "yellow"))
    if judgement.unmatched:
        names_there = ", ".join(judgement.unmatched)
        screen.print_result(f"on test data: no verdict: no counterpart of {metric} among {names_there}", style="yellow")
    for warning, n_runs in judgement.warnings.items():
        screen.print_result(f"{warning} ({n_runs} {'run' if n_runs == 1 else 'runs'})", style="yellow")

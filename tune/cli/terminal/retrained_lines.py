"""A line for each run of a retraining or a confirmation."""

from collections.abc import Sequence
from dataclasses import replace

from tune.cli.terminal.console import STYLES
from tune.cli.terminal.summary import Screen, one_line
from tune.experiment.trial_result import Mode, TrialResult, find_score_epoch
from tune.results.retrain_results import RetrainedVersion
from tune.search.controller_api import SearchListener
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
        for listener in self._listeners:
            listener.on_trial_end(_as_trial_result(run, found, self._mode))
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
    return f"as the mean of {found.n_fits} fits" if found.n_fits else f"in epoch {epoch} of {len(found.curve)}"


def _format_run(found: RetrainedVersion, mode: Mode) -> str:
    what = f"retrain/{found.files.folder.name}"
    if found.record is not None and found.record.failure is not None:
        return f"failed      {what}: {one_line(found.record.failure.reason)}"
    epoch = find_score_epoch(found.curve, mode, found.n_fits)
    score = "" if epoch is None else f"{found.curve[epoch]:<10.5g} {describe_origin(found, epoch)}"
    return f"{score}  {what}"

"""What the user sees while trials run: a live view on a terminal, a line a trial elsewhere, nothing when quiet."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tune.cli.terminal.summary import Screen, TrialLines
from tune.cluster.resources import Resources
from tune.experiment.counted_fits import CountedFits
from tune.experiment.trial_result import BASELINE, TrialResult
from tune.promotion.program import Program
from tune.search.controller_api import TrialListener
from tune.search.device_faults import MOST_FAULTS
from tune.search.schedulers.epochs import count_reports
from tune.space.space import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchObserver:
    """The ears of a search."""

    on_start: Callable[[], None]
    """Hears that Ray runs."""
    on_share: Callable[[Resources, str], None]
    """Hears what a trial gets of a GPU, where that was measured, and what was."""
    on_preflight: Callable[[CountedFits, int | None], None]
    """Hears which fits the score comes from, and how many values a whole trial reports."""
    on_device_left_out: Callable[[str, str], None]
    """Hears of a GPU that gets no trial any more, ``host:device``, and of its last failure."""
    on_end: Callable[[TrialResult], None]
    """Hears of each trial that ended."""
    watch: TrialListener | None
    """Hears of all else; None where nobody would see it."""


@contextlib.contextmanager
def observe_search(
    screen: Screen,
    space: Space,
    program: Program,
    resources: Resources,
    *,
    title: str,
    n_trials: int,
    before: Sequence[TrialResult] = (),
    baseline: int | None = BASELINE,
    counted: CountedFits | None = None,
) -> Iterator[SearchObserver]:
    """Show what goes on within; whatever is printed meanwhile stands above it.

    ``baseline`` is the number of the trial with the hardcoded values; None: the others are not held against one.
    ``counted``: the fits that the score comes from, as an earlier driver found them.
    """

    def share(resources: Resources, why: str) -> None:
        screen.print_line(
            f"gpus_per_trial: auto is {resources.gpus_per_trial:g}, {resources.concurrency} at a time: {why}"
        )

    def count(counted: CountedFits, n_whole: int | None) -> None:
        if (words := counted.describe_score(space.metric)) is not None:
            screen.print_line(words)

    def leave_out(device: str, why: str) -> None:
        host, _, gpu = device.rpartition(":")
        what = f"GPU {gpu} of {host} failed {MOST_FAULTS} trials in a row: it gets no more, and they run on others"
        screen.print_line(f"{what} ({why})")

    if not screen.can_redraw or screen.is_quiet:
        lines = TrialLines(screen, space.mode, n_trials, before)
        yield SearchObserver(
            on_start=lambda: None,
            on_share=share,
            on_preflight=count,
            on_device_left_out=leave_out,
            on_end=lines.on_trial_end,
            watch=None,
        )
        return
    from tune.cli.terminal.live_view import LiveView
    from tune.search.progress import Progress

    progress = Progress(
        space.mode,
        n_trials,
        resources.concurrency,
        n_epochs=count_reports(space, program, counted),
        time_budget_s=space.settings.time_budget_s,
        before=before,
        baseline=baseline,
    )

    def set_concurrency(resources: Resources, why: str) -> None:
        progress.concurrency = resources.concurrency
        share(resources, why)

    def counted_and_shown(counted: CountedFits, n_whole: int | None) -> None:
        progress.set_counted_fits(counted, n_whole)
        count(counted, n_whole)

    with LiveView(screen, progress, title=title, metric=space.metric) as view:
        yield SearchObserver(
            on_start=view.on_ray_start,
            on_share=set_concurrency,
            on_preflight=counted_and_shown,
            on_device_left_out=leave_out,
            on_end=view.on_trial_end,
            watch=view,
        )

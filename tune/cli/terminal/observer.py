"""What the user sees while trials run: a live view on a terminal, a line a trial elsewhere, nothing when quiet."""

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tune.cli.terminal.screen import Screen, one_line
from tune.cli.terminal.summary import TrialLines, show_dashboard
from tune.cluster.resources import Resources
from tune.experiment.counted_fits import CountedFits
from tune.experiment.records import TrialRecord, read_record
from tune.experiment.trial_result import BASELINE, TrialResult
from tune.paths import ExperimentPaths
from tune.promotion.checks.program_checks import DataLoaderWorkers, core_shortage_warnings, most_workers
from tune.promotion.program import Program
from tune.results.hints.effect_hints import AlikeFinder
from tune.search.controller_api import SearchListener
from tune.search.devices.device_faults import MOST_FAULTS
from tune.search.schedulers.trial_length import count_reports
from tune.search.study.version_folders import version_name
from tune.space.space import Space

NO_WORKERS = DataLoaderWorkers(number=0, where="")


class SearchLines(SearchListener):
    """Prints what is found out while a search runs."""

    def __init__(
        self,
        screen: Screen,
        metric: str,
        paths: ExperimentPaths | None,
        workers: DataLoaderWorkers = NO_WORKERS,
        n_cores: float = math.inf,
    ) -> None:
        """``paths``: of the search whose trials' records are looked at; None: of none.

        ``workers``: of DataLoaders, as the source tells; ``n_cores``: of a trial.
        """
        self._workers = workers
        self._n_cores = n_cores
        self._screen = screen
        self._metric = metric
        self._paths = paths
        self._alike = None if paths is None else AlikeFinder(paths)
        self.told_devices: set[str] = set()
        """The GPUs that were told to have failed: ``host:device``. The hints at the end do not name them again."""

    def on_dashboard(self, address: str) -> None:
        """Show where Ray's dashboard is, in between the lines of the trials."""
        show_dashboard(self._screen, address)

    def on_share(self, resources: Resources, why: str) -> None:
        """Print what a trial gets of a GPU."""
        share = f"gpus_per_trial: {resources.gpus_per_trial:g} as measured, {resources.concurrency} at a time"
        self._screen.print_line(f"{share}: {why}")

    def on_preflight(self, counted: CountedFits, n_whole: int | None) -> None:
        """Print which fits the score comes from, where a program has several, and warnings of what was seen."""
        if (words := counted.describe_score(self._metric)) is not None:
            self._screen.print_line(words)
        if (doubt := counted.describe_doubt(self._metric)) is not None:
            self._screen.print_prose(f"warning: {doubt}", style="yellow")
        baseline = None if self._paths is None else read_record(self._paths.version(version_name(BASELINE, {})))
        for warning in () if baseline is None else self._find_warnings(baseline):
            self._screen.print_prose(f"warning: {warning}", style="yellow")

    def _find_warnings(self, baseline: TrialRecord) -> Iterator[str]:
        """Yield what the pre-flight has seen that other trials suffer from."""
        written = ", ".join(name for name in baseline.wrote if not _is_our_output(Path(name)))
        if written:
            what = f"the program writes into the working directory, and all trials share it: {written}"
            yield f"{what}; `--own-folder` keeps them apart"
        workers = DataLoaderWorkers(number=baseline.n_workers, where=self._workers.where)
        if workers.number != self._workers.number:  # the source does not show where that is said
            workers = replace(workers, where="the program")
        yield from core_shortage_warnings(workers, self._n_cores)

    def on_device_left_out(self, device: str, why: str) -> None:
        """Print that a GPU gets no trial any more."""
        host, _, gpu = device.rpartition(":")
        self.told_devices.add(device)
        what = f"GPU {gpu} of {host} failed {MOST_FAULTS} trials in a row: it gets no more, and they run on others"
        self._screen.print_line(f"{what} ({one_line(why)})")

    def on_preflight_moved(self, device: str, why: str) -> None:
        """Print that the search begins again without a GPU."""
        host, _, gpu = device.rpartition(":")
        self.told_devices.add(device)
        what = f"GPU {gpu} of {host} failed in the pre-flight: the search begins again without it"
        self._screen.print_line(f"{what} ({one_line(why)})")

    def on_share_outgrown(self, number: int, share: float, larger: float) -> None:
        """Print that a trial runs again on a larger share of a GPU."""
        what = f"trial {number:03d} ran out of memory on {share:g} of a GPU: it runs again on {larger:g}"
        self._screen.print_line(what)

    def on_trial_end(self, outcome: TrialResult) -> None:
        """Print, once, that a trial trained as another one did, though its constants are others."""
        if self._alike is None or not self._alike.add_trial(outcome) or (found := self._alike.trained_alike) is None:
            return
        self._screen.print_prose(f"warning: {found.sentence}", style="yellow")
        self._alike = None


def _is_our_output(path: Path) -> bool:
    """Tell whether a file is the one that this process's own output goes into."""
    with contextlib.suppress(OSError):
        return any(os.path.samestat(path.stat(), os.fstat(number)) for number in (1, 2))
    return False


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
    steers: ExperimentPaths | None = None,
) -> Iterator[Sequence[SearchListener]]:
    """Show what goes on within; whatever is printed meanwhile stands above it. Give what is to be called.

    ``baseline`` is the number of the trial with the hardcoded values; None: the others are not held against one.
    ``counted``: the fits that the score comes from, as an earlier driver found them. ``steers``: the experiment that
    keys steer; None: none do.
    """
    workers = most_workers(program, shape=space.shape)
    found = SearchLines(screen, space.metric, steers, workers, resources.cpus_per_trial)
    if not screen.shows_live_view:
        yield found, TrialLines(screen, space.mode, n_trials, before)
        return
    from tune.cli.terminal.live_view import LiveView
    from tune.search.progress import Progress, expected_share

    progress = Progress(
        space.mode,
        n_trials,
        resources.concurrency,
        n_epochs=count_reports(space, program, counted),
        time_budget_s=space.settings.time_budget_s,
        before=before,
        baseline=baseline,
        expected_share=1.0 if baseline is None else expected_share(space),
    )
    with LiveView(screen, progress, title=title, metric=space.metric, steers=steers):
        yield progress, found

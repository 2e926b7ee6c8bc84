"""The pre-flight: a batch or two of training and validation, before any budget is spent."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tune.errors import MutationError
from tune.paths import VersionPaths
from tune.space.dimensions import Value
from tune.trial.fits import CountedFits, FitSummary, count_fits
from tune.trial.litter import files_below, new_files
from tune.trial.tailor import Measure, difference
from tune.trial.task import Job, Task

SCRATCH = ".preflight"
MOST_NAMED = 3  # of the files that a program writes into the working directory
N_BATCHES = 2
"""Of training, and of validation."""


def shorten(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Trainer's arguments for an epoch of a batch or two; nothing becomes more than the program asks for."""
    limits = {
        name: _at_most(arguments.get(name), N_BATCHES)
        for name in ("limit_train_batches", "limit_val_batches", "limit_test_batches", "limit_predict_batches")
    }
    overfits = bool(arguments.get("overfit_batches"))
    return {
        **arguments,
        **limits,
        **({"overfit_batches": _at_most(arguments["overfit_batches"], N_BATCHES)} if overfits else {}),
        "max_epochs": _at_most(arguments.get("max_epochs"), 1),
        "min_epochs": None,
        "max_steps": arguments["max_steps"] if arguments.get("max_steps") in (0, 1) else -1,
        "min_steps": None,
        "check_val_every_n_epoch": 1,
        "val_check_interval": None,
    }


def _at_most(given: Any, limit: int) -> Any:
    """Return a number of batches or epochs that is no more than the given one; a share of all is a float."""
    return (
        given
        if isinstance(given, int | float) and not isinstance(given, bool) and given in (0, *range(limit))
        else limit
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What one execution of the program did: plain data, for it was another process's."""

    fits: list[FitSummary]
    n_workers: int
    """The most that a DataLoader of it has."""
    measure: Measure
    """What it builds; nothing where that was not asked for."""
    packages: dict[str, str | None]
    """The modules of installed packages that it imported, with their files."""


class Rehearse(Protocol):
    """Executes the program once, to its end, in a process of its own."""

    def __call__(
        self, scratch: VersionPaths, values: Mapping[str, Value], *, shortens: bool, measures: bool
    ) -> Rehearsed:
        """Return what it did; with ``shortens`` an epoch of it, with ``measures`` it is built, and not trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the baseline did."""

    fits: list[FitSummary]
    logged: list[str]
    """The names of what it logs, sorted."""
    wrote: list[str]
    """Files that it wrote into the working directory, a few of them."""
    n_workers: int
    """The most that a DataLoader of it has."""
    packages: dict[str, str | None]
    """The modules of installed packages that it imported, with their files."""


class Preflight:
    """Looks at the program as it stands, and says what no trial of it would survive."""

    def __init__(self, job: Job, task: Task, version: Path, rehearse: Rehearse) -> None:
        self._job = job
        self._task = task
        self._version = version
        self._rehearse = rehearse

    def look(self, *, shortens: bool = True) -> Seen:
        """Train and validate; raise what the program raises. ``shortens``: no more than an epoch of it."""
        experiment = self._version.parent
        before = files_below(Path.cwd(), but=experiment)
        done = self._run(self._task.values, shortens=shortens)
        wrote = new_files(before, files_below(Path.cwd(), but=experiment))
        return Seen(
            fits=done.fits,
            logged=sorted({name for fit in done.fits for names in fit.logged.values() for name in names}),
            wrote=wrote[:MOST_NAMED],
            n_workers=done.n_workers,
            packages=done.packages,
        )

    def check(self, seen: Seen) -> CountedFits:
        """Return the fits that the score comes from; raise MetricError where a metric is never logged.

        Raises MutationError where a constant that is to change while trials train changes what they build.
        """
        counted, *_ = [
            count_fits(seen.fits, metric, self._job.fits) for metric in (self._job.metric, *self._job.others)
        ]
        self._check_mutants()
        return counted

    def _check_mutants(self) -> None:
        if not self._job.mutants:
            return
        as_it_is = self._measure(self._task.values)
        for name, values in self._job.mutants.items():
            for value in values:
                other = self._measure({**self._task.values, name: value})
                if (part := difference(as_it_is, other)) is not None:
                    what = f"pbt changes constants while a trial trains, and {name} = {value!r} changes {part}"
                    raise MutationError(name, what, "Take it out of the space, or take another scheduler.")

    def _measure(self, values: Mapping[str, Value]) -> Measure:
        """Return what the program builds with these values."""
        return self._run(values, measures=True).measure

    def _run(self, values: Mapping[str, Value], *, shortens: bool = True, measures: bool = False) -> Rehearsed:
        scratch = VersionPaths(self._version / SCRATCH)
        try:
            return self._rehearse(scratch, values, shortens=shortens, measures=measures)
        finally:
            shutil.rmtree(scratch.folder, ignore_errors=True)

"""A project: the searches of one program and metric in one storage, and the verdicts on them."""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tune.errors import PromotuneError
from tune.experiment.open import StoredExperiment
from tune.experiment.verdicts import read_project_verdicts, read_storage_verdicts
from tune.paths import ExperimentPaths
from tune.promotion.program import Program
from tune.promotion.snapshot import MANIFEST, open_snapshot
from tune.results.confirm.error_rate import count_needed_seeds, error_rate_of_verdict, unused_share
from tune.space.space import Space
from tune.space.space_file import read_space


def next_verdict_number(storage: Path, program: Program, metric: str) -> int:
    """Return the number of a project's next verdict: one more than the highest that an experiment of it holds."""
    found = read_project_verdicts(storage, str(program.path), metric).values()
    return 1 + max((each.number for each in itertools.chain.from_iterable(found)), default=0)


def count_confirming_runs(storage: Path, program: Program, space: Space) -> int:
    """Return how many trainings at most a search's confirmation adds; 0 where it has none."""
    if space.settings.confirm is None:
        return 0
    error_rate = error_rate_of_verdict(next_verdict_number(storage, program, space.metric))
    top = space.settings.confirm.top
    if space.others:
        return (1 + top) * count_needed_seeds(error_rate / (top * len(space.objectives)))
    return space.settings.confirm.count_runs(count_needed_seeds(error_rate))


def count_open_runs(storage: Path, program: Program, space: Space) -> int:
    """Return how many trainings follow where the first look of a search's verdict leaves it open; 0: none do.

    Where the time is limited that is not known before, and 0.
    """
    if space.settings.confirm is None or space.others or space.settings.time_budget_s is not None:
        return 0
    return 2 * count_needed_seeds(error_rate_of_verdict(next_verdict_number(storage, program, space.metric)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchProject:
    """The searches of one program and metric in one storage."""

    program: Path
    """Its file."""
    metric: str
    searches: tuple[str, ...]
    """The names of the experiments, in the order in which they began."""
    n_verdicts: int
    """How many were counted; those of experiments that were deleted too, unless they were the last ones."""

    @property
    def error_rate_left(self) -> float:
        """The share of the error rate that further verdicts have, from 1 down to 0."""
        return unused_share(self.n_verdicts)

    @property
    def n_next_seeds(self) -> int:
        """How many seeds the next verdict takes."""
        return count_needed_seeds(error_rate_of_verdict(self.n_verdicts + 1))

    def describe_search(self, name: str) -> dict[str, Any]:
        """Return for machines what an experiment of it shares with the others."""
        return {
            "search": 1 + self.searches.index(name),
            "n_searches": len(self.searches),
            "n_verdicts": self.n_verdicts,
            "error_rate_left": self.error_rate_left,
            "n_next_seeds": self.n_next_seeds,
        }


def list_projects(storage: Path) -> list[SearchProject]:
    """Return the projects of a storage, that of the first search first."""
    searches: dict[tuple[Path, str], list[str]] = {}
    for _, folder in sorted(_list_begun(storage)):
        if (asked := _read_question(ExperimentPaths(folder))) is not None:
            searches.setdefault(asked, []).append(folder.name)
    n_verdicts: dict[tuple[Path, str], int] = {}
    for record in itertools.chain.from_iterable(read_storage_verdicts(storage).values()):
        asked = (Path(record.program), record.metric)
        n_verdicts[asked] = max(record.number, n_verdicts.get(asked, 0))
    return [
        SearchProject(
            program=program, metric=metric, searches=tuple(names), n_verdicts=n_verdicts.get((program, metric), 0)
        )
        for (program, metric), names in searches.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchNumber:
    """Which search of its program one is."""

    number: int
    """Among those that are in the storage, in the order in which they began, from 1."""

    def __str__(self) -> str:
        """As people say it: ``search number 5 of this program and metric in this storage``."""
        return f"search number {self.number} of this program and metric in this storage"


def find_search_number(experiment: StoredExperiment) -> SearchNumber:
    """Return which search of its program an experiment is."""
    asked = (experiment.snapshot.program.path, experiment.space.metric)
    began = sorted(_list_begun(experiment.paths.folder.parent))
    earlier = itertools.takewhile(lambda each: each[1] != experiment.paths.folder, began)
    return SearchNumber(number=1 + sum(_read_question(ExperimentPaths(each)) == asked for _, each in earlier))


def _list_begun(storage: Path) -> Iterator[tuple[int, Path]]:
    """Yield when each experiment began, in nanoseconds since the epoch, with its folder."""
    for folder in storage.iterdir() if storage.is_dir() else ():
        with contextlib.suppress(OSError):  # it is none, was deleted meanwhile, or is another user's own
            yield (ExperimentPaths(folder).source / MANIFEST).stat().st_mtime_ns, folder


def _read_question(paths: ExperimentPaths) -> tuple[Path, str] | None:
    """Return which program and metric an experiment is about; None where it cannot be read, or has no trial."""
    try:
        if not paths.has_ledger:
            return None
        return open_snapshot(paths.source).program.path, read_space(paths.space, program_is_here=False).metric
    except (PromotuneError, OSError):
        return None

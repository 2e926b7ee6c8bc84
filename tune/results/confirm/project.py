"""A project: the searches of one program and metric in one storage, and the verdicts on them."""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tune.errors import PromotuneError
from tune.experiment.open import StoredExperiment
from tune.experiment.verdicts import read_project_verdicts
from tune.paths import ExperimentPaths
from tune.promotion.program import Program
from tune.promotion.snapshot import MANIFEST, open_snapshot
from tune.results.confirm.error_rate import count_needed_seeds, error_rate_of_verdict
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
    program, metric = experiment.snapshot.program.path, experiment.space.metric
    began = sorted(_list_begun(experiment.paths.folder.parent))
    earlier = itertools.takewhile(lambda each: each[1] != experiment.paths.folder, began)
    return SearchNumber(number=1 + sum(_is_of_project(ExperimentPaths(each), program, metric) for _, each in earlier))


def _list_begun(storage: Path) -> Iterator[tuple[int, Path]]:
    """Yield when each experiment began, in nanoseconds since the epoch, with its folder."""
    for folder in storage.iterdir():
        with contextlib.suppress(OSError):  # it is none, was deleted meanwhile, or is another user's own
            yield (ExperimentPaths(folder).source / MANIFEST).stat().st_mtime_ns, folder


def _is_of_project(paths: ExperimentPaths, program: Path, metric: str) -> bool:
    """Tell whether an experiment searches this; one that cannot be read does not."""
    try:
        is_same = open_snapshot(paths.source).program.path == program
        return is_same and read_space(paths.space, program_is_here=False).metric == metric
    except (PromotuneError, OSError):
        return False

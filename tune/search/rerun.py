"""What a retraining is made of: configurations that were recorded, each with a seed and a version of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tune.paths import ExperimentPaths, VersionPaths
from tune.promotion.snapshot import Snapshot
from tune.search.machines.resources import Resources
from tune.search.names import version_name
from tune.search.watch import Watch
from tune.space.settings import MAX_SEED
from tune.space.space import Space
from tune.trial.outcome import Outcome
from tune.trial.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training."""

    request: Request
    files: VersionPaths
    """The folder is there, with the request in it."""
    outcome: Outcome
    """The trial whose configuration it is."""
    attempt: int = 1
    """Above 1 it goes on from its last checkpoint."""

    @property
    def number(self) -> int:
        """That its version begins with."""
        return int(self.files.folder.name.partition(",")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """What to train again."""

    space: Space
    """As the experiment ran it, with what the command line changed."""
    snapshot: Snapshot
    """The source to run."""
    paths: ExperimentPaths
    folder: Path
    """The working directory."""
    resources: Resources
    runs: tuple[Run, ...]
    on_start: Callable[[], None] = field(default=lambda: None)
    """Hears that Ray runs."""
    on_end: Callable[[Run], Run | None] = field(default=lambda run: None)
    """Hears of each run that ended, and may answer with one more."""
    watch: Watch | None = None
    """Hears of all else; None: nobody looks on."""


def fresh_seeds(n: int, used: Sequence[int]) -> tuple[int, ...]:
    """Return seeds that the search has not seen: always the same, so that a retraining can be gone on with."""
    first = max(used, default=-1) + 1
    return tuple((first + index) % (MAX_SEED + 1) for index in range(n))


def retrain_name(number: int, request: Request, outcome: Outcome) -> str:
    """Return a version's name under ``retrain/``: ``003,seed=2,LR=0.0032`` where the seed is not the trial's own."""
    seed = {"seed": request.seed} if request.fresh else {}
    if outcome.is_baseline:
        return f"{version_name(number, {})},seed={request.seed}" if request.fresh else version_name(number, {})
    return version_name(number, {**seed, **outcome.values})

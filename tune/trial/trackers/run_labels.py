"""What a tracker is told of a trial: names, the group, the constants, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tune.paths import VersionPaths
from tune.space.dimensions import Value

PREFIX = "promotune"
"""Of the names of what we write beside the program's own."""
RETRAINED = "retrained"
"""The tag of a run that trains a recorded configuration again."""

RunState = Literal["running", "complete", "stopped", "failed"]
ENDS: tuple[RunState, ...] = ("complete", "stopped", "failed")
"""The states of runs that are over; each is a tag where a tracker has a place for tags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """What became of a run."""

    state: RunState
    """``stopped``: the scheduler ended the trial early, or the search was to end; it may go on later."""
    score: float | None
    """That of the trial; None: it has none."""

    @property
    def has_failed(self) -> bool:
        """Whether trackers are to show it as a failure."""
        return self.state == "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLabels:
    """The names of a trial's runs."""

    experiment: str
    version: str
    number: int
    constants: Mapping[str, Value]
    """The searched ones."""
    is_retrained: bool

    @property
    def name(self) -> str:
        """Of a run: the version's, as TensorBoard shows it."""
        return f"retrain/{self.version}" if self.is_retrained else self.version

    def name_run(self, index: int) -> str:
        """Return the name of a trial's run; ``index``: how many it had before in the same tracker."""
        return self.name if index == 0 else f"{self.name} ({index + 1})"

    @property
    def kind(self) -> str:
        """What the run is, for trackers that know types of jobs."""
        return "retrain" if self.is_retrained else "trial"

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags of a run, its state left out."""
        return (PREFIX, RETRAINED) if self.is_retrained else (PREFIX,)

    @property
    def fields(self) -> dict[str, Any]:
        """What is known of a run as it starts, by its name behind the prefix."""
        return {
            "experiment": self.experiment,
            "trial": self.number,
            "version": self.version,
            RETRAINED: self.is_retrained,
        }


def label_runs(files: VersionPaths, number: int, constants: Mapping[str, Value]) -> RunLabels:
    """Return the names of a version's runs."""
    return RunLabels(
        experiment=find_experiment(files).name,
        version=files.folder.name,
        number=number,
        constants=constants,
        is_retrained=files.retrain_request.is_file(),
    )


def find_experiment(files: VersionPaths) -> Path:
    """Return the folder of a version's experiment."""
    parent = files.folder.parent
    return parent.parent if files.retrain_request.is_file() else parent


def drop_states(tags: Any) -> tuple[str, ...]:
    """Return tags without those that say how an earlier attempt ended."""
    return tuple(each for each in tags or () if each not in ENDS)

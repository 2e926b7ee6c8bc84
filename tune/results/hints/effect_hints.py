"""Trials that trained alike though their constants differ: what is searched does not reach what is trained."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tune.experiment.records import read_record
from tune.experiment.trial_result import TrialResult
from tune.paths import ExperimentPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedAlike:
    """Trials with other constants ended with the same weights and had the same scores, to the last bit."""

    constants: tuple[str, ...]
    """In which they differ."""
    versions: tuple[str, str]
    """Two of them."""
    n_alike: int
    """Trials that another one with other constants is equal to."""
    n_known: int
    """Trials whose weights are known."""
    is_all: bool
    """Whether all of these are equal: no constant of the search had any effect."""

    @property
    def sentence(self) -> str:
        """What was seen, and what to look at."""
        names, (one, other) = ", ".join(self.constants), self.versions
        verb = "differ" if len(self.constants) > 1 else "differs"
        equal = f"ended with the same weights and scores, to the last bit, though {names} {verb}"
        if self.is_all:
            which = "both" if self.n_known == 2 else f"all {self.n_known}"
            return f"{which} trials {equal}: what the program trains with comes from elsewhere"
        return (
            f"{one} and {other} {equal}: {self.n_alike} of {self.n_known} trials are such, and it had no effect there"
        )


class AlikeFinder:
    """Is told of trials as they end, and finds those that are alike."""

    def __init__(self, paths: ExperimentPaths) -> None:
        self._paths = paths
        self._groups: dict[tuple[object, ...], list[TrialResult]] = {}

    def add_trial(self, trial: TrialResult) -> bool:
        """Take a trial; tell whether another one with other constants is equal to it."""
        if trial.state != "complete" or trial.repeat_of is not None:
            return False
        record = read_record(self._paths.version(trial.version))
        if record is None or not record.weights:
            return False
        group = self._groups.setdefault((record.weights, *sorted(trial.measures.items())), [])
        group.append(trial)
        return any(each.values != trial.values for each in group)

    @property
    def trained_alike(self) -> TrainedAlike | None:
        """The hint about those that were told of so far; None where none are alike."""
        groups = [group for group in self._groups.values() if _differing_constants(group)]
        if not groups:
            return None
        names = dict.fromkeys(name for group in groups for name in _differing_constants(group))
        first = groups[0][0]
        other = next(each for each in groups[0] if each.values != first.values)
        return TrainedAlike(
            constants=tuple(names),
            versions=(first.version, other.version),
            n_alike=sum(map(len, groups)),
            n_known=sum(map(len, self._groups.values())),
            is_all=len(self._groups) == 1,
        )


def _differing_constants(trials: Sequence[TrialResult]) -> list[str]:
    """Return the constants in which trials differ, in their order."""
    names = dict.fromkeys(name for trial in trials for name in trial.values)
    return [name for name in names if any(each.values.get(name) != trials[0].values.get(name) for each in trials)]


def find_trained_alike(trials: Iterable[TrialResult], paths: ExperimentPaths) -> TrainedAlike | None:
    """Return the hint where complete trials with other constants are equal; their records tell."""
    finder = AlikeFinder(paths)
    for trial in sorted(trials, key=lambda each: each.number):
        finder.add_trial(trial)
    return finder.trained_alike

"""Trials that were validated on other samples than the rest: their scores cannot be compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from tune.experiment.records import read_record
from tune.experiment.trial_result import TrialResult
from tune.paths import ExperimentPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherSamples:
    """The split of the validation set is not the same in all trials."""

    n_trials: int
    """That were validated on other samples than the first one."""
    n_known: int
    """Trials of which it is known what they were validated on."""
    first: str
    """The version of the first of them."""

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        return (
            f"{self.n_trials} of {self.n_known} trials were validated on other samples than {self.first}, so their "
            "scores cannot be compared with its: the split changes with the constants; a random one needs a generator "
            "of its own (`generator=torch.Generator().manual_seed(0)` of `random_split`)"
        )


def find_other_samples(trials: Sequence[TrialResult], paths: ExperimentPaths) -> OtherSamples | None:
    """Return the hint where the fits that two trials both had were validated on different samples.

    The records tell it. If that of the first trial knows of no split, no further one is read.
    """
    digests: dict[str, list[str]] = {}
    for trial in sorted(trials, key=lambda each: each.number):
        record = read_record(paths.version(trial.version)) if trial.repeat_of is None else None
        if record is not None and record.validated_on:
            digests[trial.version] = record.validated_on
        elif not digests and record is not None and record.curve:
            return None
    first, *others = digests.items() or [("", [])]
    n_other = sum(_differ(found, first[1]) for _, found in others)
    return OtherSamples(n_trials=n_other, n_known=len(digests), first=first[0]) if n_other else None


def _differ(one: Sequence[str], other: Sequence[str]) -> bool:
    return any(mine != theirs for mine, theirs in zip(one, other, strict=False) if mine and theirs)

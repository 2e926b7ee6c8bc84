"""Experiments of the same metric side by side: what each came to, and how fast."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from tune.errors import ExperimentError
from tune.results.experiment import Experiment
from tune.trial.outcome import Outcome
from tune.trial.score import better


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How far a search was after so many trials."""

    name: str
    best: Outcome | None
    baseline: Outcome | None
    n_trials: int
    """Trials that ended."""
    so_far: tuple[float | None, ...]
    """The best score among the first 1, 2, 3... trials that ended, by number; None until there is one."""
    spent: tuple[int, ...]
    """The epochs that those trials were trained for, all together: what it cost to come so far."""

    @property
    def n_epochs(self) -> int:
        """Epochs of all trials together."""
        return self.spent[-1] if self.spent else 0


def compare(experiments: Sequence[Experiment]) -> tuple[History, ...]:
    """Return the history of each; raise ExperimentError where they were not after the same."""
    first, *others = experiments
    for other in others:
        if other.space.objectives != first.space.objectives:
            what = f"{first.paths.name} searched {_goal(first)}, {other.paths.name} {_goal(other)}"
            raise ExperimentError("compare", what, "Compare experiments of the same metric and mode.")
    return tuple(_history(each) for each in experiments)


def _goal(experiment: Experiment) -> str:
    return " and ".join(f"{each.mode} of {each.metric}" for each in experiment.space.objectives)


def _history(experiment: Experiment) -> History:
    ended = [trial for trial in experiment.trials if trial.state in ("complete", "pruned", "failed")]
    best: float | None = None
    so_far: list[float | None] = []
    for trial in ended:
        if trial.state != "failed" and trial.score is not None and better(experiment.space.mode, trial.score, best):
            best = trial.score
        so_far.append(best)
    return History(
        name=experiment.paths.name,
        best=experiment.best,
        baseline=experiment.baseline,
        n_trials=len(ended),
        so_far=tuple(so_far),
        spent=tuple(accumulate(0 if trial.repeat_of is not None else trial.n_epochs for trial in ended)),
    )

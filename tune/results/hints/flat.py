"""All trials are worth the same: what is searched does not reach the metric."""

from collections.abc import Sequence
from dataclasses import dataclass

from tune.space.space import Space
from tune.trial.outcome import Outcome

LEAST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Flat:
    """Every trial has the same score."""

    metric: str
    score: float
    n_trials: int

    @property
    def sentence(self) -> str:
        """What was seen, and what to look at."""
        return (
            f"all {self.n_trials} trials have {self.metric} = {self.score:.5g}: "
            "look whether the metric depends on what is searched"
        )


def flat_of(scored: Sequence[Outcome], space: Space) -> Flat | None:
    """Return the hint where five trials or more, stopped early or not, have one score."""
    whole = [trial for trial in scored if trial.state == "complete"]
    scores = {trial.score for trial in scored}
    if len(whole) < LEAST or len(scores) != 1:
        return None
    return Flat(metric=space.metric, score=whole[0].score or 0.0, n_trials=len(scored))

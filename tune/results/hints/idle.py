"""A constant that made no difference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tune.results.importance import Importance
from tune.space.space import Space
from tune.trial.outcome import Outcome

IDLE_LEAST_TRIALS = 30
LEAST_CHANCE = 0.2
"""Shuffled scores made it as important at least so often. Of constants without effect about four in five pass."""
MOST_SHARE = 0.1
"""Of all importance together."""
CLEAR = 0.05
"""Some other constant must stand out so clearly, else nothing can be told of any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A constant without importance."""

    constant: str
    share: float
    """Of all importance together."""
    n_trials: int
    """In which it varied: under a condition it may have done so in few."""

    @property
    def sentence(self) -> str:
        """What was seen, how it was judged, and what to do."""
        return (
            f"{self.constant} made no difference that {self.n_trials} trials could show "
            f"({self.share:.0%} of the importance by PED-ANOVA, no more than chance gives): take it out of the space"
        )


def idle_of(
    scored: Sequence[Outcome], space: Space, importance: Callable[[Sequence[Outcome], Space], tuple[Importance, ...]]
) -> tuple[Idle, ...]:
    """Return the constants that no score follows, where another one's are followed clearly."""
    if len(scored) < IDLE_LEAST_TRIALS or len(space.dimensions) < 2:
        return ()
    judged = importance(scored, space)
    if not any(each.chance <= CLEAR for each in judged):
        return ()
    varied = {each.constant: sum(each.constant in trial.values for trial in scored) for each in judged}
    return tuple(
        Idle(constant=each.constant, share=each.share, n_trials=varied[each.constant])
        for each in judged
        if each.share <= MOST_SHARE and each.chance >= LEAST_CHANCE and each.constant not in _parents(space)
        if varied[each.constant] >= IDLE_LEAST_TRIALS
    )


def _parents(space: Space) -> set[str]:
    """Return the constants that others' conditions name: they choose what varies."""
    return {parent for condition in space.conditions.values() for parent in condition}

"""What Optuna's plots are made of: a metric, the constants, and the trials that ended.

Trials that ran to their end count in the plots, since a score after one epoch says little beside one after ten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tune.promotion.literals import Unknown
from tune.results.report.study import study_of
from tune.space.dimensions import Dimension, Value
from tune.space.space import Objective
from tune.trial.outcome import Outcome

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A metric, and the trials that say something about it."""

    place: int
    """Of the metric among all."""
    objective: Objective
    dimensions: Mapping[str, Dimension]
    """Every constant's, in the space's order."""
    hardcoded: Mapping[str, Value | Unknown]
    finished: Sequence[Outcome]
    """Trials that came to their end."""
    stopped: Sequence[Outcome]
    """Trials that were stopped early, with a score."""

    def study(self, trials: Sequence[Outcome], names: Sequence[str] | None = None) -> "optuna.Study":
        """Return these trials as Optuna's plots take them; with these constants alone."""
        kept = self.dimensions if names is None else {name: self.dimensions[name] for name in names}
        return study_of(trials, kept, {self.place: self.objective})

"""The best trials were still getting better in their last epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

from tune.space.space import Space
from tune.trial.outcome import Outcome, ranked

N_BEST = 3
LEAST_EPOCHS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LongerTraining:
    """The best epoch of the best trials is their last."""

    n_trials: int
    """How many of the best were looked at."""
    n_epochs: int
    """That the best one had."""
    experiment: str

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        return (
            f"the {self.n_trials} best trials are best in their last epoch: "
            f"`retrain {self.experiment} --trainer.max_epochs {2 * self.n_epochs}` shows what longer training gives"
        )


def longer_training_of(scored: Sequence[Outcome], space: Space, name: str) -> LongerTraining | None:
    """Return the hint where the three best trials came to their end, and each was best there."""
    best = ranked(scored, space.mode)[:N_BEST]
    whole = [
        each for each in best if each.state == "complete" and each.n_fits is None and each.n_epochs >= LEAST_EPOCHS
    ]
    if len(whole) < N_BEST or any(each.best_epoch != max(each.curve) for each in whole):
        return None
    return LongerTraining(n_trials=N_BEST, n_epochs=max(best[0].curve), experiment=name)

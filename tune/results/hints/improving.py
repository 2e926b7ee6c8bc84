"""A search that was still improving when it ended."""

from collections.abc import Sequence
from dataclasses import dataclass

from tune.space.space import Space
from tune.trial.outcome import Outcome
from tune.trial.score import Mode, better

IMPROVING_LEAST_TRIALS = 12
LATE = 0.75
"""From this share of the trials on they are the last ones."""
LEAST_GAIN = 0.05
"""The last ones brought at least so much of all that was gained over the first trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Improving:
    """The last quarter of the trials still gained."""

    share: float
    """What it brought of all that was gained over the first trial, the hardcoded values if those have a score."""
    n_late: int
    """Trials in the last quarter."""
    experiment: str
    n_more: int
    """How many more to run."""

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        return (
            f"the search was still improving: the last {self.n_late} trials brought {self.share:.0%} of the gain; "
            f"`resume {self.experiment} --trials +{self.n_more}` goes on"
        )


def improving_of(scored: Sequence[Outcome], space: Space, name: str) -> Improving | None:
    """Return the hint where the last quarter, in the order of the draws, brought a twentieth of the gain or more."""
    if len(scored) < IMPROVING_LEAST_TRIALS or space.settings.sampler == "grid":  # which ends when all was seen
        return None
    scores = [trial.score for trial in sorted(scored, key=lambda trial: trial.number) if trial.score is not None]
    n_early = int(len(scores) * LATE)
    early, final = _best(scores[:n_early], space.mode), _best(scores, space.mode)
    gain, late = abs(final - scores[0]), abs(final - early)
    if gain == 0 or late / gain < LEAST_GAIN:
        return None
    return Improving(share=late / gain, n_late=len(scores) - n_early, experiment=name, n_more=max(10, len(scores) // 2))


def _best(scores: Sequence[float], mode: Mode) -> float:
    best = scores[0]
    for score in scores:
        best = score if better(mode, score, best) else best
    return best

"""The baseline trains to its end, whatever the scheduler: every gain is one over all its epochs."""

import math
from collections.abc import Sequence

from tune.search.ledger.ledger import BASELINE
from tune.search.scheduling.rule import Move, Rule, Verdict


class Exempt:
    """A scheduler that hears what the baseline is worth, and never lets it wait, or end."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    def opened(self, trial: int) -> None:
        """Hear of a new trial."""
        if trial != BASELINE:
            self._rule.opened(trial)

    def judged_at(self, trial: int) -> Sequence[int] | None:
        """Return the epochs with which a trial may end; the baseline's worth is heard as soon as that of others."""
        return self._rule.judged_at(trial)

    def judge(self, trial: int, epoch: int, value: float) -> Verdict:
        """Decide about a trial after an epoch; a baseline that is not finite ends, as all do."""
        verdict = self._rule.judge(trial, epoch, value)
        return Verdict.GO_ON if trial == BASELINE and math.isfinite(value) else verdict

    def learn_length(self, n_whole: int | None, *, is_mean: bool = False) -> None:
        """Hear how many values a whole trial reports."""
        self._rule.learn_length(n_whole, is_mean=is_mean)

    def start_takes(self, n_epochs: float) -> None:
        """Hear what a trial takes beside its epochs."""
        self._rule.start_takes(n_epochs)

    def ended(self, trial: int, *, failed: bool = False) -> None:
        """Is called when a trial has ended."""
        self._rule.ended(trial, failed=failed)

    def seal(self) -> None:
        """Hear that no trial comes that others might have to wait for."""
        self._rule.seal()

    def moves(self) -> Sequence[Move]:
        """Return what became of paused trials since the last call."""
        return self._rule.moves()

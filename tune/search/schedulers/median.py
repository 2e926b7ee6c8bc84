"""The median stopping rule: a trial ends when its best epoch is behind the median of what the others were on average.

Golovin et al., "Google Vizier: A Service for Black-Box Optimization", 2017, section 3.2.1. Arguments as in Ray Tune.
"""

import math
import statistics
from collections.abc import Sequence

from tune.experiment.trial_result import Mode
from tune.search.schedulers.scheduler import SchedulerDecision, TrialScheduler

GRACE_PERIOD = 1
MIN_SAMPLES_REQUIRED = 3


class MedianStopping(TrialScheduler):
    """Compares each trial with all others that came as far, those that ended included, those that failed not."""

    def __init__(
        self, mode: Mode, *, grace_period: int = GRACE_PERIOD, min_samples_required: int = MIN_SAMPLES_REQUIRED
    ) -> None:
        self._sign = 1.0 if mode == "max" else -1.0
        self._grace_period = grace_period
        self._n_required = min_samples_required
        self._curves: dict[int, dict[int, float]] = {}  # rewards by epoch, by trial; larger is better

    def decision_epochs(self, trial: int) -> Sequence[int] | None:
        """Compare at every epoch."""
        return None

    def on_trial_result(self, trial: int, epoch: int, value: float) -> SchedulerDecision:
        """Decide about a trial after an epoch; there is no judgement before ``grace_period`` epochs."""
        if not math.isfinite(value):
            self.on_trial_end(trial, failed=True)
            return SchedulerDecision.STOP
        curve = self._curves.setdefault(trial, {})
        curve[epoch] = self._sign * value
        averages = self._average_rewards(but=trial, epoch=epoch)
        if epoch < self._grace_period or len(averages) < self._n_required:
            return SchedulerDecision.GO_ON
        return SchedulerDecision.STOP if max(curve.values()) < statistics.median(averages) else SchedulerDecision.GO_ON

    def on_trial_end(self, trial: int, *, failed: bool = False) -> None:
        """Remove the values of a failed trial: they are worth nothing."""
        if failed:
            self._curves.pop(trial, None)

    def _average_rewards(self, *, but: int, epoch: int) -> list[float]:
        """Return each other trial's mean up to ``epoch``, of those that reached it; with gaps one may begin later."""
        others = [curve for trial, curve in self._curves.items() if trial != but and min(curve) <= epoch <= max(curve)]
        return [statistics.fmean(reward for at, reward in curve.items() if at <= epoch) for curve in others]

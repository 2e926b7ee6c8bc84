"""The best configurations so far, near which the default search looks further."""

from collections.abc import Mapping, Sequence

from tune.experiment.trial_result import dominates, is_improvement
from tune.space.dimensions import Dimension, Value, could_draw
from tune.space.space import Space

Best = tuple[float, dict[str, Value]]
"""The leading metric, and the configuration that it was measured of."""


class BestConfigs:
    """Those of one search, among the configurations that are inside their ranges."""

    def __init__(self, space: Space, dimensions: Mapping[str, Dimension]) -> None:
        self._space = space
        self._dimensions = dimensions
        self._best: Best | None = None  # by the leading metric, of the trials that ended without a failure
        self._leads: dict[int, Best] = {}  # the best epoch of each that runs: it may fail yet
        self.front: list[tuple[Sequence[float], dict[str, Value]]] = []
        """Of several metrics, the Pareto front."""

    def find_best(self) -> Best | None:
        """Return the best of all trials, those that run too."""
        best = self._best
        for number in sorted(self._leads):
            best = self._choose_better(best, *self._leads[number])
        return best

    def record_value(self, number: int, value: float, values: Mapping[str, Value]) -> None:
        """Hear of an epoch of a trial that runs, with its configuration."""
        best = self._choose_better(self._leads.get(number), value, values)
        if best is not None:
            self._leads[number] = best

    def end_trial(self, number: int, *, has_failed: bool) -> None:
        """Hear that a trial ended: one that has failed is not the best."""
        lead = self._leads.pop(number, None)
        if lead is not None and not has_failed:
            self._best = self._choose_better(self._best, *lead)

    def add_value(self, value: float, values: Mapping[str, Value]) -> None:
        """Hear of an epoch of a trial that ended without a failure, with its configuration."""
        self._best = self._choose_better(self._best, value, values)

    def update_front(self, scores: Sequence[float], values: Mapping[str, Value]) -> None:
        """Of several metrics, keep what no other configuration beats."""
        modes = [each.mode for each in self._space.objectives]
        inside = all(could_draw(self._dimensions[name], held) for name, held in values.items())
        if len(modes) == 1 or not inside or any(dominates(held, scores, modes) for held, _ in self.front):
            return
        self.front = [each for each in self.front if not dominates(scores, each[0], modes)]
        self.front.append((tuple(scores), dict(values)))

    def _choose_better(self, best: Best | None, value: float, values: Mapping[str, Value]) -> Best | None:
        """Return the best so far, or a configuration inside its ranges that beats it."""
        inside = all(could_draw(self._dimensions[name], held) for name, held in values.items())
        beats = inside and is_improvement(self._space.mode, value, None if best is None else best[0])
        return (value, dict(values)) if beats else best

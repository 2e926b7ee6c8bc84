"""All that a simulated search saw, so that one search answers what was known at any moment of it."""

import math
from dataclasses import dataclass, field

from benchmarks.simulate.events import simulate
from benchmarks.simulate.methods import Method
from benchmarks.simulate.tables import Config, Table
from tune.trial.messages import EpochReport


@dataclass(slots=True)
class TrialTrace:
    """One trial of a simulated search."""

    config: Config
    ended_at: list[float] = field(default_factory=list)
    """When each epoch ended, in simulated seconds."""
    values: list[float] = field(default_factory=list)
    """The metric of each epoch; a smaller one is better."""

    def values_until(self, now: float) -> list[float]:
        """Return the values that were reported until a moment; none of a trial that has failed by then."""
        values = [value for at, value in zip(self.ended_at, self.values, strict=True) if at <= now]
        return values if all(map(math.isfinite, values)) else []


class _Recorder:
    """Passes everything on to a method, and keeps it."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self.trials: dict[str, TrialTrace] = {}

    def ask(self, trial: str) -> Config:
        config = self._method.ask(trial)
        self.trials[trial] = TrialTrace(config)
        return config

    def report(self, trial: str, epoch: EpochReport) -> bool:
        self.trials[trial].ended_at.append(epoch.at)
        self.trials[trial].values.append(epoch.value)
        return self._method.report(trial, epoch)


def trace_search(table: Table, method: Method, n_workers: int, budget_s: float) -> list[TrialTrace]:
    """Search for ``budget_s`` of simulated time, and return the trials in the order in which they began."""
    recorder = _Recorder(method)
    simulate(table, recorder, n_workers, budget_s)
    return list(recorder.trials.values())

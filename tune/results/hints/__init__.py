"""What a search that has ended suggests to do next: small values, each with a ``sentence``."""

from collections.abc import Sequence

from tune.results.hints.device_fault import DeviceFault, find_device_faults
from tune.results.hints.edge import Edge, edges_of
from tune.results.hints.flat import Flat, flat_of
from tune.results.hints.idle import Idle, idle_of
from tune.results.hints.improving import Improving, improving_of
from tune.results.hints.training import LongerTraining, longer_training_of
from tune.results.importance import importance_of, is_scored
from tune.space.space import Space
from tune.trial.outcome import Outcome

Hint = DeviceFault | Flat | Edge | Improving | LongerTraining | Idle

__all__ = ["DeviceFault", "Edge", "Flat", "Hint", "Idle", "Improving", "LongerTraining", "hints_of"]


def hints_of(trials: Sequence[Outcome], space: Space, name: str) -> tuple[Hint, ...]:
    """Return what the trials of an experiment suggest, which commands know by ``name``; nothing where all is well."""
    scored = [trial for trial in trials if is_scored(trial)]
    faults = find_device_faults(trials)
    if (flat := flat_of(scored, space)) is not None:
        return (*faults, flat)
    idle = idle_of(scored, space, importance_of)
    edges = edges_of(scored, space, without={each.constant for each in idle})
    improving = improving_of(scored, space, name)
    longer = longer_training_of(scored, space, name)
    return (*faults, *edges, *([improving] if improving else ()), *([longer] if longer else ()), *idle)

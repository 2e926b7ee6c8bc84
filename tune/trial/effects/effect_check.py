"""Whether a searched value has an effect: where the source may replace it, the program is run with other values."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from tune.errors import ProgramError
from tune.promotion.checks.replaced_values import may_read_hyperparameter
from tune.space.dimensions import Value, canonical_name, is_int, is_number
from tune.trial.effects.trained_state import HYPERPARAMETERS, OUTCOMES, TrainedState
from tune.trial.messages import Job, TrialTask

MOST_TRIED = 8
"""Of the other values of a choice: where there are more, nothing is told of it."""

Run = Callable[[Mapping[str, Value]], TrainedState | None]
"""Runs the program with these values; returns what it trains with, None where nothing tells."""


def check_effects(job: Job, task: TrialTask, state: TrainedState, run: Run) -> None:
    """Raise ProgramError where the program trains the same with other values, and its source shows a reason.

    ``state``: what the baseline trains with; nothing is looked at where that is not known.
    """
    repeat = lru_cache(lambda items: run(dict(items)))  # the same values once more: what differs each time
    places = {key: held.where for key, held in job.constants.items()}
    places |= {key: option.where for key, option in job.options.items()}
    for key, reason in job.replaced.items() if state else ():
        check = _EffectCheck(key, job, task, run, repeat)
        if check.is_without_effect(state):
            raise ProgramError(
                places[key],
                f"{key} is not in force: whatever its value is, the program trains the same; {reason}",
                "Search what is taken there, or take it out of the space.",
            )


class _EffectCheck:
    """Of one searched value."""

    def __init__(self, key: str, job: Job, task: TrialTask, run: Run, repeat: Callable[..., Any]) -> None:
        self._key = key
        self._task = task
        self._run = run
        self._repeat = repeat
        self._others = {each: _list_other_values(each, job, task) for each in (*job.constants, *job.options)}
        name = canonical_name(key.partition("@")[0]).lstrip("-").rstrip("=").replace("-", "_").rpartition(".")[2]
        self._unread = None if may_read_hyperparameter(job.program, name) else f"{HYPERPARAMETERS}{name}"

    def is_without_effect(self, baseline: TrainedState) -> bool:
        """Tell whether no other value that is tried changes what the program trains with."""
        values = self._others.pop(self._key)
        if not 0 < len(values) <= MOST_TRIED or self._is_chosen_by_another():
            return False
        if not all(self._trains_the_same(value, {}, baseline) for value in values):
            return False
        return all(self._is_without_effect_among(values[0], others) for others in self._list_surroundings())

    def _is_chosen_by_another(self) -> bool:
        """Tell whether something else that is searched may choose what is in force: too much to be tried."""
        baseline = self._task.values
        return any(
            _may_choose(value)
            for key, values in self._others.items()
            for value in (*values, *([baseline[key]] if values and key in baseline else []))
        )

    def _list_surroundings(self) -> Iterator[Mapping[str, Value]]:
        """Yield values of what else is searched: the first, and the last."""
        for place in (0, -1):
            if found := {key: values[place] for key, values in self._others.items() if values}:
                yield found

    def _is_without_effect_among(self, value: Value, others: Mapping[str, Value]) -> bool:
        state = self._run({**self._task.values, **others})
        return state is not None and self._trains_the_same(value, others, state)

    def _trains_the_same(self, value: Value, others: Mapping[str, Value], state: TrainedState) -> bool:
        """Tell whether the program trains with another value what it trains with the baseline's: ``state``.

        Parts that differ each time, such as the time of day, are found by one more run with the baseline's.
        """
        around = {**self._task.values, **others}
        other = self._run({**around, self._key: value})
        if other is None:
            return False
        differing = {each for each in _find_differences(state, other) if each.partition(", ")[0] != self._unread}
        if any(part.startswith(OUTCOMES) for part in differing):
            return False
        if not differing:
            return True
        again: TrainedState | None = self._repeat(tuple(around.items()))
        return again is not None and differing <= _find_differences(state, again)


def _list_other_values(key: str, job: Job, task: TrialTask) -> list[Value]:
    """Return values that are not the baseline's; where that is unknown two at least, for one may be it."""
    others = [value for value in job.others.get(key, ()) if key not in task.values or value != task.values[key]]
    return others if key in task.values or len(others) > 1 else []


def _may_choose(value: Value) -> bool:
    """Tell whether a value may be a name, a flag, or a place in a list, which between its ends chooses other things."""
    return not is_number(value) or (is_int(value) and value <= 1)


def _find_differences(one: TrainedState, other: TrainedState) -> set[str]:
    return {part for part in one.keys() | other.keys() if one.get(part) != other.get(part)}

"""Whether a searched value has an effect: where the source may replace it, the program is run with other values."""

from collections.abc import Callable, Iterator, Mapping

from tune.errors import ProgramError
from tune.promotion.checks.replaced_values import may_read_hyperparameter
from tune.space.dimensions import Value, canonical_name, is_number
from tune.trial.messages import Job, TrialTask
from tune.trial.trained_state import HYPERPARAMETERS, OUTCOMES, TrainedState

MOST_TRIED = 3
"""Of the other values of a constant."""

Run = Callable[[Mapping[str, Value]], TrainedState | None]
"""Runs the program with these values; returns what it trains with, None where nothing tells."""


def check_effects(job: Job, task: TrialTask, state: TrainedState, run: Run) -> None:
    """Raise ProgramError where the program trains the same with other values, and its source shows a reason.

    ``state``: what the baseline trains with; nothing is looked at where that is not known.
    """
    places = {key: held.where for key, held in job.constants.items()}
    places |= {key: option.where for key, option in job.options.items()}
    for key, reason in job.replaced.items() if state else ():
        check = _EffectCheck(key, job, task, run)
        if check.is_without_effect(state):
            raise ProgramError(
                places[key],
                f"{key} is not in force: whatever its value is, the program trains the same; {reason}",
                "Search what is taken there, or take it out of the space.",
            )


class _EffectCheck:
    """Of one searched value."""

    def __init__(self, key: str, job: Job, task: TrialTask, run: Run) -> None:
        self._key = key
        self._task = task
        self._run = run
        self._others = {each: _list_other_values(each, job, task) for each in (*job.constants, *job.options)}
        name = canonical_name(key.partition("@")[0]).lstrip("-").rstrip("=").replace("-", "_").rpartition(".")[2]
        self._unread = None if may_read_hyperparameter(job.program, name) else f"{HYPERPARAMETERS}{name}"

    def is_without_effect(self, baseline: TrainedState) -> bool:
        """Tell whether no other value that is tried changes what the program trains with."""
        values = self._others.pop(self._key)
        if not values or not all(self._trains_the_same(value, {}, baseline) for value in values):
            return False
        return all(self._is_without_effect_among(values[0], others) for others in self._list_surroundings())

    def _list_surroundings(self) -> Iterator[Mapping[str, Value] | None]:
        """Yield values of what else is searched: it may choose what is in force. None: too many to be tried."""
        if any(not is_number(value) for values in self._others.values() for value in values):
            yield None
        for place in (0, -1):
            if found := {key: values[place] for key, values in self._others.items() if values}:
                yield found

    def _is_without_effect_among(self, value: Value, others: Mapping[str, Value] | None) -> bool:
        state = None if others is None else self._run({**self._task.values, **others})
        return state is not None and others is not None and self._trains_the_same(value, others, state)

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
        again = self._run(around)
        return again is not None and differing <= _find_differences(state, again)


def _list_other_values(key: str, job: Job, task: TrialTask) -> list[Value]:
    """Return values that are not the baseline's; where that is unknown two at least, for one may be it."""
    values = job.others.get(key) or [each[key] for each in job.probes if key in each]
    others = [value for value in values if key not in task.values or value != task.values[key]]
    return others[:MOST_TRIED] if key in task.values or len(others) > 1 else []


def _find_differences(one: TrainedState, other: TrainedState) -> set[str]:
    return {part for part in one.keys() | other.keys() if one.get(part) != other.get(part)}

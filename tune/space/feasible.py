"""Whether a space can be drawn from: whether its requirements leave anything, and what the baseline is to them."""

import random
from collections.abc import Mapping, Sequence

from tune.errors import SpaceError
from tune.space.dimensions import Dimension, Value
from tune.space.draw import draw
from tune.space.require import Requirement
from tune.space.space import Space

N_DRAWS = 1000


def check_feasible(space: Space, dimensions: Mapping[str, Dimension], hardcoded: Mapping[str, Value]) -> None:
    """Raise SpaceError when none of 1,000 random configurations is allowed.

    ``dimensions`` are in the program's types; ``hardcoded`` holds the values that the source says.
    """
    if not space.requirements:
        return
    rng = random.Random(space.settings.seed)  # noqa: S311 - no secret
    left = set(range(len(space.requirements)))  # that no draw has met so far
    for _ in range(N_DRAWS):
        values = {**hardcoded, **draw(dimensions, space.conditions, rng)}
        met = [requirement.is_met(values) for requirement in space.requirements]
        if all(met):
            return
        left -= {place for place, is_met in enumerate(met) if is_met}
    raise _infeasible([space.requirements[place] for place in sorted(left)], space, values)


def baseline_doubts(requirements: Sequence[Requirement], hardcoded: Mapping[str, Value]) -> tuple[str, ...]:
    """Return warnings about requirements that the hardcoded values do not meet."""
    return tuple(
        f"{each.where}: require: the hardcoded values do not meet {each.text!r}, {_held(each, hardcoded)}; "
        "trial 0 runs them, the sampler never will"
        for each in requirements
        if not each.is_met(hardcoded)
    )


def _infeasible(never: list[Requirement], space: Space, values: Mapping[str, Value]) -> SpaceError:
    hint = "Mend it, or the ranges of its constants."
    if not never:
        what = f"require: {len(space.requirements)} requirements that none of {N_DRAWS:,} draws meets together"
        return SpaceError(space.where("require"), what, "Mend one, or the ranges of their constants.")
    first = never[0]
    why = first.failure(values)
    cause = "" if why == "it is false" else f" ({why})"
    what = f"require: none of {N_DRAWS:,} draws meets {first.text!r}, the last with {_held(first, values)}{cause}"
    return SpaceError(first.where, what, hint)


def _held(requirement: Requirement, values: Mapping[str, Value]) -> str:
    return ", ".join(f"{key}={values[key]!r}" for key in dict.fromkeys(requirement.names.values()))

"""What a configuration of one space is in another: an edited space keeps the trials that it could have drawn."""

from collections.abc import Mapping

from tune.space.dimensions import Dimension, Value, could_draw, describe
from tune.space.space import Space
from tune.space.when import alike, is_active, only_active, restored


def carried(
    values: Mapping[str, Value], space: Space, dimensions: Mapping[str, Dimension], hardcoded: Mapping[str, Value]
) -> dict[str, Value] | str:
    """Return a trial's values as ``space`` knows them, or the reason why it could not have drawn them.

    ``values`` are those of the constants that varied; every other one had its hardcoded value. ``dimensions`` are the
    space's, in the program's types; ``hardcoded`` is what the source says of the constants of both spaces.
    """
    full = {**hardcoded, **values}
    known = {name: restored(dimension, full[name]) for name, dimension in dimensions.items() if name in full}
    active = only_active(known, space.conditions)
    for name in dimensions:
        if name not in full and is_active(name, space.conditions, active):
            return f"only the program knows what {name} was"
    for name, value in values.items():
        if name not in active and not (name in hardcoded and alike(value, hardcoded[name])):
            return _no_longer(name, dimensions, hardcoded)
    for name, value in active.items():
        if not could_draw(dimensions[name], value):
            return f"{name} outside of {describe(dimensions[name])}"
    for requirement in space.requirements:
        if not requirement.is_met({**hardcoded, **active}):
            return f"against `{requirement.text}`"
    return active


def _no_longer(name: str, dimensions: Mapping[str, Dimension], hardcoded: Mapping[str, Value]) -> str:
    held = f"{name} not {hardcoded[name]!r}" if name in hardcoded else f"{name} not as the program has it"
    return (
        f"{held}, where it does not vary any more" if name in dimensions else f"{held}, and it is not searched any more"
    )

"""The configuration of a space that should want the most memory: batches, widths and depths at their largest."""

import math
import random
from collections.abc import Mapping

from tune.space.dimensions import Dimension, Value, extremes, is_int
from tune.space.draw import draw
from tune.space.space import Space
from tune.space.when import only_active

N_DRAWS = 1000


def heaviest(space: Space, dimensions: Mapping[str, Dimension], hardcoded: Mapping[str, Value]) -> dict[str, Value]:
    """Return the sizes of the corner, and of the other constants nothing: they keep their hardcoded values.

    A size is whatever is a whole number, or a list of such. Where the space's requirements refuse the corner, it is
    the allowed one of 1,000 draws whose sizes have the largest product.
    """
    sizes = {name: each for name, each in dimensions.items() if all(_size(value) for value in extremes(each))}
    corner = _allowed(space, {name: max(extremes(each), key=_size) for name, each in sizes.items()}, hardcoded)
    if corner is not None:
        return corner
    rng = random.Random(space.settings.seed)  # noqa: S311 - no secret
    draws = (_allowed(space, draw(sizes, {}, rng), hardcoded) for _ in range(N_DRAWS))
    return max((each for each in draws if each is not None), key=_weight, default={})


def _allowed(space: Space, sizes: dict[str, Value], hardcoded: Mapping[str, Value]) -> dict[str, Value] | None:
    """Return the sizes that vary beside the hardcoded values; None where a requirement is not met."""
    active = only_active({**hardcoded, **sizes}, space.conditions)
    values = {name: value for name, value in active.items() if name in sizes}
    return values if all(each.is_met({**hardcoded, **values}) for each in space.requirements) else None


def _weight(values: Mapping[str, Value]) -> float:
    return sum(math.log(_size(value)) for value in values.values())


def _size(value: Value) -> int:
    """Return how large it is; 0 for what is no size."""
    if is_int(value):
        return max(0, value)
    if isinstance(value, list | tuple) and value and all(map(_size, value)):
        return sum(map(_size, value))
    return 0

"""Where in the space something happens, and nothing else does: a bound of one constant that tells trials apart."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tune.space.dimensions import Choice, Dimension, Value, is_number
from tune.space.scale import numbers_of
from tune.space.when import alike

LEAST = 3
"""Trials on either side; of fewer nothing is claimed."""
CHANCE = 0.01
"""How likely a bound may be where trials fell on its sides by chance, all bounds that were looked at together."""

Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One bound that holds for all trials of a kind and for no other."""

    constant: str
    relation: str
    """``>=``, ``<=`` or ``=``."""
    bound: Value
    """Included."""
    n_inside: int
    n_outside: int

    @property
    def rule(self) -> str:
        """The bound as people read it: ``BATCH_SIZE >= 256``."""
        bound = f"{self.bound:.4g}" if isinstance(self.bound, float) else str(self.bound)
        return f"{self.constant} {self.relation} {bound}"


def region_of(
    inside: Sequence[Values], outside: Sequence[Values], dimensions: Mapping[str, Dimension]
) -> Region | None:
    """Return the bound that all of ``inside`` keep and none of ``outside`` does; None where chance could have made it.

    Of several bounds the one that leaves most room to the trials outside is returned. A trial that has no value of a
    constant (its condition does not hold) lies outside of all its bounds.
    """
    if len(inside) < LEAST or len(outside) < LEAST:
        return None
    n_looked_at = sum(_n_bounds(dimension) for dimension in dimensions.values())
    if n_looked_at / math.comb(len(inside) + len(outside), len(inside)) > CHANCE:
        return None
    found = [
        (gap, -order, region)
        for order, (name, dimension) in enumerate(dimensions.items())
        for gap, region in _bounds(name, dimension, inside, outside)
    ]
    return max(found, key=lambda each: each[:2])[2] if found else None


def _n_bounds(dimension: Dimension) -> int:
    ordered = not isinstance(dimension, Choice) or numbers_of(dimension) is not None
    return 2 if ordered else len(dimension.options) if isinstance(dimension, Choice) else 0


def _bounds(
    name: str, dimension: Dimension, inside: Sequence[Values], outside: Sequence[Values]
) -> Iterator[tuple[float, Region]]:
    """Yield each bound that tells the two apart, with how wide the gap between them is."""
    if any(name not in values for values in inside):
        return
    ours = [values[name] for values in inside]
    theirs = [values[name] for values in outside if name in values]
    counts = {"n_inside": len(inside), "n_outside": len(outside)}
    if isinstance(dimension, Choice) and numbers_of(dimension) is None:
        one = all(alike(value, ours[0]) for value in ours)
        if one and theirs and not any(alike(value, ours[0]) for value in theirs):
            yield 0.0, Region(constant=name, relation="=", bound=ours[0], **counts)
        return
    numbers, others = [each for each in ours if is_number(each)], [each for each in theirs if is_number(each)]
    if not others or len(numbers) != len(ours) or len(others) != len(theirs):
        return
    whole = [*numbers, *others]
    width = max(whole) - min(whole) or 1.0
    if min(numbers) > max(others):
        gap = (min(numbers) - max(others)) / width
        yield gap, Region(constant=name, relation=">=", bound=min(numbers), **counts)
    elif max(numbers) < min(others):
        gap = (min(others) - max(numbers)) / width
        yield gap, Region(constant=name, relation="<=", bound=max(numbers), **counts)

"""A best value on the edge of its range: better ones may lie beyond."""

import itertools
import math
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tune.experiment.trial_result import TrialResult, rank_trials
from tune.space.dimensions import (
    Choice,
    Dimension,
    FloatRange,
    IntRange,
    Value,
    arguments_of,
    kind_of,
    n_points,
    numbers_of,
    place_in,
)
from tune.space.space import Space
from tune.space.template import format_inline_yaml

LEAST_TRIALS = 10
N_BEST = 5
"""The best trials, of which most have to lean to the same side: three, or four where there are few values to have."""
FEW = 5
"""Values; with these counts a constant that does not matter is taken for one in 2 to 7 searches of 100."""
MARGIN = 0.05
"""So near to an end, as a share of the range on its own scale, a value lies on the edge."""
SIDE = 0.2
"""So near to it a value leans to that side."""

NEARLY_ALL = 0.9
"""From here on the upper end of a share is the end of all shares."""
LARGEST_SHARE = 0.95
"""A share is not drawn out beyond it: with a dropout of 1 nothing is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeEdge:
    """The best trial's value of a constant lies on the edge."""

    constant: str
    value: Value
    """The best trial's."""
    end: str
    """``lower`` or ``upper``."""
    instead: Dimension
    """What to write: the range, drawn out beyond that end."""

    @property
    def sentence(self) -> str:
        """What was seen, and what to write."""
        value = f"{self.value:.4g}" if isinstance(self.value, float) else str(self.value)
        arguments = ", ".join(format_inline_yaml(each) for each in arguments_of(self.instead))
        word = self.word
        return (
            f"the best {self.constant}, {value}, is at the {self.end} end of its range: "
            f"write `{format_inline_yaml(self.constant)}: {{{kind_of(self.instead)}: [{arguments}]}}`"
            + (f" in the space file, or `{word}` on the command line" if word else "")
        )

    @property
    def word(self) -> str | None:
        """The range as a word of the command line; None where no word says it."""
        match self.instead:
            case Choice(options=options):
                values = ",".join(format_inline_yaml(each) for each in options)
            case FloatRange(low=low, high=high, step=None) | IntRange(low=low, high=high, step=None):
                values = f"{format_inline_yaml(low)}..{format_inline_yaml(high)}"
            case _:
                return None
        return shlex.quote(f"{self.constant}={values}")


def find_range_edges(scored: Sequence[TrialResult], space: Space, without: Collection[str]) -> tuple[RangeEdge, ...]:
    """Return the constants whose best value lies on an edge, where most of the best trials lean that way too.

    One that varies under a condition may have varied in few of them: the others speak for no end.

    Ends that nature gives are none: 0 of what starts there, nearly 1 of a share, 1 of a count.
    """
    if len(scored) < LEAST_TRIALS:
        return ()
    best = rank_trials(scored, space.mode)[:N_BEST]
    return tuple(
        edge
        for name, dimension in space.dimensions.items()
        if name not in without
        for edge in _find_edges(
            name, dimension, [trial.values[name] for trial in best if name in trial.values], len(best)
        )
    )


def _find_edges(name: str, dimension: Dimension, values: Sequence[Value], n_best: int) -> Iterator[RangeEdge]:
    places = [place for value in values if (place := place_in(dimension, value)) is not None]
    if not places or len(places) < len(values) or n_points(dimension) < 3:
        return
    for end, distances in (("lower", places), ("upper", [1 - place for place in places])):
        leaning = sum(distance <= SIDE for distance in distances)
        needed = n_best // 2 + (2 if n_points(dimension) < FEW else 1)
        if distances[0] <= MARGIN and leaning >= needed:
            instead = _extend_range(dimension, upper=end == "upper")
            if instead is not None:
                yield RangeEdge(constant=name, value=values[0], end=end, instead=instead)


def _extend_range(dimension: Dimension, *, upper: bool) -> Dimension | None:
    """Return the range with half of its width more at one end, on its own scale; None where there is nothing beyond."""
    match dimension:
        case Choice():
            return _extend_options(dimension, upper=upper)
        case FloatRange(low=low, high=high, log=True):
            # 10 where the range spans two orders of magnitude or more, else as much as leads half as far again
            factor = 10.0 if high / low >= 100 else math.sqrt(high / low)
            if upper:
                return replace(dimension, high=_multiply_rounded(high, factor))
            return replace(dimension, low=_multiply_rounded(low, 1 / factor))
        case IntRange(low=low, high=high, log=True):
            if upper:
                return replace(dimension, high=high * 2)
            return replace(dimension, low=max(1, low // 2)) if low > 1 else None
        case FloatRange():
            return _extend_floats(dimension, upper=upper)
        case IntRange():
            # The range drawn out; what is positive stays so
            low, high = dimension.low, dimension.high
            q = dimension.step or 1
            n_steps = max(1, round((high - low) / 2 / q))
            if upper:
                return replace(dimension, high=high + q * n_steps)
            if low >= 0:
                n_steps = min(n_steps, max(0, low - 1) // q)
            return replace(dimension, low=low - q * n_steps) if n_steps else None


def _extend_floats(dimension: FloatRange, *, upper: bool) -> Dimension | None:
    """Return the range drawn out; a share stays below 1, what was positive stays so, a grid stays on its points."""
    low, high = dimension.low, dimension.high
    is_share = low >= 0 and high <= 1
    if upper and is_share and high >= NEARLY_ALL:
        return None
    room = (_add_exactly(LARGEST_SHARE, -high) if is_share else math.inf) if upper else (low if low >= 0 else math.inf)
    step = min((high - low) / 2, room)
    if dimension.step is not None:
        wanted = max(1, round((high - low) / 2 / dimension.step))
        # what rounding took is given back
        n_steps = min(wanted, math.floor(min(room, high - low) / dimension.step + 1e-9))
        step = float(Decimal(repr(dimension.step)) * n_steps)
    if step <= 0:
        return None
    return (
        replace(dimension, high=_add_exactly(high, step)) if upper else replace(dimension, low=_add_exactly(low, -step))
    )


def _extend_options(choice: Choice, *, upper: bool) -> Dimension | None:
    """Return the options with the next one, where each is as far from the one before it, or as many times as large."""
    numbers = numbers_of(choice)
    if numbers is None or len(numbers) < 3:
        return None
    following = _next_number(numbers if upper else numbers[::-1])
    if following is None or following <= 0 < numbers[0]:
        return None
    if all(isinstance(number, int) for number in numbers):
        if following != int(following):
            return None
        following = int(following)
    options = (*choice.options, following) if upper else (following, *choice.options)
    return Choice(options=options)


def _next_number(numbers: Sequence[int | float]) -> float | None:
    """Return what comes after numbers that are all as many times their neighbour, or as far from it; else None."""
    pairs = list(itertools.pairwise(numbers))
    near, last = pairs[-1]
    if all(numbers) and all(math.isclose(b / a, last / near) for a, b in pairs):
        following = last * last / near
        return following if isinstance(last, int) else _multiply_rounded(following, 1.0)
    return _add_exactly(last, last - near) if all(math.isclose(b - a, last - near) for a, b in pairs) else None


def _multiply_rounded(value: float, factor: float) -> float:
    """Multiply, to a number that people would write: three digits."""
    return float(f"{value * factor:.3g}")


def _add_exactly(value: float, step: float) -> float:
    """Add as people do."""
    return float(Decimal(repr(float(value))) + Decimal(repr(float(step))))

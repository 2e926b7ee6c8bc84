"""How many DataLoader workers a program asks for, as far as its source tells: a trial needs cores for them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tune.promotion.constants import Constant, find_constants
from tune.promotion.options import Option, find_options
from tune.promotion.program import Program
from tune.promotion.resolve import Promoted
from tune.space.dimensions import extremes, is_int

LAST_WORD = re.compile(r"[A-Za-z]\w*(?=\W*$)")
NAMES = frozenset({"num_workers", "n_workers", "workers"})
"""The last word of what programs call them: ``DataLoader.num_workers``, ``NUM_WORKERS``, ``--workers``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """What a DataLoader is given."""

    number: int
    where: str
    """``lit/digits.py:95``."""


def most_workers(program: Program, promoted: Sequence[Promoted] = ()) -> Workers:
    """Return the most that any trial may ask for; none where the source names no number."""
    return max(_workers(program, promoted), key=lambda each: each.number, default=Workers(number=0, where=""))


def crowding(workers: Workers, n_cores: float) -> tuple[str, ...]:
    """Return a warning where a trial's cores do not go round."""
    if workers.number <= n_cores:
        return ()
    enough = max(1, int(n_cores))
    cores = f"{n_cores:g} CPU core{'s' if n_cores != 1 else ''}"
    return (f"{workers.where}: {workers.number} DataLoader workers, and a trial has {cores}: {enough} would do",)


def _workers(program: Program, promoted: Sequence[Promoted]) -> Iterator[Workers]:
    searched = {_identity(item.constant): extremes(item.dimension) for item in promoted}
    every: list[Constant | Option] = [*find_constants(program), *find_options(program)]
    for constant in every:
        if _is_their_number(constant.name):
            for value in (constant.value, *searched.get(_identity(constant), ())):
                if is_int(value):
                    yield Workers(number=value, where=constant.where)


def _identity(constant: Constant | Option) -> object:
    """Return what tells a constant from all others, those in its line too."""
    return constant.sites if isinstance(constant, Constant) else constant.names


def _is_their_number(name: str) -> bool:
    last = LAST_WORD.search(name.partition("@")[0].replace("-", "_"))
    return last is not None and last.group().casefold() in NAMES

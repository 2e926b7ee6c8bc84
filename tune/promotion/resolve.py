from dataclasses import dataclass

from tune.promotion.constants import Constant, find_constant, find_constants
from tune.space.dimensions import Dimension


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    key: str
    constant: Constant
    dimension: Dimension


def resolve(space, program):
    cs = find_constants(program)
    return tuple(
        Promoted(key=k, constant=find_constant(k, program, cs, space.where(f"constants.{k}")), dimension=d)
        for k, d in space.dimensions.items()
    )

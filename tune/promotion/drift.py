"""What became of a searched constant in a source that was edited since: the same literal, another one, or none."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from tune.promotion.constant import Constant
from tune.promotion.find_constants import find_constants
from tune.promotion.program import Program
from tune.promotion.source_edit import SourceText


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The source still holds what was searched, perhaps on another line."""

    now: Constant
    """As it is found in the current source."""


@dataclass(frozen=True, slots=True)
class Edited:
    """The constant is there, and its literals are not what was searched."""

    now: Constant
    was: str
    """The expressions in the searched source, as Python writes them."""
    text: str
    """The expressions in the current source."""


@dataclass(frozen=True, slots=True)
class Removed:
    """No constant of the current source is known to be this one."""


Standing = Unchanged | Edited | Removed


def find_drift(constants: Iterable[Constant], then: Program, now: Program) -> dict[Constant, Standing]:
    """Return what each constant of the searched program ``then`` is in the current program ``now``."""
    old, new = find_constants(then), find_constants(now)
    before, after = _Texts(then), _Texts(now)
    found: dict[Constant, Standing] = {}
    for constant in constants:
        match = _find_match(constant, old, new)
        if match is None:
            found[constant] = Removed()
            continue
        was, text = before.expression_text(constant), after.expression_text(match)
        found[constant] = Unchanged(match) if was == text else Edited(match, was, text)
    return found


def _find_match(constant: Constant, old: tuple[Constant, ...], new: tuple[Constant, ...]) -> Constant | None:
    """Return the one of the same name and file; of several, where they are as many as before, the one in its place."""
    alike, candidates = _find_same_named(constant, old), _find_same_named(constant, new)
    if len(alike) != len(candidates) or constant not in alike:
        return None
    return candidates[alike.index(constant)]


def _find_same_named(constant: Constant, known: tuple[Constant, ...]) -> list[Constant]:
    """Without the place: ``Adam.lr@42`` may have moved."""

    def key(each: Constant) -> tuple[str, str, object]:
        return each.name.partition("@")[0], each.sites[0].source, each.form

    return [each for each in known if key(each) == key(constant)]


class _Texts:
    def __init__(self, program: Program) -> None:
        self._layouts = {name: SourceText(source) for name, source in program.sources.items()}

    def expression_text(self, constant: Constant) -> str:
        nodes = (self._layouts[site.source].expressions[site.span] for site in constant.sites)
        return ", ".join(map(ast.unparse, nodes))

"""Widths that two layers share as literals of their own: ``Linear(7, 32), Linear(32, 1)``. One alone cannot vary."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tune.promotion.find.literals import Unknown, evaluate_literal
from tune.promotion.find.project import Project

OUTPUTS = frozenset({"out_features", "out_channels", "hidden_size", "embedding_dim", "d_model"})
"""Parameters of torch's layers that say how wide their output is."""
INPUTS = frozenset({"in_features", "in_channels", "num_features", "input_size", "normalized_shape", "d_model"}) | {
    "embed_dim"
}
"""Those that say how wide their input is."""
WIDTHS = OUTPUTS | INPUTS
LEAST_ROWS = 8
"""Below this, three numbers are no image's: depths of blocks may be ``(1, 2, 2)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthLiteral:
    """A whole number that a call gives to one of WIDTHS."""

    parameter: str
    value: int
    owner: tuple[str, int]
    """The file, and an identity of the class or function that the call stands in."""
    call: tuple[int, int]
    """Line and column of the call."""
    where: str
    """``file:line`` of the literal."""


def find_bound_widths(literals: Iterable[WidthLiteral]) -> Mapping[WidthLiteral, str]:
    """Return the place of an input's literal that fits an output's, by the output.

    It fits where it is equal, and stands in another call of the same class or function: behind it the next layer,
    before it the data that an autoencoder has to return. A multiple fits in the layer that comes next, for the output
    of a convolution is flattened.
    """
    layers: dict[tuple[str, int], list[WidthLiteral]] = defaultdict(list)
    for each in literals:
        if each.value > 1:
            layers[each.owner].append(each)
    return {
        each: place
        for group in layers.values()
        for each in group
        if each.parameter in OUTPUTS and (place := _find_fitting_input(each, group)) is not None
    }


def _find_fitting_input(output: WidthLiteral, group: Sequence[WidthLiteral]) -> str | None:
    inputs = sorted((each for each in group if each.parameter in INPUTS), key=lambda each: each.call)
    behind = [each for each in inputs if each.call > output.call]
    before = [each for each in inputs if each.call < output.call]
    equal = [each.where for each in (*behind, *before) if each.value == output.value]
    multiple = [each.where for each in behind[:1] if each.value % output.value == 0]
    return next(iter(equal + multiple), None)


def find_last_width(node: ast.ClassDef) -> ast.expr | None:
    """Return the output width of a class's last linear layer, of literals such as ``10`` or ``28 * 28``; else None."""
    calls = [each for each in ast.walk(node) if isinstance(each, ast.Call) and _is_linear(each.func)]
    last = max(calls, key=lambda call: (call.lineno, call.col_offset), default=None)
    if last is None:
        return None
    widths = [*last.args[1:2], *(keyword.value for keyword in last.keywords if keyword.arg == "out_features")]
    return next((width for width in widths if not isinstance(evaluate_literal(width), Unknown)), None)


def _is_linear(function: ast.expr) -> bool:
    name = (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
    return name in ("Linear", "LazyLinear")


def find_last_widths(project: Project) -> frozenset[tuple[str, int]]:
    """Return file and line of what ``find_last_width`` finds, of all classes."""
    return frozenset(
        (survey.source.name, width.lineno)
        for survey in project.surveys.values()
        for node in ast.walk(survey.source.tree)
        if isinstance(node, ast.ClassDef) and (width := find_last_width(node)) is not None
    )


def is_image_shape(value: object) -> bool:
    """Tell ``(1, 28, 28)``: one channel or three, and as many rows as columns."""
    match value:
        case (1 | 3, int(rows), int(columns)) | [1 | 3, int(rows), int(columns)]:
            return rows == columns >= LEAST_ROWS
        case _:
            return False

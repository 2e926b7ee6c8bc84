"""Which parameters take a constant's value: ``B1`` reaches ``Adam.betas``, perhaps by way of others' names.

Values are followed by the names that hold them, whatever the scope: enough for a range, and for what is listed first.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tune.promotion.constant import Constant, ConstantKind, ReceivingParameter, Span, ValueFlows
from tune.promotion.find.arguments import Call
from tune.promotion.find.containers import entries_of
from tune.promotion.find.module_scan import ModuleScan, dotted_path
from tune.promotion.find.signatures import parameters_of
from tune.promotion.options.option import Option
from tune.space.dimensions import is_number

IN_CALLS = frozenset({ConstantKind.ARGUMENT, ConstantKind.PARAMETER})
"""Forms that stand in calls."""

MAX_NAMES = 20
"""Names that a value is followed through."""


def find_value_flows(calls: Iterable[Call], surveys: Iterable[ModuleScan]) -> ValueFlows:
    """Return the flows of a program."""
    flows = ValueFlows()
    _add_calls(flows, calls)
    _add_assignments(flows, surveys)
    return flows


def add_holders(constants: Iterable[Constant], surveys: Iterable[ModuleScan]) -> Iterator[Constant]:
    """Yield the constants; a number that a module's name is made of by a function gets that name as its holder.

    ``LR = from_environment("LR", 1e-3)``: ``from_environment.default`` goes into ``LR``.
    """
    holders = {survey.source.name: list(_find_holders(survey)) for survey in surveys}
    for each in constants:
        is_made_of = each.form in IN_CALLS and is_number(each.value)
        names = (
            name
            for site in (each.sites if is_made_of else ())
            for name, span in holders[site.source]
            if span.is_around(site.span)
        )
        name = next(names, None)
        yield each if name is None else replace(each, holder=name)


def _find_holders(survey: ModuleScan) -> Iterator[tuple[str, Span]]:
    """Yield names and entries of the module's level that calls of functions make, the innermost first."""
    bound = [(name, each.value) for name, bindings in survey.bindings.items() for each in bindings]
    while bound:
        name, value = bound.pop()
        entries = [] if value is None else [(entry.key, entry.value) for entry in entries_of(name, value)]
        bound += entries
        if isinstance(value, ast.Call) and not entries and _is_function(value):
            yield name, Span.from_node(value)


def _is_function(call: ast.Call) -> bool:
    """Tell a function from a class, by its name: the arguments of a class are hyperparameters of their own."""
    name = (dotted_path(call.func) or "").rpartition(".")[2]
    return name.lstrip("_")[:1].islower()


def receiving_parameters(held: Constant | Option, flows: ValueFlows) -> tuple[ReceivingParameter, ...]:
    """Return the parameters that a constant or an option reaches, the nearest first."""
    words = re.findall(r"\w+", held.dest if isinstance(held, Option) else held.name.partition("@")[0])
    if isinstance(held, Constant) and held.form is ConstantKind.ARGUMENT and held.holder is None:
        return ((words[-2], words[-1]),)
    found: dict[ReceivingParameter, None] = {}
    names = words[-1:] if isinstance(held, Option) or held.holder is None else [held.holder]
    for name in names:  # it grows
        found |= flows.receivers.get(name, {})
        for callee, path, position in flows.positions.get(name, ()):
            parameters = parameters_of(path) or ()
            found |= {(callee, parameter): None for parameter in parameters[position : position + 1]}
        names += [each for each in flows.names.get(name, ()) if each not in names][: MAX_NAMES - len(names)]
    return tuple(found)


def _add_calls(flows: ValueFlows, calls: Iterable[Call]) -> None:
    for call in calls:
        for argument in call.arguments:
            for name in _find_last_names(argument.value):
                if argument.name is not None:
                    flows.receivers[name][call.callee, argument.name] = None
                elif argument.library is not None:
                    flows.positions[name][call.callee, *argument.library] = None
                if argument.parameter is not None:
                    flows.names[name][argument.parameter.name] = None


def _add_assignments(flows: ValueFlows, surveys: Iterable[ModuleScan]) -> None:
    for survey in surveys:
        for held, values in survey.held.items():
            for name in (name for value in values for name in _find_last_names(value)):
                flows.names[name][held] = None
        for overwrite in survey.overwrites:
            for name in _find_last_names(overwrite.value) if overwrite.value is not None else ():
                flows.names[name][overwrite.path.rpartition(".")[2]] = None


def _find_last_names(node: ast.expr) -> Iterator[str]:
    """Yield the last names of what an expression takes as it is; of a tuple, of each element."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name))):
            yield name
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            for each in elements:
                yield from _find_last_names(each)
        case ast.Call(func=ast.Name(id="float" | "int" | "tuple" | "list"), args=[inner]):
            yield from _find_last_names(inner)

"""The functions and classes of whose parameters fire and jsonargparse make options: ``Fire(Main)``, ``CLI(go)``."""

import ast
import re
from collections.abc import Mapping, Sequence

from tune.promotion.assigned_values import find_assigned_values
from tune.promotion.find.module_scan import CallSite, ModuleScan, dotted_path
from tune.promotion.find.project import Project, ProjectSymbol
from tune.promotion.find.signatures import Parameter, signature_of

FIRE = frozenset({"fire.Fire", "Fire"})
JSONARGPARSE = frozenset({"CLI", "jsonargparse.CLI", "auto_cli", "jsonargparse.auto_cli"})
"""Jsonargparse's functions that make options of a function's parameters."""
TRAINS = re.compile(r"train|fit")
"""In the name of the command that a search gives."""


def find_components(
    called: CallSite, survey: ModuleScan, project: Project, args: Sequence[str]
) -> tuple[ProjectSymbol, ...]:
    """Return them. Of several commands it is the one that ``args`` name, else the first one that trains.

    ``called``: also a call of jsonargparse's CLI, whose component is a function or a class.
    """
    component = called.node.args[0] if called.node.args else None
    own = _resolve(component, survey, project)
    if dotted_path(called.node.func) not in FIRE:
        return () if own is None else (own,)
    if own is not None and not isinstance(own.node, ast.ClassDef):
        return (own,)
    commands = find_fire_commands(called, survey, project)
    named = [commands[word] for word in args if word in commands]
    train = [command for name, command in commands.items() if TRAINS.search(name)]
    named_class = dotted_path(component) if component is not None else None
    is_class = named_class is not None and project.resolve_name(named_class, survey) == own
    return (*((own,) if own is not None and is_class else ()), *(named or train[:1] or commands.values()))


def find_fire_commands(called: CallSite, survey: ModuleScan, project: Project) -> Mapping[str, ProjectSymbol]:
    """Return the functions that a word of the command line chooses among, by that word; none without a choice."""
    component = called.node.args[0] if called.node.args else None
    if dotted_path(called.node.func) not in FIRE:
        return {}
    if component is None and not called.node.keywords:
        found = {name: ProjectSymbol(survey, each) for name, nodes in survey.definitions.items() for each in nodes[:1]}
        return {name: each for name, each in found.items() if _is_public_function(each.node)}
    if isinstance(component, ast.Dict):
        named = {key: _resolve(value, survey, project) for key, value in _list_entries(component)}
        return {name: each for name, each in named.items() if each is not None and _is_public_function(each.node)}
    own = _resolve(component, survey, project)
    if own is None or not isinstance(own.node, ast.ClassDef):
        return {}
    methods = [each for each in own.node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {each.name: ProjectSymbol(own.survey, each) for each in methods if _is_public_function(each)}


def find_required_parameters(
    called: CallSite, survey: ModuleScan, project: Project, args: Sequence[str] = ()
) -> tuple[Parameter, ...]:
    """Return the parameters without a default that a call of fire's or jsonargparse's has the command line fill."""
    if dotted_path(called.node.func) not in FIRE | JSONARGPARSE:
        return ()
    signatures = (signature_of(each, project) for each in find_components(called, survey, project, args))
    parameters = (each for signature in signatures if signature is not None for each in signature.parameters)
    return tuple(each for each in parameters if each.default is None and each.name != "self")


def find_positionals(
    called: CallSite, survey: ModuleScan, project: Project, args: Sequence[str] = ()
) -> frozenset[str]:
    """Return the parameters that jsonargparse takes as words without a name: those without a default."""
    is_off = any(
        keyword.arg == "as_positional" and isinstance(keyword.value, ast.Constant) and not keyword.value.value
        for keyword in called.node.keywords
    )
    if dotted_path(called.node.func) not in JSONARGPARSE or is_off:
        return frozenset()
    return frozenset(each.name for each in find_required_parameters(called, survey, project, args))


def _list_entries(node: ast.Dict) -> list[tuple[str, ast.expr]]:
    pairs = zip(node.keys, node.values, strict=True)
    return [(str(key.value), value) for key, value in pairs if isinstance(key, ast.Constant)]


def _resolve(node: ast.expr | None, survey: ModuleScan, project: Project) -> ProjectSymbol | None:
    """Return the function or class that a component is, or of which it is an object."""
    values = [] if node is None else [(survey, node), *find_assigned_values(node, survey, project)]
    for there, value in values:
        path = dotted_path(value.func if isinstance(value, ast.Call) else value)
        found = project.resolve_name(path, there) if path is not None else None
        if isinstance(found, ProjectSymbol) and (isinstance(found.node, ast.ClassDef) or value is node):
            return found
    return None


def _is_public_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")

"""What a name, an attribute or an element of a container may hold, by all assignments to it."""

import ast
from collections.abc import Iterator

from tune.promotion.find.module_scan import ModuleScan, dotted_path
from tune.promotion.find.project import Project, Variable

MAX_HOPS = 4
"""Names followed from a container to where it is made."""

Assigned = Iterator[tuple[ModuleScan, ast.expr]]
"""Expressions, each with the file that it stands in."""


def find_assigned_values(node: ast.expr, survey: ModuleScan, project: Project) -> Assigned:
    """Yield what a name or an attribute is assigned, in any scope of its file; of what is looped over the elements."""
    path = dotted_path(node) or ""
    match project.resolve_name(path, survey) if path else None:
        case Variable(survey=there, name=name):
            yield from ((there, value) for value in there.held.get(name, ()))
        case _:
            yield from ((survey, value) for value in survey.held.get(path, ()))
    yield from ((survey, each.value) for each in survey.overwrites if each.path == path and each.value is not None)
    match node:
        case ast.Name(id=name):
            for looped in _find_looped(name, survey):
                yield from _find_elements(looped, survey)
        case ast.Subscript(value=base):
            yield from _find_elements(base, survey)


def _find_looped(name: str, survey: ModuleScan) -> Iterator[ast.expr]:
    """Yield what is looped over with a name: ``for trainer in trainers``."""
    for node in ast.walk(survey.source.tree):
        match node:
            case ast.For(target=target, iter=looped) | ast.comprehension(target=target, iter=looped):
                if any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(target)):
                    yield looped


def _find_elements(node: ast.expr, survey: ModuleScan, hops: int = MAX_HOPS) -> Assigned:
    """Yield the elements of a container, of what a name holds, and of all that a call takes: ``zip(a, b.values())``."""
    if not hops:  # a name may be assigned what is made of itself: `x = x.flatten(1)`
        return
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Dict(values=elements):
            yield from ((survey, each) for each in elements)
        case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element) | ast.DictComp(value=element):
            yield survey, element
        case ast.Call(func=function, args=arguments, keywords=keywords):
            yield from ((survey, each.value) for each in keywords)
            for each in (*arguments, *([function.value] if isinstance(function, ast.Attribute) else [])):
                yield from _find_elements(each, survey, hops - 1)
        case ast.Name() | ast.Attribute():
            for value in survey.held.get(dotted_path(node) or "", ()):
                yield from _find_elements(value, survey, hops - 1)

"""Defaults that a program gives its parser after the options are declared: ``parser.set_defaults(lr=0.3)``."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from tune.promotion.constant import Site, Span
from tune.promotion.find.literals import Unknown, evaluate_literal, source_of
from tune.promotion.find.module_scan import CallSite, ModuleScan
from tune.promotion.find.project import Project
from tune.promotion.find.scan import is_main_guard
from tune.space.dimensions import Value

PARSERS = frozenset({"ArgumentParser", "add_parser"})
"""Functions that make a parser of argparse's."""


@dataclass(frozen=True, slots=True)
class ChangedDefaults:
    """What ``set_defaults`` says in all files of a program."""

    values: dict[str, Value | Unknown] = field(default_factory=dict)
    """By the option's name in the Namespace; Unknown where only running the program can tell."""
    sites: dict[str, Site] = field(default_factory=dict)
    """Where those of them stand that are literals."""
    of_any: Unknown | None = None
    """The expression that may hold a default for every option: ``**config``; None where there is none."""

    def value_of(self, dest: str, declared: Value | Unknown, place: str) -> Value | Unknown:
        """Return the default of an option; ``declared``: its own, at a ``place``, which wins over an earlier one."""
        site = self.sites.get(dest)
        if site is not None and declared is not None and not isinstance(declared, Unknown):
            file, _, line = place.rpartition(":")
            if file == site.source and site.span.line < int(line):
                return declared
        return self.values.get(dest, declared if self.of_any is None else self.of_any)


def changed_defaults(project: Project) -> ChangedDefaults:
    """Return what the program's calls of ``set_defaults`` change."""
    values: dict[str, Value | Unknown] = {}
    sites: dict[str, Site] = {}
    of_any: Unknown | None = None
    for survey in project.surveys.values():
        for called in survey.calls:
            if not isinstance(called.node.func, ast.Attribute) or called.node.func.attr != "set_defaults":
                continue
            certain = _is_always_executed(called, survey)
            for dest, value in _find_set_defaults(called.node):
                if dest is None:
                    of_any = Unknown(source_of(value))
                    continue
                text = Unknown(source_of(value))
                values[dest] = evaluate_literal(value) if certain and dest not in values else text
                sites[dest] = Site(survey.source.name, Span.from_node(value))
    n_parsers = sum(_makes_parser(called.node) for survey in project.surveys.values() for called in survey.calls)
    is_certain = n_parsers < 2  # of one of several parsers the options of another have nothing
    literal = {dest: site for dest, site in sites.items() if is_certain and not isinstance(values[dest], Unknown)}
    return ChangedDefaults(values, literal, of_any)


def _makes_parser(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name | ast.Attribute) and (
        (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) in PARSERS
    )


def _find_set_defaults(node: ast.Call) -> Iterator[tuple[str | None, ast.expr]]:
    """Yield names with their defaults, by keyword or in jsonargparse's dictionary; None: any name."""
    for keyword in node.keywords:
        yield keyword.arg, keyword.value
    for argument in node.args:
        if isinstance(argument, ast.Dict):
            for key, value in zip(argument.keys, argument.values, strict=True):
                yield key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None, value
        else:
            yield None, argument


def _is_always_executed(called: CallSite, survey: ModuleScan) -> bool:
    """Tell whether no condition and no loop encloses a call; the guard of ``__main__`` is no condition."""
    guards = {id(node) for node in survey.source.tree.body if isinstance(node, ast.If) and is_main_guard(node.test)}
    return not called.scope.in_loop and all(statement in guards for statement, _ in called.scope.branch)


def is_add_argument(function: ast.expr, survey: ModuleScan) -> bool:
    """Tell ``parser.add_argument``, and a name that holds it: ``arg = parser.add_argument``."""
    held = survey.held.get(function.id, ()) if isinstance(function, ast.Name) else (function,)
    return any(isinstance(each, ast.Attribute) and each.attr == "add_argument" for each in held)


def adds_argument(function: ast.expr, survey: ModuleScan) -> bool:
    """Tell what declares an option of a parser of argparse's, and ``add`` of parsers that call it so."""
    return (isinstance(function, ast.Attribute) and function.attr == "add") or is_add_argument(function, survey)

"""Classes and functions that nothing in the program uses: their constants are not searched."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from tune.promotion.find.module_scan import CallSite, Definition, ModuleScan, dotted_path
from tune.promotion.find.project import Project, ProjectSymbol
from tune.promotion.find.usages import Place, is_open_cli

BUILTINS = frozenset({"globals", "eval", "exec", "__import__"})
"""Builtins by which a program may build a class that it does not name; ``net.eval()`` is none of them."""
BY_ANY_NAME = frozenset({"import_module", "__subclasses__"})
"""Functions and methods that do the same."""
BY_CONFIG = frozenset({"instantiate", "get_class"})
"""Functions that build what a config names."""


def find_unused_definitions(
    project: Project, unbuilt: frozenset[str] = frozenset()
) -> list[tuple[ModuleScan, Definition]]:
    """Return the classes and functions that nothing of the program names, but for what is unused itself.

    There is none where any class may be built by a name that is put together. One of the program's own file is used,
    and so is one that a config file names, but for ``unbuilt``, and one of a module that is taken as a whole.
    """
    named = project.program.named_objects - unbuilt
    if any(
        _may_build_any_class(survey, configs_are_known=bool(named | unbuilt)) for survey in project.surveys.values()
    ):
        return []
    exposed = _find_exposed(project)
    unused = [
        (survey, node)
        for survey in project.surveys.values()
        for nodes in survey.definitions.values()
        for node in nodes
        if survey is not project.main and not node.decorator_list
        if node.name not in named and id(node) not in exposed
    ]
    mentions = _find_mentions({node.name for _, node in unused}, project)
    while True:  # a class that only unused ones name is unused
        bodies: dict[str, list[Definition]] = {}
        for survey, node in unused:
            bodies.setdefault(survey.source.name, []).append(node)
        left = [
            (survey, node)
            for survey, node in unused
            if all(_lies_in(line, bodies.get(place.source.name, ())) for place, line in mentions.get(node.name, ()))
        ]
        if len(left) == len(unused):
            return left
        unused = left


def _find_mentions(names: set[str], project: Project) -> dict[str, list[Place]]:
    """Return where each name is read, under another name too; imports alone are no reads."""
    found: dict[str, list[Place]] = {}
    aliases = {  # another module may read the alias: ``flow.D`` of ``from .settings import Defaults as D``
        (name, each.asname)
        for survey in project.surveys.values()
        for node in survey.imports
        for each in node.names
        if each.asname and (name := each.name.rpartition(".")[2]) in names
    }
    for survey in project.surveys.values():
        reads = [(name, survey.name_reads[name]) for name in names & survey.name_reads.keys()]
        reads += [(name, survey.attribute_reads[name]) for name in names & survey.attribute_reads.keys()]
        if "getattr" in survey.name_reads:
            reads += [(name, survey.strings[name]) for name in names & survey.strings.keys()]
        reads += [
            (name, reads_of.get(alias, []))
            for name, alias in aliases
            for reads_of in (survey.name_reads, survey.attribute_reads)
        ]
        for name, lines in reads:
            found.setdefault(name, []).extend((survey, line) for line in lines)
    return found


def _find_exposed(project: Project) -> set[int]:
    """Return the ``id`` of each class and function of a module that is taken as a whole: ``getattr(nets, name)``."""
    found: set[int] = set()
    for module in _find_whole_modules(project):
        aliases = {each.asname or each.name for node in module.imports for each in node.names}
        starred = [each for _, each in project.star_imports(module)]
        for name, seen_in in (
            *((name, module) for name in aliases | module.definitions.keys()),
            *((name, each) for each in starred for name in each.definitions),
        ):
            match project.resolve_name(name, seen_in):
                case ProjectSymbol(node=node):
                    found.add(id(node))
    return found


def _find_whole_modules(project: Project) -> Iterator[ModuleScan]:
    for survey in project.surveys.values():
        looked_up = [found for each in survey.calls if (found := _looked_up_in(each)) is not None]
        paths = {path for path, name in looked_up if not isinstance(name, ast.Constant)}
        by_name = Counter(path for path, name in looked_up if isinstance(name, ast.Constant))
        paths |= {name for name, lines in survey.bare_reads.items() if len(lines) > by_name[name]}
        for path in paths:
            if (module := project.find_module(path, survey)) is not None:
                yield module


def _looked_up_in(called: CallSite) -> tuple[str, ast.expr] | None:
    """Return the path of the object in which a ``getattr`` looks, and the name that it looks up."""
    match called.node:
        case ast.Call(func=ast.Name("getattr"), args=[base, name, *_]) if (path := dotted_path(base)) is not None:
            return path, name
        case _:
            return None


def _lies_in(line: int, bodies: Iterable[Definition]) -> bool:
    return any(node.lineno <= line <= (node.end_lineno or line) for node in bodies)


def _may_build_any_class(survey: ModuleScan, *, configs_are_known: bool) -> bool:
    """Tell whether classes may be built that nothing names; ``configs_are_known``: what config files name is known."""
    names = BY_ANY_NAME if configs_are_known else BY_ANY_NAME | BY_CONFIG
    if (names | BUILTINS) & survey.name_reads.keys() or names & survey.attribute_reads.keys():
        return True
    if not configs_are_known and _imports_hydra(survey):
        return True
    return any(map(_takes_any_class, survey.calls))


def _imports_hydra(survey: ModuleScan) -> bool:
    return any((alias.name.partition(".")[0] == "hydra") for node in survey.imports for alias in node.names)


def _takes_any_class(called: CallSite) -> bool:
    """Tell ``getattr(sys.modules[name], text)``, that of a call's result, and a LightningCLI without a class."""
    match called.node:
        case ast.Call(func=ast.Name("getattr"), args=[base, text, *_]):
            return dotted_path(base) is None and not isinstance(text, ast.Constant)
    name = (dotted_path(called.node.func) or "").rpartition(".")[2]
    return name.endswith("CLI") and is_open_cli(called.node)

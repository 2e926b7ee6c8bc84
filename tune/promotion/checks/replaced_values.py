"""Where a program may put something else in the place of a searched value: a reason to try whether the value counts.

What is found here proves nothing. The pre-flight does, with other values (``tune/trial/effects/trained_state.py``).
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tune.promotion.configs.set_elsewhere import SetElsewhere
from tune.promotion.constant import Constant, Span, ValueFlows
from tune.promotion.find.module_scan import BindingKind, ModuleScan, dotted_path
from tune.promotion.find.project import Project, project_of
from tune.promotion.find.value_flow import MAX_NAMES
from tune.promotion.find_constants import find_all
from tune.promotion.options.declared_options import find_options
from tune.promotion.options.option import Option
from tune.promotion.program import Program
from tune.space.dimensions import canonical_name

COPIES = frozenset(
    {"replace", "_replace", "evolve", "update", "dict", "model_copy", "SimpleNamespace", "Namespace", "set_defaults"}
) | frozenset({"merge", "unsafe_merge"})
"""Functions that make an object with other values of some names, or change one: the last part of their name."""
LOOKED_AT = (ast.Assign, ast.AnnAssign, ast.Call, ast.Subscript, ast.Dict, ast.BinOp)
MOST_SHOWN = 60
"""Characters of a piece of source in an error."""


@dataclass(frozen=True, slots=True)
class _Write:
    """A value that something in the source gets in the place of another one."""

    survey: ModuleScan
    node: ast.stmt | ast.expr
    name: str | None
    """Of what gets it; None where only running the program can tell."""
    value: ast.expr | None


@dataclass(frozen=True, slots=True)
class _Choice:
    """A place that takes one of several things."""

    survey: ModuleScan
    node: ast.expr
    key: str | None
    """Which one; None where only running the program can tell."""


def find_replacements(
    program: Program, searched: Mapping[str, Constant | Option], args: Sequence[str] = ()
) -> dict[str, str]:
    """Return, by the keys of searched values, what may be in the place of one: ``train.py:53 has `cfg.lr = 1e-3```.

    ``args``: the command line of the program, whose config files may fill in a value.
    """
    if not searched:
        return {}
    elsewhere = SetElsewhere(program, find_options(program, args), args)
    source = _ReplacingSource(project_of(program), find_all(program).flows)
    found = {key: source.find_replacement(held) for key, held in searched.items()}
    for key, held in searched.items():
        if isinstance(held, Constant) and (option := elsewhere.find_filling_value(held)) is not None:
            found[key] = f"{option.where} has {option.name.rstrip('=')}, which {option.name} searches"
    return {key: text for key, text in found.items() if text is not None}


def may_read_hyperparameter(program: Program, name: str) -> bool:
    """Tell whether the program may read a value that a module saved: ``self.hparams.lr``, ``**self.hparams``."""
    for source in program.sources.values():
        told = set[int]()
        for node in ast.walk(source.tree):  # outer expressions before inner ones
            match node:
                case ast.Attribute(value=base, attr=read) | ast.Subscript(value=base, slice=ast.Constant(value=read)):
                    if _is_hyperparameters(base) and read != name and (read not in dir(dict)):
                        told.add(id(base))
            if _is_hyperparameters(node) and id(node) not in told:
                return True
    return False


def _is_hyperparameters(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr="hparams") | ast.Name(id="hparams"):
            return True
        case _:
            return False


class _ReplacingSource:
    """The places of a project where one value may take another one's place."""

    def __init__(self, project: Project, flows: ValueFlows) -> None:
        self._surveys = list(project.surveys.values())
        self._flows = flows

    def find_replacement(self, held: Constant | Option) -> str | None:
        if isinstance(held, Constant) and (choice := self._find_choice(held)) is not None:
            return _describe_place(*choice, "takes")
        own = [(site.source, site.span) for site in held.sites] if isinstance(held, Constant) else []
        last = canonical_name((held.name if isinstance(held, Constant) else held.dest).partition("@")[0])
        names = [last.rpartition(".")[2]]
        for name in names:  # it grows
            names += [each for each in self._flows.names.get(name, ()) if each not in names][: MAX_NAMES - len(names)]
        for each in self._writes:
            if (each.name is None or each.name in names) and not (
                _is_around(each, own) or (each.value is not None and _find_names(each.value) & {*names})
            ):
                return _describe_place(each.survey, each.node, "has")
        return None

    def _find_choice(self, constant: Constant) -> tuple[ModuleScan, ast.expr] | None:
        """Return where the program takes one of several things in one of which a constant lies: ``CONFIGS[name]``."""
        root = canonical_name(constant.name).partition(".")[0]
        for name, survey, table in self._tables:
            for key, entry in _find_entries(table):
                lies_in = root in _find_names(entry) or any(
                    site.source == survey.source.name and Span.from_node(entry).is_around(site.span)
                    for site in constant.sites
                )
                for choice in self._choices.get(name, ()) if lies_in else ():
                    if choice.key is None or choice.key != key:
                        return choice.survey, choice.node
        return None

    @cached_property
    def _tables(self) -> list[tuple[str, ModuleScan, ast.expr]]:
        """The displays of several things, by the last names of what holds them; of one without a name its place."""
        found: list[tuple[str, ModuleScan, ast.expr]] = []
        for survey in self._surveys:
            for node in ast.walk(survey.source.tree):
                match node:
                    case (
                        ast.Assign(targets=[target], value=value)
                        | ast.AnnAssign(target=target, value=ast.expr() as value)
                    ):
                        path = dotted_path(target)
                    case ast.Subscript(value=ast.Dict() | ast.List() | ast.Tuple() as value):
                        path = str(id(value))
                    case _:
                        continue
                if path is not None and len(_find_entries(value)) > 1:
                    found.append((path.rpartition(".")[2], survey, value))
        return found

    @cached_property
    def _choices(self) -> dict[str, list[_Choice]]:
        """By the last name of what holds several things, where one of them is taken."""
        found: dict[str, list[_Choice]] = {}
        for survey, nodes in self._nodes:
            for node in nodes:
                match node:
                    case ast.Subscript(value=base, slice=key, ctx=ast.Load()) if not isinstance(key, ast.Slice):
                        pass
                    case ast.Call(func=ast.Attribute(value=base, attr="get"), args=[key, *_]):
                        pass
                    case _:
                        continue
                path = dotted_path(base)
                name = str(id(base)) if path is None else path.rpartition(".")[2]
                found.setdefault(name, []).append(_Choice(survey, node, _find_text(key)))
        return found

    @cached_property
    def _writes(self) -> list[_Write]:
        return [
            each
            for survey, nodes in self._nodes
            for each in (*_find_writes(survey, nodes), *_find_rebound_names(survey))
        ]

    @cached_property
    def _nodes(self) -> list[tuple[ModuleScan, list[ast.AST]]]:
        """The parts of each file that are looked at: most of the time goes into walking over the others."""
        return [
            (survey, [node for node in ast.walk(survey.source.tree) if isinstance(node, LOOKED_AT)])
            for survey in self._surveys
        ]


def _find_entries(table: ast.expr) -> list[tuple[str | None, ast.expr]]:
    """Return the values of a display, or of a call of ``dict``, with their keys if these are written out."""
    match table:
        case ast.Dict(keys=keys, values=values):
            return [(_find_text(key), value) for key, value in zip(keys, values, strict=True) if key is not None]
        case ast.List(elts=values) | ast.Tuple(elts=values):
            return [(None, value) for value in values]
        case ast.Call(keywords=keywords):
            return [(each.arg, each.value) for each in keywords if each.arg is not None]
        case _:
            return []


def _find_writes(survey: ModuleScan, nodes: Iterable[ast.AST]) -> Iterator[_Write]:
    """Yield assignments to attributes and entries, calls that replace values, and displays that merge mappings."""
    for node in nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from (_Write(survey, node, name, value) for each in targets if (name := _find_target(each)))
            case ast.AnnAssign(target=target, value=ast.expr() as value) if name := _find_target(target):
                yield _Write(survey, node, name, value)
            case ast.Call(func=ast.Name(id="setattr"), args=[_, key, value]):
                yield _Write(survey, node, _find_text(key), value)
            case ast.Call(func=ast.Name(id=function) | ast.Attribute(attr=function)) if function in COPIES:
                given = [*node.keywords, *_find_keyed_values(node.args)]
                yield from (_Write(survey, node, each.arg, each.value) for each in given if each.arg is not None)
                spread = (each.value for each in node.keywords if each.arg is None)
                yield from (_Write(survey, node, each.arg, each.value) for each in _find_keyed_values(spread))
            case ast.Dict(keys=keys, values=values) if None in keys:
                yield from _find_merged(survey, node, keys, values)
            case ast.BinOp(op=ast.BitOr(), right=ast.Dict() as right):
                yield from (_Write(survey, node, each.arg, each.value) for each in _find_keyed_values([right]))


def _find_merged(
    survey: ModuleScan, node: ast.Dict, keys: list[ast.expr | None], values: list[ast.expr]
) -> Iterator[_Write]:
    """Yield what may replace a value that ``**`` has brought into a dict before."""
    for key, value in list(zip(keys, values, strict=True))[keys.index(None) + 1 :]:
        yield _Write(survey, node, None if key is None else _find_text(key), None if key is None else value)


def _find_rebound_names(survey: ModuleScan) -> Iterator[_Write]:
    """Yield what is assigned to a name of a function that holds something already."""
    for function in survey.functions.values():
        for name, bindings in function.bindings.items():
            for each in bindings[1:]:
                if each.how is BindingKind.ASSIGNED and each.value is not None:
                    yield _Write(survey, each.value, name, each.value)


def _find_target(target: ast.expr) -> str | None:
    match target:
        case ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case _:
            return None


def _find_keyed_values(nodes: Iterable[ast.expr]) -> Iterator[ast.keyword]:
    """Yield the entries of dict displays that have a literal key."""
    for node in nodes:
        for key, value in zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ():
            if key is not None and (name := _find_text(key)) is not None:
                yield ast.keyword(name, value)


def _find_text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _find_names(node: ast.expr) -> set[str]:
    """Return the names, attributes and literal keys in an expression."""
    found = set[str]()
    for each in ast.walk(node):
        match each:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
                found.add(name)
    return found


def _is_around(write: _Write, own: list[tuple[str, Span]]) -> bool:
    """Tell whether what is written is the searched value itself."""
    if write.value is None:
        return False
    span = Span.from_node(write.value)
    return any(source == write.survey.source.name and span.is_around(each) for source, each in own)


def _describe_place(survey: ModuleScan, node: ast.stmt | ast.expr, verb: str) -> str:
    text = " ".join(ast.unparse(node).split())
    shown = text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."
    return f"{survey.place_of_line(node.lineno)} {verb} `{shown}`"

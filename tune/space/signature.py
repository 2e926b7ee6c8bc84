"""The arguments of a library's class, read from the installed file with `ast`: importing it takes seconds."""

import ast
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tune.errors import SpaceError, suggest
from tune.space.dimensions import Value, is_number

SIMPLE = frozenset({"int", "float", "bool", "str", "None"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a constructor."""

    name: str
    """As the library calls it."""
    kinds: frozenset[str]
    """Of SIMPLE: what it takes. Empty where the annotation names other types as well, which are not checked."""


@cache
def arguments_of_class(package: str, file: str, name: str) -> dict[str, Argument]:
    """Return the arguments of ``name.__init__`` in the library's order; none where it is not installed."""
    path = _installed(package, file)
    if path is None:
        return {}
    init = _constructor(ast.parse(path.read_bytes()), name)
    arguments = [*init.args.args[1:], *init.args.kwonlyargs]
    return {each.arg: Argument(name=each.arg, kinds=_kinds(each.annotation)) for each in arguments}


def check_argument(
    name: str, value: Value, known: Mapping[str, Argument], ours: Mapping[str, str], owner: str, where: str | None
) -> None:
    """Raise SpaceError at an argument of the ``ours`` (name: why), an unknown one, or a value of the wrong type.

    ``owner`` is the key of the space file, as in ``trainer``. Nothing is unknown where the library is not installed.
    """
    if name in ours:
        raise SpaceError(where, f"{owner}: {name!r} is set by the search", f"Take it out: {ours[name]}.")
    if not known:
        return
    if name not in known:
        hint = suggest(name, known.keys() - ours.keys(), what="arguments")
        raise SpaceError(where, f"{owner}: no such argument, got {name!r}", hint)
    kinds = known[name].kinds
    if kinds and not _fits(value, kinds):
        expected = " or ".join(sorted(kinds - {"None"}))
        raise SpaceError(
            where, f"{owner}: {name} takes {expected}, got {value!r}", f"Write a value of type {expected}."
        )


def _installed(package: str, file: str) -> Path | None:
    spec = importlib.util.find_spec(package)  # of a top-level name: imports nothing
    folders = (spec.submodule_search_locations or []) if spec else []
    return next((Path(folder) / file for folder in folders if (Path(folder) / file).is_file()), None)


def _constructor(tree: ast.Module, name: str) -> ast.FunctionDef:
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    functions = (node for each in classes for node in each.body if isinstance(node, ast.FunctionDef))
    return next(node for node in functions if node.name == "__init__")


def _kinds(annotation: ast.expr | None) -> frozenset[str]:
    """Return the simple types of ``Optional[Union[int, str]]``; nothing where there are others."""
    names = frozenset(_type_names(annotation)) if annotation is not None else frozenset()
    return names if names <= SIMPLE else frozenset()


def _type_names(node: ast.expr) -> list[str]:
    match node:
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return ["None", *_type_names(inner)]
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=members)):
            return [name for member in members for name in _type_names(member)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*_type_names(left), *_type_names(right)]
        case _:
            return [ast.unparse(node)]


def _fits(value: Value, kinds: frozenset[str]) -> bool:
    name = "None" if value is None else type(value).__name__
    return name in kinds or (is_number(value) and name == "int" and "float" in kinds)

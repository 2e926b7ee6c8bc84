"""Rewrite a file's syntax tree so that its promoted expressions take a trial's values, where there are any."""

import ast
from collections.abc import Iterator
from typing import Any

from tune.promotion.constants import Span
from tune.promotion.notebook import is_line_magic

IN_FORCE = "__promoted__"
"""The name that every module of the program holds the trial's values under."""
HELD = "__held__"
SINGLE = "@"
"""In the name of one place of several (``Net.width@42``): the other places keep their own values."""

Keys = dict[tuple[Span, str | None], str]
"""The promoted expressions of a file: (place, the one target that is meant of several) -> the constant's key."""


def rewrite(tree: ast.Module, keys: Keys) -> None:
    """Change the tree in place."""
    _Promotion(keys).visit(tree)
    ast.fix_missing_locations(tree)


class _Promotion(ast.NodeTransformer):
    """Replace the expressions at given spans."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def visit(self, node: ast.AST) -> Any:
        key = self._keys.get((Span.of(node), None)) if isinstance(node, ast.expr) else None
        if key is None or not isinstance(node, ast.expr):
            return super().visit(node)
        return _promoted(key, node)

    def visit_Expr(self, node: ast.Expr) -> Any:
        """Leave a notebook's line magic out."""
        return ast.copy_location(ast.Pass(), node) if is_line_magic(node) else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """Have a function tell what its promoted parameters hold, each time that it is called."""
        heard = [
            ast.copy_location(_received(key, parameter.arg), node.body[0])
            for parameter, default in _defaults(node.args)
            if (key := self._keys.get((Span.of(default), None))) is not None and SINGLE not in key
        ]
        visited: Any = self.generic_visit(node)
        start = 1 if ast.get_docstring(node, clean=False) is not None else 0
        visited.body[start:start] = heard
        return visited

    def visit_Assign(self, node: ast.Assign) -> Any:
        """Split ``A = B = 7`` where A alone is promoted: ``held = 7``, ``A = promoted``, ``B = held``."""
        span = Span.of(node.value)
        keys = {target: key for (place, target), key in self._keys.items() if place == span and target is not None}
        if not keys:
            return self.generic_visit(node)
        value: Any = self.visit(node.value)
        held = ast.Name(HELD, ast.Load())
        statements: list[ast.stmt] = [ast.Assign([ast.Name(HELD, ast.Store())], value)]
        for target in node.targets:
            key = keys.get(ast.unparse(target))
            taken = held if key is None else _promoted(key, ast.copy_location(ast.Name(HELD, ast.Load()), node.value))
            statements.append(ast.Assign([target], taken))
        statements.append(ast.Delete([ast.Name(HELD, ast.Del())]))
        return [ast.copy_location(statement, node) for statement in statements]


def _defaults(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr]]:
    """Yield the parameters that have a default."""
    positional = [*arguments.posonlyargs, *arguments.args]
    yield from zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield parameter, default


def _received(key: str, name: str) -> ast.stmt:
    """Return ``__promoted__.received(key, name)``."""
    function = ast.Attribute(ast.Name(IN_FORCE, ast.Load()), "received", ast.Load())
    return ast.Expr(ast.Call(function, [ast.Constant(key), ast.Name(name, ast.Load())], []))


def _promoted(key: str, node: ast.expr) -> ast.expr:
    """Return ``__promoted__[key] if key in __promoted__ else node``."""
    table = ast.Name(IN_FORCE, ast.Load())
    taken = ast.Subscript(table, ast.Constant(key), ast.Load())
    held = ast.Compare(ast.Constant(key), [ast.In()], [table])
    return ast.copy_location(ast.IfExp(held, taken, node), node)

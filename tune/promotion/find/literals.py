"""What an expression in the source is worth, without running it."""

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

from tune.space.dimensions import Value

MAX_RESULT = 1e300
"""A literal expression that grows past this is left alone: nobody hardcodes one, and ``9 ** 9 ** 9`` would hang us."""

OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
}


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that only running the program can tell."""

    text: str
    """The expression, as Python writes it."""

    @property
    def is_dotted_name(self) -> bool:
        """Whether the expression is a name, or an attribute of one: ``nn.ReLU``."""
        return is_dotted_name(self.text)

    def __repr__(self) -> str:
        return self.text


def is_dotted_name(text: str) -> bool:
    """Tell whether a text is a name, or an attribute of one."""
    return all(part.isidentifier() and not iskeyword(part) for part in text.split("."))


class Symbol(str):
    """A dotted name that the source resolves, such as ``nn.ReLU``; in the source it stands without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


MOST_BITS = 10_000
"""Of an int: Python writes no longer one in decimal digits."""


def evaluate_literal(node: ast.expr) -> Value | Unknown:
    """Return what a literal, a container of literals, or arithmetic over literals is worth; else Unknown."""
    try:
        return _evaluate_node(node)
    except (ValueError, ArithmeticError, TypeError, RecursionError):
        return Unknown(source_of(node))


def source_of(node: ast.expr) -> str:
    """Return an expression as Python writes it; what it cannot write is told in words."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return "<nested too deep>"
    except ValueError:  # an int in hexadecimal digits may have more than Python writes in decimal ones
        return "<a number of too many digits>"


def _evaluate_node(node: ast.expr) -> Value:
    match node:
        case ast.Constant(value=int(number)) if number.bit_length() > MOST_BITS:
            raise ValueError("too large")
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.Tuple():
            return tuple(_evaluate_node(item) for item in node.elts)
        case ast.List():
            return [_evaluate_node(item) for item in node.elts]
        case ast.Dict():
            return dict(zip(map(_evaluate_key, node.keys), map(_evaluate_node, node.values), strict=True))
        case ast.UnaryOp(op=ast.USub()):
            return -_evaluate_number(node.operand)
        case ast.UnaryOp(op=ast.UAdd()):
            return +_evaluate_number(node.operand)
        case ast.BinOp():
            return _evaluate_arithmetic(node)
        case _:
            raise ValueError(f"no literal: {type(node).__name__}")


def _evaluate_key(node: ast.expr | None) -> str:
    match node:
        case ast.Constant(value=str(key)):
            return key
        case _:
            raise ValueError("no string key")


def _evaluate_arithmetic(node: ast.BinOp) -> Value:
    left, right = _evaluate_number(node.left), _evaluate_number(node.right)
    if isinstance(node.op, ast.Pow | ast.LShift) and abs(right) > 1024:
        raise ValueError("too large")
    result = OPERATORS[type(node.op)](left, right) if type(node.op) in OPERATORS else None
    if not isinstance(result, int | float) or abs(result) > MAX_RESULT:
        raise ValueError("no number of a sensible size")
    return result


def _evaluate_number(node: ast.expr) -> int | float:
    value = _evaluate_node(node)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("no number")
    return value


def is_whole(unknown: Unknown) -> bool:
    """Tell whether an expression surely gives an int: ``32 if on_gpu else 8``, ``len(names)``."""
    try:
        node = ast.parse(unknown.text, mode="eval").body
    except (SyntaxError, ValueError):
        return False
    return _is_whole(node)


def _is_whole(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=int(value)):
            return not isinstance(value, bool)
        case ast.IfExp(body=one, orelse=other):
            return _is_whole(one) and _is_whole(other)
        case ast.BoolOp(values=values):
            return all(map(_is_whole, values))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _is_whole(operand)
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.FloorDiv() | ast.Mod(), left=left, right=right):
            return _is_whole(left) and _is_whole(right)
        case ast.Call(func=ast.Name(id="int" | "len")):
            return True
        case _:
            return False

"""Constraints between constants, as `require: ["D_MODEL % N_HEADS == 0"]` writes them: a small language of our own.

It looks like Python and is read with ``ast``, but nothing is ever executed: all that it knows stands below.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tune.errors import SpaceError, suggest_name
from tune.space.dimensions import Value, canonical_name, is_number

ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
FUNCTIONS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "abs": abs, "len": len}

LANGUAGE = "It knows == != < <= > >= in, and or not, + - * / // % **, min max abs len, numbers, strings, lists."
MAX_POWER = 1000
"""A larger exponent would only cost time and memory."""

MAX_LENGTH = 1000
"""Characters."""

MAX_DEPTH = 40
"""Of parts within parts: the stack of whoever computes it is not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """An expression that must be true of every configuration but the baseline."""

    text: str
    """As the file writes it."""
    where: str = field(compare=False)
    """``file:line``."""
    tree: ast.expr = field(compare=False)
    """Holds nothing but what this module knows."""
    names: dict[str, str] = field(compare=False)
    """The space's constants, by the spelling in ``tree``."""

    def is_met(self, values: Mapping[str, Value]) -> bool:
        """Tell whether it is true; so it counts where a value that it needs is not there, since only a trial knows it.

        What cannot be computed, as a division by zero, is not true.
        """
        if any(key not in values for key in self.names.values()):
            return True
        return self.explain_failure(values) is None

    def explain_failure(self, values: Mapping[str, Value]) -> str | None:
        """Return why it is not true, or None. Every name must have a value."""
        try:
            result = _evaluate_node(self.tree, {spelled: values[key] for spelled, key in self.names.items()})
        except (ArithmeticError, TypeError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        return None if result else "it is false"


def read_requirement(text: str, constants: Iterable[str], where: str) -> Requirement:
    """Return an expression over a space's constants; raise SpaceError, with line and column, at what is no such."""
    return _Reader(text, list(constants), where).build_requirement()


class _Reader:
    """Checks one expression from the outside in."""

    def __init__(self, text: str, constants: list[str], where: str) -> None:
        self.text = text.strip()
        self.where = where
        self.constants = constants
        self.keys = {canonical_name(key): key for key in constants}
        self.used: dict[str, str] = {}
        self.stand_ins: dict[str, str] = {}

    def build_requirement(self) -> Requirement:
        tree = self.parse_expression()
        self.check_condition(tree)
        return Requirement(text=self.text, where=self.where, tree=tree, names=self.used)

    def build_error(self, node: ast.AST | int, what: str, hint: str) -> SpaceError:
        column = node if isinstance(node, int) else self.column_of(node)
        return SpaceError(self.where, f"require: {what} in column {column} of {self.text!r}", hint)

    def column_of(self, node: ast.AST) -> int:
        """Return where a node begins, in characters from 1; ``ast`` counts bytes."""
        before = self.text.encode()[: getattr(node, "col_offset", 0)]
        return len(before.decode(errors="ignore")) + 1

    def parse_expression(self) -> ast.expr:
        if len(self.text) > MAX_LENGTH:
            raise self.build_error(
                1, f"at most {MAX_LENGTH} characters, got {len(self.text)}", "Write several requirements."
            )
        try:
            tree = ast.parse(self.with_stand_ins(), mode="eval").body
        except SyntaxError as error:
            message = error.msg.removeprefix("invalid syntax").strip(" .:") or "no expression"
            raise self.build_error(error.offset or 1, message, "Write one such as `D_MODEL % N_HEADS == 0`.") from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise self.build_error(1, "no expression", "Write one such as `D_MODEL % N_HEADS == 0`.") from error
        depth, level = 0, [tree]
        while level:
            depth += 1
            level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        if depth > MAX_DEPTH:
            raise self.build_error(1, f"at most {MAX_DEPTH} parts within parts", "Write several requirements.")
        return tree

    def with_stand_ins(self) -> str:
        """Put words in place of names that are no expressions, such as ``--lr`` or ``Adam.lr@42``; columns stay."""
        text = self.text
        for number, key in enumerate(sorted(self.constants, key=len, reverse=True)):
            if not re.search(r"[@=-]", key):
                continue
            word = f"_{number}".rjust(len(key), "_")
            self.stand_ins[word] = key
            text = re.sub(rf"(?<![\w.]){re.escape(key)}(?!\w)", word, text)
        return text

    def check_condition(self, node: ast.expr) -> None:
        """Check what has to be true or false: `A % B` alone would be true where B does not divide A."""
        match node:
            case ast.BoolOp(values=parts):
                for part in parts:
                    self.check_condition(part)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self.check_condition(operand)
            case ast.BinOp() | ast.Call() | ast.List() | ast.Tuple() | ast.UnaryOp():
                got = ast.get_source_segment(self.text, node) or "this"
                raise self.build_error(
                    node, f"{got!r} is neither true nor false", "Compare it: `D_MODEL % N_HEADS == 0`."
                )
            case _:
                self.check_value(node)

    def check_value(self, node: ast.expr) -> None:
        match node:
            case ast.Constant(value=None | bool() | int() | float() | str()):
                return
            case ast.Name() | ast.Attribute() | ast.Subscript():
                self.register_name(node)
            case ast.UnaryOp(op=ast.Not()) | ast.BoolOp():
                self.check_condition(node)
            case ast.Call(func=function, args=args, keywords=keywords):
                if ast.unparse(function) not in FUNCTIONS or keywords or not args:
                    got = ast.unparse(node)
                    raise self.build_error(node, f"no such function, got {got!r}", "There are min, max, abs and len.")
                self.check_values(args)
            case _:
                self.check_values(self.operands_of(node))

    def check_values(self, nodes: list[ast.expr]) -> None:
        for node in nodes:
            self.check_value(node)

    def operands_of(self, node: ast.expr) -> list[ast.expr]:
        match node:
            case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
                return [left, right]
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in SIGNS:
                return [operand]
            case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in COMPARISONS for op in ops):
                return [left, *others]
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return items
            case _:
                got = ast.get_source_segment(self.text, node) or ast.unparse(node)
                raise self.build_error(node, f"this language has no such expression, got {got!r}", LANGUAGE)

    def register_name(self, node: ast.expr) -> None:
        spelled = ast.unparse(node)
        key = self.stand_ins.get(spelled) or self.keys.get(canonical_name(spelled))
        if key is None:
            hint = suggest_name(spelled, self.constants, what="constants of the space")
            raise self.build_error(node, f"no such constant in this space, got {spelled!r}", hint)
        self.used[spelled] = key


def _evaluate_node(node: ast.expr, values: Mapping[str, Any]) -> Any:
    """Return an expression's value; ``values`` are by spelling."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return values[ast.unparse(node)]
        case ast.BoolOp(op=op, values=parts):
            return (all if isinstance(op, ast.And) else any)(_evaluate_node(part, values) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate_node(operand, values)
        case ast.UnaryOp(op=sign, operand=operand):
            return SIGNS[type(sign)](_check_number(_evaluate_node(operand, values)))
        case ast.BinOp(left=left, op=sign, right=right):
            return _evaluate_arithmetic(type(sign), _evaluate_node(left, values), _evaluate_node(right, values))
        case ast.Compare():
            return _evaluate_comparison(node, values)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_evaluate_node(item, values) for item in items]
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name](*(_evaluate_node(each, values) for each in args))
        case _:
            raise AssertionError(f"the reader let {ast.dump(node)} pass")


def _evaluate_comparison(node: ast.Compare, values: Mapping[str, Any]) -> bool:
    left = _tuples_to_lists(_evaluate_node(node.left, values))
    for op, other in zip(node.ops, node.comparators, strict=True):
        right = _tuples_to_lists(_evaluate_node(other, values))
        if not COMPARISONS[type(op)](left, right):
            return False
        left = right
    return True


def _evaluate_arithmetic(op: type[ast.operator], left: Any, right: Any) -> Any:
    a, b = _check_number(left), _check_number(right)
    if op is ast.Pow and abs(b) > MAX_POWER:
        raise ValueError(f"an exponent of at most {MAX_POWER}, got {b}")
    result = ARITHMETIC[op](a, b)
    if isinstance(result, complex):
        raise ValueError(f"no real number: {a} ** {b}")
    return result


def _check_number(value: Any) -> Any:
    if is_number(value) or isinstance(value, bool):
        return value
    raise TypeError(f"a number is needed, got {value!r}")


def _tuples_to_lists(value: Any) -> Any:
    """Return a tuple as a list, so that both compare as in YAML."""
    return [_tuples_to_lists(item) for item in value] if isinstance(value, list | tuple) else value

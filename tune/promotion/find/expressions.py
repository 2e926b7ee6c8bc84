"""What an assigned expression is worth, and which part of it promotion replaces."""

import ast
from collections.abc import Callable
from dataclasses import dataclass

from tune.promotion.find.literals import Unknown, evaluate_literal, source_of
from tune.promotion.find.module_scan import ModuleScan, dotted_path
from tune.space.dimensions import Value

CONVERSIONS: dict[str, Callable[[str], Value]] = {"int": int, "float": float, "str": str}
ENVIRONMENT = frozenset({"os.environ.get", "environ.get", "os.getenv", "getenv", "os.environ.setdefault"})
PATHS = frozenset({"Path", "pathlib.Path"})

PLAIN_CALLS = (
    frozenset({"min", "max", "int", "float", "str", "bool", "round", "abs", "len", "sum", "tuple", "list", "set"})
    | frozenset({"sorted", "range", "sqrt", "log", "log2", "log10", "exp", "pow", "ceil", "floor"})
    | frozenset({"cpu_count", "is_available", "device_count", "sched_getaffinity"})
    | frozenset({"Path", "join", "dirname", "abspath", "expanduser", "resolve", "absolute", "home", "cwd", "getcwd"})
)
"""Calls that give a plain value: the last part of their name."""

TYPES = frozenset({"tuple", "list", "dict", "set", "type"})
"""Builtins whose subscript is a type: ``Batch = tuple[Tensor, ...]`` is no hyperparameter."""

PLAIN_NODES = (
    ast.Constant,
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.Call,
    ast.Tuple,
    ast.List,
    ast.Set,
    ast.Dict,
    ast.JoinedStr,
    ast.FormattedValue,
    ast.keyword,
    ast.operator,
    ast.unaryop,
    ast.boolop,
    ast.cmpop,
    ast.expr_context,
)


@dataclass(frozen=True, slots=True)
class PromotableExpression:
    """What can be promoted of an assigned expression."""

    value: Value | Unknown
    node: ast.expr
    """The part to replace: the whole, or what stands in ``Path("data")``, which keeps the value's type."""
    warnings: tuple[str, ...] = ()


def may_be_literal(node: ast.expr) -> bool:
    """Tell at a glance whether ``evaluate_literal`` has a chance; it writes out what it cannot."""
    return isinstance(node, ast.Constant | ast.Tuple | ast.List | ast.Dict | ast.UnaryOp | ast.BinOp)


def find_promotable(node: ast.expr, survey: ModuleScan) -> PromotableExpression | None:
    """Return what an expression is worth; None where it makes something that no space file can write down."""
    value = evaluate_literal(node)
    if not isinstance(value, Unknown):
        return PromotableExpression(value, node)
    match node:
        case ast.Call(func=function, args=[ast.Constant(value=str(text)) as inner], keywords=[]) if (
            dotted_path(function) in PATHS
        ):
            return PromotableExpression(text, inner)
    if (found := _find_environment_read(node)) is not None:
        warning = f"the environment variable {found[0]} no longer counts once it is searched"
        return PromotableExpression(_environment_value(node), node, (warning,))
    return PromotableExpression(value, node) if is_plain(node, survey) else None


def is_choice(node: ast.expr) -> bool:
    """Tell one of several literals that something chooses: ``{"adam": 1e-3, "sgd": 0.1}[name]``, ``8 if x else 4``."""
    match node:
        case ast.Subscript(value=ast.Dict(values=[_, *_] as values)):
            return all(map(_is_number_or_text, values))
        case ast.IfExp(body=body, orelse=other):
            return all(_is_number_or_text(each) or is_choice(each) for each in (body, other))
        case _:
            return False


def _is_number_or_text(node: ast.expr) -> bool:
    return may_be_literal(node) and isinstance(evaluate_literal(node), int | float | str | tuple | list)


def is_plain(node: ast.expr, survey: ModuleScan) -> bool:
    """Tell whether an expression makes plain values: conditions, ``min()``, arithmetic, paths."""
    return all(isinstance(each, PLAIN_NODES) and _is_plain_part(each, survey) for each in ast.walk(node))


def is_local(name: str, function: ast.FunctionDef | ast.AsyncFunctionDef | None) -> bool:
    """Tell whether a name in a function is its parameter, or is assigned there: not the module's of the same name."""
    if function is None:
        return False
    return any(isinstance(each, ast.arg) and each.arg == name for each in ast.walk(function.args)) or any(
        isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Store)
        for each in ast.walk(function)
    )


def _is_plain_part(node: ast.AST, survey: ModuleScan) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in PLAIN_CALLS or (dotted_path(node.func) or "") in ENVIRONMENT
        case ast.Call():
            return False
        case ast.Subscript(value=ast.Name(id=name)) if name in TYPES:
            return False
        case ast.Name(id=name):
            return name in PLAIN_CALLS or _is_plain_name(name, survey)
        case _:
            return True


def _is_plain_name(name: str, survey: ModuleScan) -> bool:
    """Tell an imported module, ``__file__``, a name in capitals, or one that the module gives a literal."""
    bound = survey.bindings.get(name, [])
    literal = any(each.value is not None and not isinstance(evaluate_literal(each.value), Unknown) for each in bound)
    return literal or name.isupper() or name.startswith("__") or _is_imported(name, survey)


def _is_imported(name: str, survey: ModuleScan) -> bool:
    return any(
        (alias.asname or alias.name.partition(".")[0]) == name for node in survey.imports for alias in node.names
    )


def environment_default(node: ast.expr) -> ast.expr | None:
    """Return the default that stands in ``float(os.environ.get("LR", "1e-3"))``; None: there is none."""
    found = _find_environment_read(node)
    return None if found is None else found[1]


def _find_environment_read(node: ast.expr) -> tuple[str, ast.expr | None] | None:
    """Return (variable, its default's expression)."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in CONVERSIONS:
            return _find_environment_read(inner)
        case ast.Call(func=function, args=[ast.Constant(value=str(variable)), *rest], keywords=keywords) if (
            dotted_path(function) in ENVIRONMENT
        ):
            defaults = [*rest, *(keyword.value for keyword in keywords)]
            return variable, defaults[0] if defaults else None
        case _:
            return None


def _environment_value(node: ast.expr) -> Value | Unknown:
    """Return what the default is worth after the conversions around it."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in CONVERSIONS:
            held = _environment_value(inner)
            return held if isinstance(held, Unknown) else _convert_value(held, CONVERSIONS[name], node)
        case _:
            default = environment_default(node)
            return Unknown(source_of(node)) if default is None else evaluate_literal(default)


def _convert_value(value: Value, convert: Callable[[str], Value], node: ast.expr) -> Value | Unknown:
    try:
        return convert(value) if isinstance(value, str) else convert(str(value))
    except ValueError:
        return Unknown(source_of(node))

"""How a value is written over a literal: in the user's style where that is cheap, and exactly the same value."""

import ast
import math
from collections.abc import Iterator
from decimal import Decimal

from tune.promotion.find.worth import environment_default
from tune.promotion.found import Span
from tune.promotion.layout import Layout
from tune.promotion.literals import Unknown, evaluate
from tune.space.dimensions import Value

Edit = tuple[Span, str]


def edits(node: ast.expr, value: Value, layout: Layout) -> Iterator[Edit]:
    """Yield the smallest changes that make an expression hold ``value``; none where it does.

    Of a container of the same shape only the items that differ are written, so comments between them stay.
    """
    held = evaluate(node)
    if not isinstance(held, Unknown) and identical(held, value):
        return
    if (items := _items(node, value)) is not None:
        for item, inner in items:
            yield from edits(item, inner, layout)
        return
    match node:
        case ast.Call() if (default := environment_default(node)) is not None:
            yield from _default_edit(default, value, layout)
        case _:
            yield Span.of(node), literal(value, layout.snippet(Span.of(node)), layout)


def _items(node: ast.expr, value: Value) -> list[tuple[ast.expr, Value]] | None:
    """Return the items of a container with their new values; None where the shape differs."""
    if isinstance(node, ast.Tuple) and isinstance(value, tuple) and len(node.elts) == len(value):
        return list(zip(node.elts, value, strict=True))
    if isinstance(node, ast.List) and isinstance(value, list) and len(node.elts) == len(value):
        return list(zip(node.elts, value, strict=True))
    if isinstance(node, ast.Dict) and isinstance(value, dict) and [_key(key) for key in node.keys] == list(value):
        return list(zip(node.values, value.values(), strict=True))
    return None


def identical(one: Value, other: Value) -> bool:
    """Equal, and of equal types through and through: 1 is not 1.0, nor True."""
    return repr(one) == repr(other)


def literal(value: Value, old: str, layout: Layout) -> str:
    """Return the Python text of a value, after the style of the text it replaces."""
    match value:
        case bool() | None:
            return repr(value)
        case int():
            return f"{value:_}" if "_" in old and old.replace("_", "").lstrip("+-").isdigit() else repr(value)
        case float():
            return _number(value, old)
        case str():
            return _string(value, old, layout)
        case tuple():
            inner = ", ".join(literal(item, _quote_in(old), layout) for item in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case list():
            return f"[{', '.join(literal(item, _quote_in(old), layout) for item in value)}]"
        case dict():
            quote = _quote_in(old)
            items = (f"{literal(key, quote, layout)}: {literal(item, quote, layout)}" for key, item in value.items())
            return f"{{{', '.join(items)}}}"


def _number(value: float, old: str) -> str:
    """Return the shortest text that reads back the same, with an exponent where the old one has one."""
    if not math.isfinite(value):
        return f'float("{value}")'
    text = repr(value)
    if "e" in old.lower() and _is_number(old):
        return _with_exponent(text, "E" if "E" in old else "e")
    if old.lstrip("+-").startswith(".") and text.lstrip("-").startswith("0.") and len(text.lstrip("-")) > 2:
        return text.replace("0.", ".", 1)
    return text


def _with_exponent(text: str, letter: str) -> str:
    sign, digits, _ = Decimal(text).normalize().as_tuple()
    mantissa = "".join(map(str, digits))
    exponent = Decimal(text).adjusted()
    point = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    written = f"{'-' if sign else ''}{mantissa[0]}{point}{letter}{exponent}"
    return written if float(written) == float(text) and float(text) != 0 else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _string(value: str, old: str, layout: Layout) -> str:
    text = _quoted(value, _quote_in(old))
    return text if layout.can_encode(text) else ascii(value)


def _quoted(value: str, quote: str) -> str:
    if quote == '"' and '"' not in value:
        return '"' + repr("'" + value)[2:]  # with an apostrophe in it, repr takes double quotes
    return repr(value)


def _quote_in(old: str) -> str:
    return next((letter for letter in old if letter in "'\""), '"')


def _key(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _default_edit(default: ast.expr, value: Value, layout: Layout) -> Iterator[Edit]:
    """Write the default of an environment variable, mostly a text, whatever is made of it."""
    held = evaluate(default)
    wanted = str(value) if isinstance(held, str) else value
    if isinstance(held, Unknown) or not identical(held, wanted):
        yield Span.of(default), literal(wanted, layout.snippet(Span.of(default)), layout)

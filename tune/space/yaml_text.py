"""Where values stand in a YAML text, and how one is replaced: nothing else of the text changes, comments included."""

import json
import re
from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tune.space.dimensions import Value
from tune.space.yaml_scalar import parse_scalar

Keys = tuple[str | int, ...]
"""From the top of a file: keys of mappings, and places in lists from 0."""
PLAIN = re.compile(r"[A-Za-z_./][\w./+-]*")
"""Text that needs no quotes in any YAML."""
YAML_1_1 = frozenset({"y", "n", "yes", "no", "on", "off"})
"""Words that are booleans to older loaders."""


def find_values(text: str) -> dict[Keys, tuple[Value, int]]:
    """Return all scalars and lists of scalars with their lines, counted from 1; none where the text is no YAML."""
    return {keys: (_value_of_node(node), int(node.start_mark.line) + 1) for keys, node in _find_leaves(text).items()}


def replace_value(text: str, keys: Keys, value: Value) -> str | None:
    """Return the text with another value at one place; None where more than this value would change."""
    leaves = _find_leaves(text)
    node = leaves.get(keys)
    if node is None:
        return None
    new = text
    for begin, end, written in sorted(_find_edits(node, value, text), reverse=True):
        new = new[:begin] + written + new[end:]
    before = {key: _value_of_node(leaf) for key, leaf in leaves.items() if key != keys}
    after = {key: _value_of_node(leaf) for key, leaf in _find_leaves(new).items()}
    return new if repr(after.pop(keys, None)) == repr(value) and repr(after) == repr(before) else None


def _find_leaves(text: str) -> dict[Keys, Node]:
    try:
        top = YAML().compose(text)
    except Exception:  # ruamel.yaml raises its own slips too, on some malformed files
        return {}
    return {} if top is None else dict(_walk_leaves(top, ()))


def _walk_leaves(node: Node, keys: Keys) -> Iterator[tuple[Keys, Node]]:
    match node:
        case MappingNode():
            for key, held in node.value:
                yield from _walk_leaves(held, (*keys, str(key.value)))
        case SequenceNode() if not all(isinstance(item, ScalarNode) for item in node.value):
            for place, item in enumerate(node.value):
                yield from _walk_leaves(item, (*keys, place))
        case _:
            yield keys, node


def _value_of_node(node: Node) -> Value:
    if isinstance(node, SequenceNode):
        return [_value_of_node(item) for item in node.value]
    text = str(node.value)
    return text if isinstance(node, ScalarNode) and node.style is not None else parse_scalar(text)


def _find_edits(node: Node, value: Value, text: str) -> Iterator[tuple[int, int, str]]:
    """Yield what is to stand between which places."""
    begin, end = int(node.start_mark.index), int(node.end_mark.index)
    match node, value:
        case ScalarNode(value="", style=None), _ if not isinstance(value, list | tuple | dict):
            behind_key = len(text[:begin].rstrip())
            yield behind_key, behind_key, f" {_format_scalar(value, '')}"
        case ScalarNode(style=None | "'" | '"'), _ if not isinstance(value, list | tuple | dict):
            yield begin, end, _format_scalar(value, text[begin:end])
        case SequenceNode(), list() if len(node.value) == len(value):
            for item, each in zip(node.value, value, strict=True):
                if repr(_value_of_node(item)) != repr(each):
                    yield from _find_edits(item, each, text)
        case SequenceNode(flow_style=True), list():
            yield begin, end, f"[{', '.join(_format_scalar(each, '') for each in value)}]"
        case SequenceNode(), list() if value and node.value and "#" not in text[begin : node.value[-1].end_mark.index]:
            lines = f"\n{' ' * node.start_mark.column}- ".join(_format_scalar(each, "") for each in value)
            yield begin, int(node.value[-1].end_mark.index), f"- {lines}"
        case _:
            return


def _format_scalar(value: Value, old: str) -> str:
    """Return a scalar's text, after the style of the text that it replaces."""
    match value:
        case bool():
            return str(value) if old in ("True", "False") else str(value).lower()
        case None:
            return "null"
        case float():
            return _format_float(value, old)
        case str():
            return _format_string(value, old)
        case _:
            return str(value)


def _format_float(value: float, old: str) -> str:
    text = repr(value)
    if text.lstrip("-") in ("inf", "nan"):
        return text.replace("inf", ".inf").replace("nan", ".nan")
    digits, exponent, power = text.partition("e")
    short = "e" in old and "." not in old
    return text if not exponent or "." in digits or short else f"{digits}.0e{power}"  # YAML 1.1 wants the point


def _format_string(value: str, old: str) -> str:
    if old.startswith("'") and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    is_plain = PLAIN.fullmatch(value) and parse_scalar(value) == value and value.lower() not in YAML_1_1
    return value if is_plain and not old.startswith('"') else json.dumps(value, ensure_ascii=False)

"""A YAML file as plain values with the line of every entry, and its text with other values.

YAML 1.2; nothing in it is executed or constructed. Where a value is replaced, nothing else of the text changes.
"""

import errno
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from tune.errors import SpaceError, file_and_line
from tune.space.dimensions import Value
from tune.space.parse_dimension import parse_scalar

CORE = "tag:yaml.org,2002:"
PLAIN_TAGS = frozenset(CORE + name for name in ("null", "bool", "int", "float", "timestamp", "merge", "value"))
"""Tags that a loader gives to unquoted words; what they stand for is decided by ``parse_scalar`` alone."""

KEY_TAGS = PLAIN_TAGS | {CORE + "str"}
"""Tags of keys that have none of their own."""

LARGEST = 100_000
"""Bytes of a space file: some thousand constants. Reading YAML takes a minute for a few megabytes."""

MOST_VALUES = 20_000
"""Of a config file; anchors that hold each other stand for as many as there are atoms."""

DEPTH_WITH_LINES = 2
"""``constants.LR`` has a line of its own; what lies deeper is told with the line of its entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The entries of a YAML file whose top is a mapping."""

    path: Path
    """The file."""
    entries: dict[str, Value]
    """In the order of the file."""
    lines: dict[str, int]
    """The line of ``constants``, of ``constants.LR`` and of ``require[0]``, counted from 1."""

    def place_of_entry(self, key: str) -> str:
        """Return ``file:line`` of an entry, or the file where there is no such entry."""
        return file_and_line(self.path, self.lines.get(key))


def read_document(path: Path) -> Document:
    """Return what the file says; raise SpaceError where it cannot be read, is no YAML or holds no mapping."""
    node = _parse_yaml(path, _read_text(path))
    if node is None:
        raise SpaceError(
            file_and_line(path, 1), "the file is empty", "Start with `system:`, `metric:`, `mode:`, `constants:`."
        )
    if not isinstance(node, MappingNode):
        raise SpaceError(
            file_and_line(path, _line_of(node)),
            f"a space file holds `key: value` lines, got {_describe_kind(node)}",
            "Start with `system:`.",
        )
    reader = _Reader(path)
    entries = reader.read_mapping(node, ())
    return Document(path=path, entries=entries, lines=reader.lines)


def _read_text(path: Path) -> str:
    try:
        if path.is_fifo() and not path.is_relative_to("/dev"):  # `--space <(command)` is one there
            raise OSError(errno.EINVAL, "not a regular file")
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except IsADirectoryError as error:
        raise SpaceError(
            file_and_line(path, None), "this is a folder", "Give the path of a space file in it."
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpaceError(
            file_and_line(path, None), f"cannot be read: {reason}", "Give the path of a space file."
        ) from error
    if len(raw) > LARGEST:
        what = f"a space file has {LARGEST // 1000} kB at most, got more"
        raise SpaceError(file_and_line(path, None), what, "Give another file, or write a long choice as a range.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        what = f"this is not UTF-8, got the byte 0x{raw[error.start]:02x}"
        raise SpaceError(file_and_line(path, line), what, "Save the file as UTF-8.") from error


def _parse_yaml(path: Path, text: str) -> Node | None:
    try:
        node: Node | None = YAML().compose(text)
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        what = f"this is not YAML: the character {chr(error.character)!r} is not allowed"
        raise SpaceError(file_and_line(path, line), what, "Delete it.") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "unreadable"
        hint = "Indent with spaces; YAML takes no tabs." if "\\t" in problem else "Mend the line, or the one before it."
        raise SpaceError(
            file_and_line(path, mark.line + 1 if mark else None), f"this is not YAML: {problem}", hint
        ) from error
    except RecursionError as error:
        raise SpaceError(
            file_and_line(path, None), "nested too deep", "Write it with fewer brackets and indentations."
        ) from error
    except (YAMLError, ValueError, LookupError, AttributeError, AssertionError, TypeError) as error:
        # ruamel.yaml 0.19 lets its own slips out on some malformed files, such as a `%YAML x` line
        what = f"this is not YAML: {str(error).strip() or type(error).__name__}"
        raise SpaceError(file_and_line(path, None), what.splitlines()[0], "Mend the file.") from error
    return node


class _Reader:
    """Turns nodes into values and remembers where the entries stand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[str, int] = {}

    def read_value(self, node: Node, path: tuple[str, ...]) -> Value:
        if node.anchor is not None:
            raise self._build_error(node, f"anchors are not supported, got '&{node.anchor}'", "Write the value out.")
        match node:
            case MappingNode(tag=tag) if tag == CORE + "map":
                return self.read_mapping(node, path)
            case SequenceNode(tag=tag) if tag == CORE + "seq":
                return [self.read_item(item, number, path) for number, item in enumerate(node.value)]
            case ScalarNode(tag=tag) if tag == CORE + "str" or (node.style is not None and tag in PLAIN_TAGS):
                return self._join_surrogates(node)
            case ScalarNode(tag=tag) if tag in PLAIN_TAGS:
                return parse_scalar(node.value)
            case _:
                raise self._build_error(node, f"tags are not supported, got {node.tag!r}", "Write a plain value.")

    def read_item(self, node: Node, number: int, path: tuple[str, ...]) -> Value:
        if len(path) < DEPTH_WITH_LINES:
            self.lines[f"{'.'.join(path)}[{number}]"] = _line_of(node)
        return self.read_value(node, (*path, "[]"))

    def read_mapping(self, node: MappingNode, path: tuple[str, ...]) -> dict[str, Value]:
        entries: dict[str, Value] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._read_key(key_node)
            if key in entries:
                raise self._build_error(
                    key_node, f"{key!r} stands twice, first in line {first[key]}", "Keep one of the two."
                )
            first[key] = _line_of(key_node)
            if len(path) < DEPTH_WITH_LINES:
                self.lines[".".join((*path, key))] = first[key]
            entries[key] = self.read_value(value_node, (*path, key))
        return entries

    def _read_key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise self._build_error(node, f"a key is a word, got {_describe_kind(node)}", "Write `key: value`.")
        if node.anchor is not None:
            raise self._build_error(node, f"anchors are not supported, got '&{node.anchor}'", "Write the key alone.")
        if node.tag not in KEY_TAGS:
            raise self._build_error(node, f"tags are not supported, got {node.tag!r}", "Write the key alone.")
        return self._join_surrogates(node)

    def _join_surrogates(self, node: Node) -> str:
        r"""Return the text; JSON writes an emoji as two halves, ``\ud83d\udca9``, and ruamel.yaml leaves them apart."""
        text = str(node.value)
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError as error:
            raise self._build_error(
                node, f"half of a character, got {text!r}", "Write the character itself."
            ) from error

    def _build_error(self, node: Node, what: str, hint: str) -> SpaceError:
        return SpaceError(file_and_line(self.path, _line_of(node)), what, hint)


def _line_of(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _describe_kind(node: Node) -> str:
    match node:
        case MappingNode():
            return "a mapping"
        case SequenceNode():
            return "a list"
        case _:
            return repr(str(node.value))


MERGE = "<<"
"""The key whose mapping holds the values that its own mapping leaves out."""
Keys = tuple[str | int, ...]
"""From the top of a file: keys of mappings, and places in lists from 0."""
PLAIN = re.compile(r"[A-Za-z_./][\w./+-]*")
"""Text that needs no quotes in any YAML."""
YAML_1_1 = frozenset({"y", "n", "yes", "no", "on", "off"})
"""Words that are booleans to older loaders."""


def find_values(text: str) -> dict[Keys, tuple[Value, int]]:
    """Return all scalars and lists of scalars with their lines, counted from 1; none where the text is no YAML."""
    return {keys: (_value_of_node(node), int(node.start_mark.line) + 1) for keys, node in _find_leaves(text).items()}


def read_plain(text: str) -> Any:
    """Return what a text holds, as mappings, lists and scalars, with merge keys resolved; None where it is no YAML."""
    try:
        return _plain_of_node(YAML().compose(text), {})
    except Exception:  # ruamel.yaml raises its own slips too; and an anchor may hold itself
        return None


def _plain_of_node(node: Node | None, known: dict[int, Any]) -> Any:
    """``known``: what nodes hold, by their ``id``: an anchor may stand in many places."""
    if node is None or id(node) in known:
        return None if node is None else known[id(node)]
    plain: Any
    match node:
        case MappingNode():
            plain = {}
            merged: dict[str, Any] = {}
            for key, held in node.value:
                if key.value != MERGE or key.style is not None:
                    plain[str(key.value)] = _plain_of_node(held, known)
                    continue
                for each in held.value if isinstance(held, SequenceNode) else [held]:
                    merged = {**_plain_of_node(each, known), **merged}  # the first of several counts
            plain = {**merged, **plain}
        case SequenceNode():
            plain = [_plain_of_node(item, known) for item in node.value]
        case _:
            plain = _value_of_node(node)
    known[id(node)] = plain
    return plain


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
        found = [] if top is None else list(itertools.islice(_walk_leaves(top, ()), MOST_VALUES + 1))
    except Exception:  # ruamel.yaml raises its own slips too, on some malformed files; and an anchor may hold itself
        return {}
    return {} if len(found) > MOST_VALUES else dict(found)


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
            text = repr(value)
            if text.lstrip("-") in ("inf", "nan"):
                return text.replace("inf", ".inf").replace("nan", ".nan")
            digits, exponent, power = text.partition("e")
            short = "e" in old and "." not in old
            return text if not exponent or "." in digits or short else f"{digits}.0e{power}"  # YAML 1.1 wants the point
        case str():
            if old.startswith("'") and value.isprintable():
                return "'" + value.replace("'", "''") + "'"
            is_plain = PLAIN.fullmatch(value) and parse_scalar(value) == value and value.lower() not in YAML_1_1
            return value if is_plain and not old.startswith('"') else json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)

"""Write values back into the source: the literals change, and no other byte.

Where a span of the syntax tree lies in a file's text, whatever its encoding and line ends.

``ast`` counts columns in the UTF-8 bytes of a decoded line. For it a line ends at LF, CR LF, or CR alone: not at the
form feeds and Unicode separators that ``str.splitlines`` also takes for line ends.
"""

import ast
import copy
import difflib
import io
import itertools
import math
import re
import tokenize
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from tune.atomic_files import replace_files
from tune.errors import ApplyError
from tune.promotion.configs.config_file import ConfigPlace, ConfigSource, rewrite_config
from tune.promotion.constant import Constant, Site, Span
from tune.promotion.find.expressions import environment_default
from tune.promotion.find.literals import Symbol, Unknown, evaluate_literal
from tune.promotion.program import Program, Source
from tune.space.dimensions import Value

LINE_END = re.compile("\r\n|\r|\n")


@dataclass(frozen=True)
class SourceText:
    """A file's text as it stands, line ends and all."""

    source: Source

    @cached_property
    def encoding(self) -> str:
        """The file's encoding; ``utf-8-sig`` where it begins with a byte-order mark."""
        return tokenize.detect_encoding(io.BytesIO(self.source.raw).readline)[0]

    @cached_property
    def text(self) -> str:
        """The file decoded, its line ends as they are."""
        return self.source.raw.decode(self.encoding)

    @cached_property
    def expressions(self) -> dict[Span, ast.expr]:
        """The file's expressions by their span. Of several at one span the outermost stands for all."""
        found: dict[Span, ast.expr] = {}
        waiting: deque[ast.AST] = deque([self.source.tree])
        while waiting:
            node = waiting.popleft()
            if isinstance(node, ast.expr):
                found.setdefault(Span.from_node(node), node)
            if not isinstance(node, ast.JoinedStr):  # Python 3.11 has no true columns in f-strings
                waiting.extend(ast.iter_child_nodes(node))
        return found

    def offsets_of(self, span: Span) -> tuple[int, int]:
        """Return the begin and the end of a span as indices of ``text``."""
        return self._offset_of(span.line, span.column), self._offset_of(span.end_line, span.end_column)

    def snippet_of(self, span: Span) -> str:
        """Return the text of a span."""
        begin, end = self.offsets_of(span)
        return self.text[begin:end]

    def can_encode(self, text: str) -> bool:
        """Tell whether the file's encoding has every character of ``text``."""
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True

    def _offset_of(self, line: int, column: int) -> int:
        start = self._line_starts[line - 1]
        ahead = self.text[start : start + column].encode("utf-8", "surrogatepass")[
            :column
        ]  # a character has a byte or more
        return start + len(ahead.decode("utf-8", "surrogatepass"))

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in LINE_END.finditer(self.text))]


Edit = tuple[Span, str]


def find_edits(node: ast.expr, value: Value, layout: SourceText) -> Iterator[Edit]:
    """Yield the smallest changes that make an expression hold ``value``; none where it does.

    Of a container of the same shape only the items that differ are written, so comments between them stay.
    """
    held = evaluate_literal(node)
    if not isinstance(held, Unknown) and has_same_repr(held, value):
        return
    if (items := _pair_items(node, value)) is not None:
        for item, inner in items:
            yield from find_edits(item, inner, layout)
        return
    match node:
        case ast.Call() if (default := environment_default(node)) is not None:
            yield from _default_edit(default, value, layout)
        case _:
            yield Span.from_node(node), format_literal(value, layout.snippet_of(Span.from_node(node)), layout)


def _pair_items(node: ast.expr, value: Value) -> list[tuple[ast.expr, Value]] | None:
    """Return the items of a container with their new values; None where the shape differs."""
    if isinstance(node, ast.Tuple) and isinstance(value, tuple) and len(node.elts) == len(value):
        return list(zip(node.elts, value, strict=True))
    if isinstance(node, ast.List) and isinstance(value, list) and len(node.elts) == len(value):
        return list(zip(node.elts, value, strict=True))
    if (
        isinstance(node, ast.Dict)
        and isinstance(value, dict)
        and [_key_of_node(key) for key in node.keys] == list(value)
    ):
        return list(zip(node.values, value.values(), strict=True))
    return None


def has_same_repr(one: Value, other: Value) -> bool:
    """Equal, and of equal types through and through: 1 is not 1.0, nor True."""
    return repr(one) == repr(other)


def format_literal(value: Value, old: str, layout: SourceText) -> str:
    """Return the Python text of a value, after the style of the text it replaces."""
    match value:
        case bool() | None | Symbol():
            return repr(value)
        case int():
            return f"{value:_}" if "_" in old and old.replace("_", "").lstrip("+-").isdigit() else repr(value)
        case float():
            return _format_number(value, old)
        case str():
            return _format_string(value, old, layout)
        case tuple():
            inner = ", ".join(format_literal(item, _quote_in(old), layout) for item in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case list():
            return f"[{', '.join(format_literal(item, _quote_in(old), layout) for item in value)}]"
        case dict():
            quote = _quote_in(old)
            items = (
                f"{format_literal(key, quote, layout)}: {format_literal(item, quote, layout)}"
                for key, item in value.items()
            )
            return f"{{{', '.join(items)}}}"


def _format_number(value: float, old: str) -> str:
    """Return the shortest text that reads back the same, with an exponent where the old one has one."""
    if not math.isfinite(value):
        return f'float("{value}")'
    text = repr(value)
    if "e" in old.lower() and _is_number(old):
        letter = "E" if "E" in old else "e"
        sign, digits, _ = Decimal(text).normalize().as_tuple()
        mantissa = "".join(map(str, digits))
        exponent = Decimal(text).adjusted()
        point = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
        written = f"{'-' if sign else ''}{mantissa[0]}{point}{letter}{exponent}"
        return written if float(written) == float(text) and float(text) != 0 else text
    if old.lstrip("+-").startswith(".") and text.lstrip("-").startswith("0.") and len(text.lstrip("-")) > 2:
        return text.replace("0.", ".", 1)
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _format_string(value: str, old: str, layout: SourceText) -> str:
    text = _quote_string(value, _quote_in(old))
    return text if layout.can_encode(text) else ascii(value)


def _quote_string(value: str, quote: str) -> str:
    if quote == '"' and '"' not in value:
        return '"' + repr("'" + value)[2:]  # with an apostrophe in it, repr takes double quotes
    return repr(value)


def _quote_in(old: str) -> str:
    return next((letter for letter in old if letter in "'\""), '"')


def _key_of_node(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _default_edit(default: ast.expr, value: Value, layout: SourceText) -> Iterator[Edit]:
    """Write the default of an environment variable, mostly a text, whatever is made of it."""
    held = evaluate_literal(default)
    wanted = str(value) if isinstance(held, str) else value
    if isinstance(held, Unknown) or not has_same_repr(held, wanted):
        yield Span.from_node(default), format_literal(wanted, layout.snippet_of(Span.from_node(default)), layout)


FAR_AWAY = 10**9
"""Lines that no file has: a new expression's parts are not taken for the file's own."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A file with new values in it."""

    source: Source | ConfigSource
    """As it was read."""
    raw: bytes
    """As it is to be; differs from ``source.raw`` in literals alone."""


def rewrite_configs(values: Mapping[ConfigPlace, Value]) -> tuple[Rewrite, ...]:
    """Return the config files that change when the values at these places do.

    Raises ApplyError where one cannot be changed alone.
    """
    files = dict.fromkeys(place.path for place in values)
    held = ({place: value for place, value in values.items() if place.path == path} for path in files)
    return tuple(Rewrite(*rewrite_config(path, each)) for path, each in zip(files, held, strict=True))


def rewrite_sources(program: Program, values: Mapping[Constant, Value]) -> tuple[Rewrite, ...]:
    """Return the files that change when the constants, found in this program, get new values; none: they stand already.

    Raises ApplyError where one literal cannot be changed alone.
    """
    wanted: dict[str, list[tuple[Site, Constant, Value]]] = {}
    for constant, value in values.items():
        for site in constant.sites:
            wanted.setdefault(site.source, []).append((site, constant, value))
    rewrites = (_rewrite_source(program.sources[name], found) for name, found in wanted.items())
    return tuple(each for each in rewrites if each.raw != each.source.raw)


def restore_expressions(now: Program, then: Program, constants: Mapping[Constant, Constant]) -> tuple[Rewrite, ...]:
    """Return the files that change when constants of ``now`` get the expressions back that stood in ``then``.

    ``constants``: those of ``now``, each with what it was in ``then``; their sites may have held several values.
    """
    before = {name: SourceText(source) for name, source in then.sources.items()}
    texts: dict[str, dict[Span, str]] = {}
    for constant, was in constants.items():
        for site, old in zip(constant.sites, was.sites, strict=False):
            texts.setdefault(site.source, {})[site.span] = before[old.source].snippet_of(old.span)
    rewrites = (_rewrite_texts(now.sources[name], changes) for name, changes in texts.items())
    return tuple(each for each in rewrites if each.raw != each.source.raw)


def build_diff(rewrites: Sequence[Rewrite]) -> str:
    """Return a unified diff that ``patch -p1`` takes; empty where nothing changes."""
    return "".join(line for each in rewrites for line in _diff_lines(each))


def encoded_diff(rewrites: Sequence[Rewrite]) -> bytes:
    """Return the diff in the bytes of the files, whose encodings may differ."""
    return b"".join(build_diff([each]).encode(_encoding_of(each.source)) for each in rewrites)


def write_files(rewrites: Sequence[Rewrite]) -> None:
    """Replace the files, each whole or not at all, modes kept; raise ApplyError where one was edited meanwhile."""
    for each in rewrites:
        if each.source.path.read_bytes() != each.source.raw:
            raise ApplyError(each.source.name, "the file was edited just now; nothing was written", "Apply again.")
    replace_files({each.source.path.resolve(): each.raw for each in rewrites})


def _rewrite_source(source: Source, wanted: Sequence[tuple[Site, Constant, Value]]) -> Rewrite:
    layout = SourceText(source)
    if layout.text.encode(layout.encoding) != source.raw:
        what = f"the file has bytes that its encoding, {layout.encoding}, would not write in the same way"
        raise ApplyError(source.name, what, "Save it as UTF-8, or write the values by hand.")
    _refuse_nested(wanted)
    changes: dict[Span, str] = {}
    for site, constant, value in wanted:
        _refuse_shared(site, constant, value, wanted, source)
        node = layout.expressions.get(site.span)
        assert node is not None, f"{site} is no expression: the constants are of another text"
        changes |= dict(find_edits(node, value, layout))
    return _rewrite_texts(source, changes)


def _rewrite_texts(source: Source, changes: Mapping[Span, str]) -> Rewrite:
    raw = _replace_spans(SourceText(source), changes.items())
    _check_only_literals_changed(source, raw, changes)
    return Rewrite(source, raw)


def _replace_spans(layout: SourceText, changes: Iterable[Edit]) -> bytes:
    text = layout.text
    for span, new in sorted(changes, reverse=True):
        begin, end = layout.offsets_of(span)
        text = text[:begin] + new + text[end:]
    return text.encode(layout.encoding)


def _refuse_nested(wanted: Sequence[tuple[Site, Constant, Value]]) -> None:
    ordered = sorted(wanted, key=lambda each: each[0].span)
    for (site, one, mine), (other_site, other, theirs) in itertools.pairwise(ordered):
        apart = not site.span.is_overlapping(other_site.span)
        if not apart and not (site.span == other_site.span and (site.target or has_same_repr(mine, theirs))):
            what = f"{one.name} and {other.name} are written in one expression"
            raise ApplyError(str(site), what, "Apply one of them.")


def _refuse_shared(
    site: Site, constant: Constant, value: Value, wanted: Sequence[tuple[Site, Constant, Value]], source: Source
) -> None:
    """Refuse one name of ``A = B = 7``: their literal changes when every name of it gets the same value."""
    if site.target is None:
        return
    same = {each.target for each, _, other in wanted if each.span == site.span and has_same_repr(other, value)}
    others = [name for name in _find_targets(source, site.span) if name not in same]
    if others:
        what = f"{constant.name} shares its literal with {' and '.join(others)}, which would change with it"
        raise ApplyError(str(site), what, f"Assign {constant.name} on a line of its own, then apply again.")


def _find_targets(source: Source, span: Span) -> list[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assign) and Span.from_node(node.value) == span:
            return [ast.unparse(target) for target in node.targets]
    return []


def _check_only_literals_changed(source: Source, raw: bytes, changes: Mapping[Span, str]) -> None:
    """Parse the new text: it must be the old tree with the new expressions in it, and nothing else."""
    before = copy.deepcopy(source.tree)
    for node in ast.walk(before):
        for name, inner in ast.iter_fields(node):
            setattr(node, name, _substitute_literals(inner, changes))
    try:
        after = ast.parse(raw)
    except SyntaxError as error:
        after = ast.Module(body=[], type_ignores=[])
        reason: Exception | None = error
    else:
        reason = None
    if ast.dump(before) != ast.dump(after):
        what = "the values cannot be written here without changing more than their literals"
        raise ApplyError(source.name, what, "Write them by hand, and report this file to us.") from reason


def _substitute_literals(inner: object, changes: Mapping[Span, str]) -> object:
    if isinstance(inner, list):
        return [_substitute_literals(item, changes) for item in inner]
    if isinstance(inner, ast.expr) and Span.from_node(inner) in changes:
        new = ast.parse(changes[Span.from_node(inner)], mode="eval")
        return ast.increment_lineno(new, FAR_AWAY).body
    return inner


def _diff_lines(each: Rewrite) -> Iterator[str]:
    before, after = (raw.decode(_encoding_of(each.source)) for raw in (each.source.raw, each.raw))
    name = each.source.name
    for line in difflib.unified_diff(_split_lines(before), _split_lines(after), f"a/{name}", f"b/{name}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _encoding_of(source: Source | ConfigSource) -> str:
    """Return the encoding that keeps a byte-order mark: without it a diff that shows the first line would not fit."""
    if isinstance(source, ConfigSource):
        return "utf-8"
    return SourceText(source).encoding.replace("utf-8-sig", "utf-8")


def _split_lines(text: str) -> list[str]:
    """As ``patch`` counts them: a carriage return is part of its line."""
    return [f"{line}\n" for line in text.split("\n")[:-1]] + ([text.rpartition("\n")[2]] if text[-1:] != "\n" else [])

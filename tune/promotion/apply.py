"""Write values back into the source: the literals change, and not a byte beside them."""

import ast
import copy
import difflib
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tune.errors import ApplyError
from tune.promotion.configs.config_file import ConfigPlace, ConfigSource, rewrite_config
from tune.promotion.found import Constant, Site, Span
from tune.promotion.layout import Layout
from tune.promotion.program import Program, Source
from tune.promotion.writing import Edit, edits, identical
from tune.space.dimensions import Value

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


def rewrite(program: Program, values: Mapping[Constant, Value]) -> tuple[Rewrite, ...]:
    """Return the files that change when the constants, found in this program, get new values; none: they stand already.

    Raises ApplyError where one literal cannot be changed alone.
    """
    wanted: dict[str, list[tuple[Site, Constant, Value]]] = {}
    for constant, value in values.items():
        for site in constant.sites:
            wanted.setdefault(site.source, []).append((site, constant, value))
    rewrites = (_rewrite(program.sources[name], found) for name, found in wanted.items())
    return tuple(each for each in rewrites if each.raw != each.source.raw)


def restore_expressions(now: Program, then: Program, constants: Mapping[Constant, Constant]) -> tuple[Rewrite, ...]:
    """Return the files that change when constants of ``now`` get the expressions back that stood in ``then``.

    ``constants``: those of ``now``, each with what it was in ``then``; their sites may have held several values.
    """
    before = {name: Layout(source) for name, source in then.sources.items()}
    texts: dict[str, dict[Span, str]] = {}
    for constant, was in constants.items():
        for site, old in zip(constant.sites, was.sites, strict=False):
            texts.setdefault(site.source, {})[site.span] = before[old.source].snippet(old.span)
    rewrites = (_rewrite_texts(now.sources[name], changes) for name, changes in texts.items())
    return tuple(each for each in rewrites if each.raw != each.source.raw)


def diff(rewrites: Sequence[Rewrite]) -> str:
    """Return a unified diff that ``patch -p1`` takes; empty where nothing changes."""
    return "".join(line for each in rewrites for line in _diff(each))


def encoded_diff(rewrites: Sequence[Rewrite]) -> bytes:
    """Return the diff in the bytes of the files, whose encodings may differ."""
    return b"".join(diff([each]).encode(_encoding(each.source)) for each in rewrites)


def write(rewrites: Sequence[Rewrite]) -> None:
    """Replace the files, each whole or not at all, modes kept; raise ApplyError where one was edited meanwhile."""
    for each in rewrites:
        if each.source.path.read_bytes() != each.source.raw:
            raise ApplyError(each.source.name, "the file was edited just now; nothing was written", "Apply again.")
    written = [(each.source.path.resolve(), _aside(each.source.path.resolve(), each.raw)) for each in rewrites]
    for path, aside in written:
        aside.replace(path)


def _rewrite(source: Source, wanted: Sequence[tuple[Site, Constant, Value]]) -> Rewrite:
    layout = Layout(source)
    if layout.text.encode(layout.encoding) != source.raw:
        what = f"the file's encoding, {layout.encoding}, does not give its bytes back"
        raise ApplyError(source.name, what, "Save it as UTF-8, or write the values by hand.")
    _refuse_nested(wanted)
    changes: dict[Span, str] = {}
    for site, constant, value in wanted:
        _refuse_shared(site, constant, value, wanted, source)
        node = layout.expressions.get(site.span)
        assert node is not None, f"{site} is no expression: the constants are of another text"
        changes |= dict(edits(node, value, layout))
    return _rewrite_texts(source, changes)


def _rewrite_texts(source: Source, changes: Mapping[Span, str]) -> Rewrite:
    raw = _replaced(Layout(source), changes.items())
    _prove(source, raw, changes)
    return Rewrite(source, raw)


def _replaced(layout: Layout, changes: Iterable[Edit]) -> bytes:
    text = layout.text
    for span, new in sorted(changes, reverse=True):
        begin, end = layout.offsets(span)
        text = text[:begin] + new + text[end:]
    return text.encode(layout.encoding)


def _refuse_nested(wanted: Sequence[tuple[Site, Constant, Value]]) -> None:
    ordered = sorted(wanted, key=lambda each: each[0].span)
    for (site, one, mine), (other_site, other, theirs) in itertools.pairwise(ordered):
        apart = not site.span.overlaps(other_site.span)
        if not apart and not (site.span == other_site.span and (site.target or identical(mine, theirs))):
            what = f"{one.name} and {other.name} are written in one expression"
            raise ApplyError(str(site), what, "Apply one of them.")


def _refuse_shared(
    site: Site, constant: Constant, value: Value, wanted: Sequence[tuple[Site, Constant, Value]], source: Source
) -> None:
    """Refuse one name of ``A = B = 7``: their literal changes when every name of it gets the same value."""
    if site.target is None:
        return
    same = {each.target for each, _, other in wanted if each.span == site.span and identical(other, value)}
    others = [name for name in _targets(source, site.span) if name not in same]
    if others:
        what = f"{constant.name} shares its literal with {' and '.join(others)}, which would change with it"
        raise ApplyError(str(site), what, f"Assign {constant.name} on a line of its own, then apply again.")


def _targets(source: Source, span: Span) -> list[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assign) and Span.of(node.value) == span:
            return [ast.unparse(target) for target in node.targets]
    return []


def _prove(source: Source, raw: bytes, changes: Mapping[Span, str]) -> None:
    """Parse the new text: it must be the old tree with the new expressions in it, and nothing else."""
    before = copy.deepcopy(source.tree)
    for node in ast.walk(before):
        for name, inner in ast.iter_fields(node):
            setattr(node, name, _exchanged(inner, changes))
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


def _exchanged(inner: object, changes: Mapping[Span, str]) -> object:
    if isinstance(inner, list):
        return [_exchanged(item, changes) for item in inner]
    if isinstance(inner, ast.expr) and Span.of(inner) in changes:
        new = ast.parse(changes[Span.of(inner)], mode="eval")
        return ast.increment_lineno(new, FAR_AWAY).body
    return inner


def _diff(each: Rewrite) -> Iterator[str]:
    before, after = (raw.decode(_encoding(each.source)) for raw in (each.source.raw, each.raw))
    name = each.source.name
    for line in difflib.unified_diff(_lines(before), _lines(after), f"a/{name}", f"b/{name}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _encoding(source: Source | ConfigSource) -> str:
    """Return the encoding that keeps a byte-order mark: without it a diff that shows the first line would not fit."""
    if isinstance(source, ConfigSource):
        return "utf-8"
    return Layout(source).encoding.replace("utf-8-sig", "utf-8")


def _lines(text: str) -> list[str]:
    """As ``patch`` counts them: a carriage return is part of its line."""
    return [f"{line}\n" for line in text.split("\n")[:-1]] + ([text.rpartition("\n")[2]] if text[-1:] != "\n" else [])


def _aside(path: Path, raw: bytes) -> Path:
    """Write beside ``path``, on the same file system, with its mode."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    aside = Path(name)
    aside.chmod(path.stat().st_mode & 0o7777)
    return aside

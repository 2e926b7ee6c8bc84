"""Which of several config files counts, where more than one holds a key.

jsonargparse lays the files and the words of a command line over each other, in their order. Any other program merges by
itself: its source tells which file lies over which, and of the files of a command line the last one counts.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from tune.promotion.configs.config_file import SUFFIXES, ConfigPlace, read_mapping, read_values
from tune.promotion.find.module_scan import dotted_path
from tune.promotion.program import Program
from tune.space.dimensions import Value
from tune.space.yaml_document import Keys

MAX_VALUES = 1_000
"""Of a file; one with more holds data."""
CONFIG = ("--config", "-c")
"""How LightningCLI is given a config file."""
COMMANDS = ("fit", "validate", "test", "predict")
"""Of LightningCLI; a config file that stands before one has a part for each."""
MERGING = ("merge", "update")
"""What the names of functions hold that lay one mapping over another."""
MAY_MERGE = re.compile(rb"(?i)merge|update|[*]{2}|[|]")
"""What a source holds that lays one mapping over another."""

ConfigValues = list[tuple[Keys, ConfigPlace, Value]]


def read_placed_values(path: Path, program: Program) -> ConfigValues:
    """Return the values of a file with their keys and places; none where it holds data."""
    values, name = read_values(path), program.name_of(path)
    if len(values) > MAX_VALUES:
        return []
    return [
        (keys, ConfigPlace(path=path, name=name, keys=keys, line=line), value) for keys, (value, line) in values.items()
    ]


def sort_config_files(paths: Sequence[Path], program: Program, args: Sequence[str]) -> list[Path]:
    """Return the files, each behind those that lie over it.

    First those that the source merges over all others, then those of ``args``, the last one first, then those that the
    source names, in their order, and last those that it merges others over.
    """
    if len(paths) < 2:
        return [*paths]
    words = [PurePath(word.rpartition("=")[2]).name for word in args]
    over, below = set[str](), list[str]()
    for source in program.sources.values():
        for operands in _find_merged_names(source.tree):
            below += [name for names in operands[:-1] for name in names if name not in operands[-1]]
            over |= set(operands[-1])

    def rank_file(path: Path) -> tuple[int, int]:
        places = [place for place, word in enumerate(words) if word in (path.name, path.stem)]
        if path.name in below:
            return 3, -below.index(path.name)
        if path.name in over:
            return 0, 0
        return (1, -places[-1]) if places else (2, 0)

    return sorted(paths, key=rank_file)


def merges_mappings(program: Program) -> bool:
    """Tell whether a program lays one mapping over another."""
    sources = (source for source in program.sources.values() if MAY_MERGE.search(source.raw))
    nodes = (node for source in sources for node in ast.walk(source.tree))
    return any(_find_operands(node) for node in nodes if not isinstance(node, ast.List | ast.Tuple))


def _find_merged_names(tree: ast.Module) -> Iterator[list[list[str]]]:
    """Yield the names of the files that an expression lays over each other, by its operands, the one on top last."""
    assigned: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                assigned[name] = [*assigned.get(name, []), *_names_in(value, {})]
    for node in ast.walk(tree):
        operands = [_names_in(each, assigned) for each in _find_operands(node)]
        if len(operands) > 1 and operands[-1]:
            yield operands


def _find_operands(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Call(func=function, args=args):
            name = function.attr if isinstance(function, ast.Attribute) else dotted_path(function) or ""
            if not any(part in name.lower() for part in MERGING):
                return []
            holder = [function.value] if isinstance(function, ast.Attribute) else []
            return [*holder, *args]
        case ast.Dict(keys=keys, values=values) if None in keys:
            return [value for key, value in zip(keys, values, strict=True) if key is None]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [left, right]
        case ast.AugAssign(target=target, op=ast.BitOr(), value=value):
            return [target, value]
        case ast.List(elts=elements) | ast.Tuple(elts=elements):  # a loop merges them
            return elements if all(isinstance(each, ast.Constant) for each in elements) else []
        case _:
            return []


def _names_in(node: ast.expr, assigned: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names of the config files that an expression names for certain, or by a variable."""
    if any(isinstance(each, ast.IfExp | ast.BoolOp) for each in ast.walk(node)):
        return []
    found: list[str] = []
    for each in ast.walk(node):
        match each:
            case ast.Constant(value=str(text)) if text.endswith(SUFFIXES):
                found.append(PurePath(text).name)
            case ast.Name(id=name):
                found += assigned.get(name, ())
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LayeredConfigs:
    """What jsonargparse makes of the config files and the words of a command line."""

    values: ConfigValues
    """Of the files, those in force alone."""
    words: tuple[str, ...]
    """The names of the words that are in force in the place of a file's value: ``--optimizer.lr``."""


@dataclass(frozen=True, slots=True)
class _Entry:
    path: tuple[str, ...]
    """In the parser's namespace, without what a word may leave out."""
    keys: Keys
    place: ConfigPlace
    value: Value


def lay_configs(
    below: Sequence[Path], args: Sequence[str], find_file: Callable[[str], Path | None], program: Program
) -> LayeredConfigs:
    """Return what is in force. ``below``: files that the source names, each over those before it."""
    entries: list[_Entry] = []
    words: dict[str, None] = {}
    for path in below:
        entries = _lay_file(entries, path, (), program)
    for position, word in enumerate(args):
        name, equals, text = word.partition("=")
        if not name.startswith("-"):
            continue
        text = text if equals else next(iter(args[position + 1 : position + 2]), "")
        holder = _shorten(name.strip("-+").split("."))
        file = find_file(text)
        if file is not None:
            is_whole = name in CONFIG or not any(entry.path[: len(holder)] == holder for entry in entries)
            entries = entries if is_whole else _drop_below(entries, holder)
            entries = _lay_file(entries, file, () if is_whole else holder, program)
        else:
            left = _drop_below(entries, holder)
            if len(left) < len(entries) and name.startswith("--"):
                words[name.rstrip("+")] = None
            entries = left
    return LayeredConfigs(values=[(each.keys, each.place, each.value) for each in entries], words=tuple(words))


def _lay_file(entries: list[_Entry], file: Path, prefix: tuple[str, ...], program: Program) -> list[_Entry]:
    """Return the entries with those of a file over them."""
    for path in list(_find_replaced(read_mapping(file) or {}, prefix, entries)):
        entries = _drop_below(entries, path)
    placed = read_placed_values(file, program)
    return [*entries, *(_Entry((*prefix, *_shorten(keys)), keys, place, value) for keys, place, value in placed)]


def _find_replaced(held: Any, path: tuple[str, ...], entries: Sequence[_Entry]) -> Iterator[tuple[str, ...]]:
    """Yield what a config replaces as a whole: values, lists, and the arguments of another class."""
    if not isinstance(held, Mapping):
        yield path
        return
    if "class_path" in held:
        classes = [each.value for each in entries if each.path == (*path, "class_path")]
        if any(each != held["class_path"] for each in classes):
            yield path
    for key, value in held.items():
        yield from _find_replaced(value, (*path, *_shorten(str(key).split("."), at_top=not path)), entries)


def _drop_below(entries: Sequence[_Entry], path: tuple[str, ...]) -> list[_Entry]:
    return [each for each in entries if each.path[: len(path)] != path]


def _shorten(keys: Sequence[str | int], *, at_top: bool = True) -> tuple[str, ...]:
    """Return keys without the command, the places in lists, and ``init_args``, which a word may leave out."""
    names = [key for key in keys if isinstance(key, str) and not key.isdigit() and key != "init_args"]
    return tuple(names[1:] if at_top and names and names[0] in COMMANDS else names)

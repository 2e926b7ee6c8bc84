"""The config files that a program reads by itself: ``yaml.safe_load(open("config.yaml"))``, ``OmegaConf.load(path)``.

A file counts where its name stands as text in the program, or in ``args``, and it lies in the project. Whether the
program opens it in a trial is seen there.
"""

import ast
import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePath

from tune.promotion.configs.config_file import INI, MOST_BYTES, SUFFIXES, ConfigPlace
from tune.promotion.configs.config_layers import LayeredConfigs, lay_configs, read_placed_values, sort_config_files
from tune.promotion.configs.hydra_values import program_configs
from tune.promotion.find.module_scan import dotted_path
from tune.promotion.find.project import project_of
from tune.promotion.find.usages import find_taken_names, is_of_library
from tune.promotion.program import Program, Source
from tune.space.dimensions import Value

OF_TOOLS = frozenset({"pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini", "mypy.ini"})
"""A program may name one to find its root."""
KEY = re.compile(r"[A-Za-z_][\w-]*")
"""A key that a space file can name."""
STEM = re.compile(r"[\w-]{1,60}")
"""A file's name without what follows the point."""
FOLDER = re.compile(r"[\w./-]{1,100}")
NAMING = frozenset({"open", "Path", "PurePath", "join", "joinpath", "exists", "isfile", "is_file", "read"})
"""Functions that are given a file's name, and whose result the program reads itself."""
WRITING = frozenset("wax+")
WRITERS = frozenset({"save", "dump", "safe_dump", "save_config", "to_json", "to_yaml", "to_csv", "savefig"})
"""Methods that are given the name of a file that they write."""
BY_ANY_NAME = frozenset({"getattr", "setattr", "instantiate", "call"})
"""Functions that may read a value whose name stands nowhere in the source; ``call`` is hydra's."""
CASE_METHOD = re.compile(rb"\.(lower|upper|casefold|capitalize)\(\)")
LOADS = frozenset({"safe_load", "load", "full_load", "unsafe_load", "loads", "CSafeLoader", "safe_load_all"})
"""Functions that return what a config file says."""
INTERPOLATION = re.compile(rb"\$\{([^}]*)")
NESTED = b"${"
ANY_KEY = "*"
"""Stands for each key."""
OF_A_CONFIG = re.compile(r"(\w*_)?(cfg|conf|config|configs|params|settings|hparams)", re.IGNORECASE)
PARSERS = (b"LightningCLI", b"jsonargparse")
"""Names in a source that show that jsonargparse reads the command line."""


def read_config_files(program: Program, args: Sequence[str] = ()) -> tuple[Path, ...]:
    """Return the config files that the program names, those of ``args`` first; absolute, below the program's root."""
    if not args and not any(_names_suffix(source.raw) for source in program.sources.values()):
        return ()
    texts = [(word.rpartition("=")[2], program.path) for word in args]
    copies = set[str]()  # the names of files that the program writes
    for source in program.sources.values():
        found_texts, written = _find_texts(source, program, args)
        texts += [(text, source.path) for text in found_texts]
        copies |= {PurePath(text).name for text in written}
    named = list(dict.fromkeys(texts))  # a large project says most of its texts many times
    above = {beside: _folders_above(beside, program) for _, beside in named}
    suffixes = dict.fromkeys(text for text, _ in named if text in SUFFIXES)  # of a name that the program puts together
    folders = dict.fromkeys(text for text, beside in named if _is_folder(text, above[beside]))
    stems = [(f"{text}{suffix}", beside) for suffix in suffixes for text, beside in named if STEM.fullmatch(text)]
    whole = [(text, beside) for text, beside in (*named, *stems) if text.endswith(SUFFIXES) and text not in SUFFIXES]
    places = {beside: (Path.cwd(), *folders_above) for beside, folders_above in above.items()}
    joined = [(text, beside) for text, beside in whole if PurePath(text).name not in copies]
    below = [(str(PurePath(folder, text)), beside) for text, beside in joined for folder in folders]
    found = (_find_named_file(text, places[beside], program) for text, beside in (*whole, *below))
    of_hydra = set(program_configs(program))
    return tuple(dict.fromkeys(path for path in found if path is not None and path not in of_hydra))


def _names_suffix(raw: bytes) -> bool:
    """Tell whether a source holds the end of a config file's name."""
    return any(suffix.encode() in raw for suffix in SUFFIXES)


def _folders_above(beside: Path, program: Program) -> tuple[Path, ...]:
    """Return the folders between a source and the root, both included."""
    folders = (beside.parent, *beside.parent.parents)
    return tuple(folder for folder in folders if folder.is_relative_to(program.root))


def _is_folder(text: str, above: Sequence[Path]) -> bool:
    """Tell whether a text may be the folder of config files: one between the source and the root holds it."""
    if not FOLDER.fullmatch(text) or set(PurePath(text).parts) <= {".", ".."}:
        return False
    return any((folder / text).is_dir() for folder in above)


def values_of_config_files(program: Program, args: Sequence[str] = ()) -> dict[str, tuple[ConfigPlace, Value]]:
    """Return the values by their keys, ``optim.lr``; of several files that hold a key the one that counts."""
    if parses_configs(program):
        placed = layered_configs(program, args).values
    else:
        files = sort_config_files(read_config_files(program, args), program, args)
        placed = [each for path in files for each in read_placed_values(path, program)]
    found: dict[str, tuple[ConfigPlace, Value]] = {}
    for keys, place, value in placed:
        if keys and all(isinstance(key, int) or KEY.fullmatch(key) for key in keys):
            found.setdefault(".".join(map(str, keys)), (place, value))
    return found


def layered_configs(program: Program, args: Sequence[str]) -> LayeredConfigs:
    """Return what jsonargparse makes of the config files that the program and ``args`` name."""

    def find_file(text: str) -> Path | None:
        return _find_named_file(text, (Path.cwd(), *_folders_above(program.path, program)), program)

    given = {find_file(word.rpartition("=")[2]) for word in args}
    below = [path for path in read_config_files(program, args) if path not in given]
    return lay_configs(sort_config_files(below, program, ())[::-1], args, find_file, program)


def parses_configs(program: Program) -> bool:
    """Tell whether a parser of jsonargparse's reads the command line; LightningCLI's is one."""
    return any(name in source.raw for source in program.sources.values() for name in PARSERS)


def mentions_key(program: Program, place: ConfigPlace) -> bool:
    """Tell whether the source names a value's key, or may read it without naming it.

    Those above it need not be named: ``presets[name]["lr"]`` reads any of them.
    """
    names = [key for key in place.keys if isinstance(key, str)]
    if parses_configs(program) or not names or names[0] == "defaults":  # a config group, or what YAML anchors take
        return True
    if _is_named(names[-1:], place, program):
        return True
    whole = _find_whole_reads(program)
    return ANY_KEY in whole or any(key in whole for key in names[:-1])


def mentions_section(program: Program, place: ConfigPlace) -> bool:
    """Tell whether the source names the first key above a value: ``train`` of ``train.optim.lr``.

    Those below may be chosen by a key.
    """
    return len(place.keys) < 2 or _is_named([str(place.keys[0])], place, program)


def _is_named(names: Sequence[str], place: ConfigPlace, program: Program) -> bool:
    """Tell whether the source, or an interpolation of a config file, holds all of these words."""
    sources = program.sources.values()
    # configparser knows the keys of an INI file by any case, and so does a program that changes it
    is_any_case = place.path.suffix in INI or any(CASE_METHOD.search(source.raw) for source in sources)
    case = re.IGNORECASE if is_any_case else re.NOFLAG
    taken = _find_interpolations(program, place.path, place.path.stat().st_mtime_ns)
    if any(NESTED in text for text in taken):  # which key it takes is put together
        return True
    texts = [*(source.raw for source in sources), *taken]
    return all(any(re.search(rf"\b{re.escape(name)}\b".encode(), text, case) for text in texts) for name in names)


@lru_cache(maxsize=16)
def _find_interpolations(program: Program, path: Path, version: int) -> frozenset[bytes]:
    """Return what config files take from other values: of ``${optim.lr}`` the text within.

    ``path``: one of them; ``version``: of that file, so that an edited one is read again.
    """
    del version
    paths = {*program_configs(program), path}
    return frozenset(text for each in paths for text in INTERPOLATION.findall(each.read_bytes()))


@lru_cache(maxsize=4)
def _find_whole_reads(program: Program) -> frozenset[str]:
    """Return the keys whose part of a config a library takes, without a name of what is in it; ANY_KEY: all of it."""
    project, found = project_of(program), set[str]()
    for survey in project.surveys.values():
        loaded = _find_loaded_names(survey.source.tree)
        nodes = list(ast.walk(survey.source.tree))
        copied = {id(each) for node in nodes for each in _find_copied_items(node)}
        if any(_reads_any_name(node, loaded) for node in nodes if id(node) not in copied):
            found.add(ANY_KEY)
        for called in survey.calls:
            if is_of_library(called.node, survey, project):
                found |= {ANY_KEY} if _takes_file(called.node) else set()
                taken = find_taken_names(called.node)
                found |= taken | ({ANY_KEY} if taken & loaded else set())
    return frozenset(found)


def _takes_file(node: ast.Call) -> bool:
    """Tell whether a library gets a config file by its name, and reads what it likes: ``from_json_file("a.json")``."""
    texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    name = (dotted_path(node.func) or "").rpartition(".")[2]
    return any(text.endswith(SUFFIXES) for text in texts) and name not in LOADS | NAMING | WRITERS


def _find_loaded_names(tree: ast.Module) -> set[str]:
    """Return the names that hold what a config file says, or may: parameters with a usual name of it."""
    names = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found = {name for name in names if OF_A_CONFIG.fullmatch(name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(_is_load(each) for each in ast.walk(node.value)):
            found |= {(dotted_path(target) or "").rpartition(".")[2] for target in node.targets}
    return found - {""}


def _is_load(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and (dotted_path(node.func) or "").rpartition(".")[2] in LOADS


def _find_copied_items(node: ast.AST) -> Iterator[ast.expr]:
    """Yield ``held.items`` of ``{key.lower(): value for key, value in held.items()}``, which reads no value."""
    match node:
        case ast.DictComp(
            key=ast.Name() | ast.Call(func=ast.Attribute(value=ast.Name(), attr="lower" | "upper" | "casefold")),
            value=ast.Name(id=name),
            generators=[ast.comprehension(target=ast.Tuple(elts=[_, ast.Name(id=own)]), iter=ast.Call(func=items))],
        ) if name == own:
            yield items


def _reads_any_name(node: ast.AST, loaded: set[str]) -> bool:
    """Tell what may read any key; ``loaded``: names of configs, of which ``cfg[stage]`` does."""
    match node:
        case (
            ast.Subscript(value=base, slice=key)
            | ast.Call(func=ast.Attribute(value=base, attr="get" | "pop"), args=[key, *_])
        ) if not isinstance(key, ast.Constant | ast.Slice):
            return not loaded.isdisjoint((dotted_path(base) or "").split("."))
        case ast.alias(name=name):
            return name in BY_ANY_NAME
        case ast.Attribute(attr="items" | "values"):
            return True
        case ast.Call(func=function, keywords=keywords):
            name = (dotted_path(function) or "").rpartition(".")[2]
            return name in BY_ANY_NAME or any(keyword.arg is None for keyword in keywords)
        case _:
            return False


def _find_texts(source: Source, program: Program, args: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the texts of a source, but of defaults that ``args`` replace, and those that name a file it writes."""
    nodes = list(ast.walk(source.tree))
    replaced = _find_replaced_defaults(nodes, args) if args else set[int]()
    written = _find_written(nodes, lambda name: _is_named_elsewhere(name, source.path, program))
    found: tuple[list[str], list[str]] = [], []
    for node in (each for each in nodes if id(each) not in replaced):
        texts = found[id(node) in written]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
        elif isinstance(node, ast.BinOp | ast.Call) and len(parts := _path_parts(node)) > 1:
            texts.append("/".join(parts))
    return found


def _find_replaced_defaults(nodes: Sequence[ast.AST], args: Sequence[str]) -> set[int]:
    """Return the ``id`` of what stands in the default of an option of argparse's that ``args`` give another value."""
    given = {word.partition("=")[0] for word in args}
    found: set[int] = set()
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(attr="add_argument"), args=names, keywords=keywords):
                said = {each.arg: each.value for each in keywords}
                is_given = any(isinstance(name, ast.Constant) and name.value in given for name in names)
                if is_given and "default" in said and not {"nargs", "action"} & said.keys():
                    found |= {id(each) for each in ast.walk(said["default"])}
    return found


def _is_named_elsewhere(name: str, path: Path, program: Program) -> bool:
    """Tell whether a source but one holds a word, by which it may read what that one holds."""
    word = re.compile(rf"\b{re.escape(name)}\b".encode())
    return any(word.search(source.raw) for source in program.sources.values() if source.path != path)


def _find_written(nodes: Sequence[ast.AST], is_read_elsewhere: Callable[[str], bool]) -> set[int]:
    """Return the ``id`` of what names a file that is written, and of what is assigned to a name for that alone.

    ``is_read_elsewhere``: tells whether another source may read a name.
    """
    written = {id(inner) for node in nodes for each in _written_names(node) for inner in _walk_unread(each)}
    names = [node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    used = {node.id for node in names if id(node) in written} - {node.id for node in names if id(node) not in written}
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in used:
                written |= set() if is_read_elsewhere(name) else {id(inner) for inner in ast.walk(value)}
    return written


def _walk_unread(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of an expression, but for those that name a file which it reads."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        is_open = isinstance(node, ast.Call) and (dotted_path(node.func) or "") == "open"
        if not (_is_load(node) or (is_open and not list(_written_names(node)))):
            yield node
            waiting += ast.iter_child_nodes(node)


def _path_parts(node: ast.expr) -> list[str]:
    """Return the parts of a path behind the last that is no text: of ``here / "conf" / "c.yaml"`` two."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.BinOp(left=left, op=ast.Div(), right=ast.Constant(value=str(text))):
            return [*_path_parts(left), text]
        case ast.Call(func=ast.Name(id="Path" | "join") | ast.Attribute(attr="join" | "joinpath" | "Path"), args=args):
            texts = [each.value if isinstance(each, ast.Constant) else None for each in args]
            behind = itertools.takewhile(lambda text: isinstance(text, str), reversed(texts))
            return [str(text) for text in behind][::-1]
        case _:
            return []


def _written_names(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the name of a file that is written: ``open("metrics.json", "w")``, ``OmegaConf.save(cfg, path)``."""
    match node:
        case ast.Call(func=ast.Attribute(attr=method), args=args, keywords=keywords) if method in WRITERS:
            yield from args
            yield from (keyword.value for keyword in keywords)
        case ast.Call(func=ast.Attribute(value=owner, attr="write_text" | "write_bytes")):
            yield owner
        case ast.Call(func=ast.Attribute(value=owner, attr="open"), args=[ast.Constant(value=str(mode)), *_]) if (
            WRITING & set(mode)
        ):
            yield owner
        case ast.Call(func=ast.Name(id="open"), args=[name, *more], keywords=keywords):
            modes = [*more[:1], *(keyword.value for keyword in keywords if keyword.arg == "mode")]
            texts = [each.value for each in modes if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if any(WRITING & set(text) for text in texts):
                yield name


def _find_named_file(text: str, places: Sequence[Path], program: Program) -> Path | None:
    """Return the file that a text names, from one of the folders: the working directory, and those above its source."""
    named = PurePath(text)
    if "\n" in text or "\0" in text or named.suffix not in SUFFIXES or named.name in OF_TOOLS:
        return None
    if named.is_absolute():
        parts = named.parts[1:]
        paths = [os.path.normpath(text), *(str(program.root.joinpath(*parts[n:])) for n in range(len(parts)))]  # a copy
    else:
        paths = [os.path.normpath(f"{folder}/{text}") for folder in places]
    for path in map(Path, filter(os.path.isfile, paths)):
        if path.is_relative_to(program.root) and path.stat().st_size <= MOST_BYTES:
            return path if program.is_project_file(path) else None
    return None

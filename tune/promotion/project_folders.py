"""Where the modules of a program may lie: the root of its project, and the folders that its imports are looked for in.

A folder that the program itself adds to ``sys.path`` is read from its source; one that an editable install or
``PYTHONPATH`` adds is there in this process. A folder that stands behind what is installed hides nothing of it.
"""

import ast
import importlib.util
import itertools
import os
import re
import sys
import sysconfig
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

ROOT_MARKERS = ("pyproject.toml", ".git")
USUAL_FILES = ("setup.py", "setup.cfg", "requirements.txt", "environment.yml", "Pipfile", "README.md", "README.rst")
"""Files of which a project has one where it has none of ROOT_MARKERS, as one that was downloaded."""
FOREIGN_FOLDERS = frozenset({"site-packages", "dist-packages", "node_modules", "__pycache__"})
ADDS_FOLDERS = re.compile(rb"sys\.path|addsitedir")
STANDARD_LIBRARY = Path(sysconfig.get_paths()["stdlib"]).resolve()
"""A conda environment below the root has it in no folder of FOREIGN_FOLDERS."""
MAX_HOPS = 8
"""Names that stand for a folder are followed so far."""
OWN_FOLDER = Path(__file__).parents[2]
"""Where this package lies; `python run_search.py` adds it to ``sys.path``, and no trial has it there."""


@dataclass(frozen=True, slots=True)
class SearchPath:
    """The folders of a project that its imports are looked for in."""

    before: tuple[Path, ...]
    """Those that come before what is installed."""
    behind: tuple[Path, ...] = ()
    """Those that come behind it, as one that is appended to ``sys.path``; none of ``before``."""

    def folders_of(self, top: str) -> tuple[Path, ...]:
        """Return the folders in which Python would look for a top-level module."""
        return self.before if not self.behind or is_found_first(top, self.behind) else (*self.before, *self.behind)


@dataclass(frozen=True, slots=True)
class AddedFolder:
    """A folder that is in ``sys.path``, or that a program adds to it."""

    path: Path
    is_behind: bool
    """Whether what is installed comes before it."""


def is_foreign(path: Path, root: Path) -> bool:
    """Tell whether a file below ``root`` is in an environment's packages, or in a hidden folder."""
    folders = path.relative_to(root).parts[:-1]
    hidden = any(folder.startswith(".") for folder in folders)
    return hidden or not FOREIGN_FOLDERS.isdisjoint(folders) or path.is_relative_to(STANDARD_LIBRARY)


def find_root(program: Path) -> Path:
    """Return the nearest folder upward with a pyproject.toml or a .git, else that of an unmarked project.

    An unmarked project is the folder above the topmost package, or above its ``src``, or one that lies at most two
    above and holds one of USUAL_FILES. Where the program adds a folder to ``sys.path`` that lies outside, it is the
    folder above both, if that is one of a project, too: in a repository of several projects the repository.
    """
    marked = [folder for folder in program.parents if any((folder / marker).exists() for marker in ROOT_MARKERS)]
    start = marked[0] if marked else package_parent(program)
    root = start if marked else _find_unmarked_root(start)
    entries = [Path(entry).resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    above_program = [] if marked else [entry for entry in entries if program.is_relative_to(entry)]
    added = [each.path for each in added_folders(program.read_bytes(), program)]
    for folder in (*added, *above_program):
        above = next(each for each in (root, *root.parents) if folder.is_relative_to(each))
        is_near = not marked and above in (folder, start.parent) and above not in _home_and_above()
        if above in marked or is_near:
            root = above
    return root


def _find_unmarked_root(start: Path) -> Path:
    """Return the folder of a project without ROOT_MARKERS; ``start``: that above its topmost package."""
    near = list(itertools.takewhile(lambda folder: folder not in _home_and_above(), (start, *start.parents)))[:3]
    near = near[1:] if start.name == "src" and len(near) > 1 else near
    usual = (folder for folder in near if any((folder / name).is_file() for name in USUAL_FILES))
    return next(usual, near[0] if near else start)


def is_guessed_root(root: Path, program: Path) -> bool:
    """Tell a root that only its usual files show: nothing is imported from it."""
    start = package_parent(program)
    is_marked = any((root / marker).exists() for marker in ROOT_MARKERS)
    return not is_marked and root == _find_unmarked_root(start) != start


def _home_and_above() -> tuple[Path, ...]:
    """Return the user's home folder and those above it; none where nobody knows of one, as in some containers."""
    try:
        home = Path.home()
    except RuntimeError:
        return ()
    return (home, *home.parents)


def package_parent(path: Path) -> Path:
    """Return the folder above the topmost package that a file lies in; the file's own where it is in none."""
    return next(folder for folder in path.parents if not (folder / "__init__.py").is_file())


def source_folder(root: Path) -> Path | None:
    """Return ``src`` below the root, if it is a folder of modules and no package."""
    folder = root / "src"
    return folder if folder.is_dir() and not (folder / "__init__.py").is_file() else None


def import_path() -> Iterator[AddedFolder]:
    """Yield the folders of ``sys.path``, without those of what is installed."""
    n_before = _last_library_place()
    for place, entry in enumerate(map(Path, sys.path)):
        folder = entry.resolve()
        if entry.is_absolute() and folder.is_dir() and not _is_library(folder):
            yield AddedFolder(folder, place > n_before)


def _last_library_place() -> int:
    """Return the last place in ``sys.path`` that holds what is installed."""
    places = [place for place, entry in enumerate(sys.path) if not FOREIGN_FOLDERS.isdisjoint(Path(entry).parts)]
    return max(places, default=len(sys.path))


def is_found_first(top: str, behind: Collection[Path]) -> bool:
    """Tell whether Python finds a top-level module before it comes to the folders that stand behind what is installed.

    A namespace package does not count: any regular package of its name precedes it. Nor does our own package count, of
    whose name a program has none.
    """
    if top in sys.stdlib_module_names:
        return True
    spec = None if top == __name__.partition(".")[0] else PathFinder.find_spec(top)
    if spec is None or spec.origin is None or not spec.has_location:
        return False
    folder = Path(spec.submodule_search_locations[0] if spec.submodule_search_locations else spec.origin).parent
    return folder.resolve() not in (*behind, OWN_FOLDER)


def folder_of_module(top: str) -> Path | None:
    """Return the folder that a top-level module is imported from; None where it is installed, or nowhere.

    The finders of editable installs are asked, too.
    """
    if top in sys.stdlib_module_names:
        return None
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, AttributeError, ValueError):
        return None
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    if spec is None or not (places or spec.has_location):
        return None
    folder = Path(places[0] if places else str(spec.origin)).resolve().parent
    return None if _is_library(folder) or next(folder.glob("*.dist-info"), None) is not None else folder


def _is_library(folder: Path) -> bool:
    """Whether a folder is one of an environment, or that of this package."""
    is_standard = folder.is_relative_to(STANDARD_LIBRARY) or STANDARD_LIBRARY.is_relative_to(folder)
    return is_standard or not FOREIGN_FOLDERS.isdisjoint(folder.parts)


def added_folders(raw: bytes, path: Path) -> list[AddedFolder]:
    """Return the folders that a file's source adds to ``sys.path``, as far as they can be told, in order.

    A relative one is looked for in the working directory, as Python does, and beside the file.
    """
    if ADDS_FOLDERS.search(raw) is None:
        return []
    try:
        tree = ast.parse(raw)
    except (SyntaxError, ValueError):
        return []  # whoever reads the file says so
    names = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: dict[AddedFolder, None] = {}
    for entry, is_behind in (added for node in ast.walk(tree) for added in _find_path_entries(node)):
        for here in (Path.cwd(), path.parent):
            text = _FolderReader(path, here, names).read_path(entry, MAX_HOPS)
            if text and (folder := Path(here, text).resolve()).is_dir():
                found[AddedFolder(folder, is_behind)] = None
    return list(found)


def _find_path_entries(node: ast.AST) -> Iterator[tuple[ast.expr, bool]]:
    """Yield what a statement or a call adds to ``sys.path``, and whether that comes behind what is installed."""
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="append"), args=[entry]) if _is_path(owner):
            yield entry, True
        case ast.Call(func=ast.Attribute(value=owner, attr="insert"), args=[place, entry]) if _is_path(owner):
            yield entry, _is_place_behind(place)
        case ast.Call(func=ast.Attribute(attr="addsitedir") | ast.Name("addsitedir"), args=[entry, *_]):
            yield entry, True
        case ast.Call(func=ast.Attribute(value=owner, attr="extend"), args=[ast.List() | ast.Tuple() as listed]):
            yield from ((entry, True) for entry in listed.elts if _is_path(owner))
        case ast.AugAssign(target=owner, value=ast.List() | ast.Tuple() as listed) if _is_path(owner):
            yield from ((entry, True) for entry in listed.elts)
        case ast.Assign(targets=[ast.Subscript(value=owner, slice=place)], value=value) if _is_path(owner):
            is_behind = isinstance(place, ast.Slice) and place.lower is not None and _is_place_behind(place.lower)
            yield from ((entry, is_behind or comes_later) for entry, comes_later in _find_listed_entries(value))
        case ast.Assign(targets=[owner], value=value) if _is_path(owner):
            yield from _find_listed_entries(value)


def _is_place_behind(place: ast.expr) -> bool:
    """Tell whether a place in ``sys.path`` lies behind what is installed; one that cannot be told does not."""
    match place:
        case ast.Call(func=ast.Name("len"), args=[owner]):
            return _is_path(owner)
        case ast.Constant(value=int(number)):
            return number > _last_library_place()
        case _:
            return False


def _find_listed_entries(value: ast.expr) -> Iterator[tuple[ast.expr, bool]]:
    """Yield the entries of lists in a new value of ``sys.path``, and whether they stand behind what it was."""
    nodes = list(ast.walk(value))
    former = [(node.lineno, node.col_offset) for node in nodes if isinstance(node, ast.expr) and _is_path(node)]
    for each in nodes:
        for entry in each.elts if isinstance(each, ast.List | ast.Tuple) else ():
            if not isinstance(entry, ast.Starred):
                yield entry, any(place < (entry.lineno, entry.col_offset) for place in former)


def _is_path(node: ast.expr) -> bool:
    match node:
        case ast.Attribute(value=ast.Name("sys"), attr="path"):
            return True
        case _:
            return False


class _FolderReader:
    """Reads expressions of ``os.path`` and ``pathlib`` that name a folder."""

    def __init__(self, path: Path, here: Path, names: Mapping[str, ast.expr]) -> None:
        self._path = path
        self._here = here
        self._names = names

    def read_path(self, node: ast.expr, hops: int) -> str | None:
        """Return the path as text; None where it cannot be told."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Name(id="__file__"):
                return str(self._path)
            case ast.Name(id=name) if name in self._names and hops:
                return self.read_path(self._names[name], hops - 1)
            case ast.Attribute(attr="pardir" | "curdir" as name):
                return os.pardir if name == "pardir" else os.curdir
            case ast.Attribute(value=inner, attr="parent"):
                return self._read_parent(inner, 0, hops)
            case ast.Subscript(value=ast.Attribute(value=inner, attr="parents"), slice=ast.Constant(value=int(number))):
                return self._read_parent(inner, number, hops)
            case ast.BinOp(left=left, op=operator, right=right):
                return self._read_operation(left, operator, right, hops)
            case ast.Call(func=function, args=arguments):
                return self._read_call(function, arguments, hops)
            case _:
                return None

    def _read_operation(self, left: ast.expr, operator: ast.operator, right: ast.expr, hops: int) -> str | None:
        if isinstance(operator, ast.Div):
            return self._join_parts([left, right], hops)
        first, second = self.read_path(left, hops), self.read_path(right, hops)
        return first + second if isinstance(operator, ast.Add) and first is not None and second is not None else None

    def _read_call(self, function: ast.expr, arguments: list[ast.expr], hops: int) -> str | None:
        owner = function.value if isinstance(function, ast.Attribute) else None
        match function:
            case ast.Attribute(attr=name) | ast.Name(id=name):
                pass
            case _:
                return None
        match name, arguments:
            case (("getcwd" | "cwd"), []):
                return str(self._here)
            case (("Path" | "PurePath"), []):
                return os.curdir
            case (("Path" | "PurePath" | "join"), _):
                return self._join_parts(arguments, hops)
            case "joinpath", _ if owner is not None:
                return self._join_parts([owner, *arguments], hops)
            case "dirname", [inner]:
                text = self.read_path(inner, hops)
                return None if text is None else str(Path(text).parent)
            case (("abspath" | "realpath" | "normpath" | "str" | "fspath" | "expanduser"), [inner]):
                text = self.read_path(inner, hops)
            case (("resolve" | "absolute" | "as_posix" | "expanduser"), _) if owner is not None:
                text = self.read_path(owner, hops)
            case _:
                return None
        if text is None or name in ("str", "fspath", "as_posix"):
            return text
        return os.path.normpath(self._here / os.path.expanduser(text))  # noqa: PTH111  Path's raises on `~nobody`

    def _join_parts(self, parts: list[ast.expr], hops: int) -> str | None:
        texts = [self.read_path(part, hops) for part in parts]
        known = [text for text in texts if text is not None]
        return str(Path(*known)) if len(known) == len(texts) else None

    def _read_parent(self, inner: ast.expr, number: int, hops: int) -> str | None:
        text = self.read_path(inner, hops)
        parents = [] if text is None else list(Path(text).parents)
        return str(parents[number]) if 0 <= number < len(parents) else None

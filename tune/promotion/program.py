"""The user's program, seen without running it: its file, its root, and the project modules that it imports."""

import ast
import io
import shlex
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tune.errors import ProgramError, relative_if_shorter
from tune.gc_control import collector_paused
from tune.invocation import join_words, this_command
from tune.paths import display_path, find_program_file
from tune.promotion.configs.named_modules import find_named_modules
from tune.promotion.project_folders import (
    AddedFolder,
    SearchPath,
    added_folders,
    find_root,
    folder_of_module,
    import_path,
    is_foreign,
    is_found_first,
    is_guessed_root,
    package_parent,
    source_folder,
)

BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields of a syntax tree's nodes that hold statements."""


@dataclass(frozen=True)
class Program:
    """A Python file and the project around it."""

    path: Path
    """The file that was named, absolute."""
    root: Path
    """The folder of the project: see ``find_root``."""
    recorded_path: SearchPath | None = None
    """The search path that a snapshot was taken with; None: it is worked out."""
    is_snapshot: bool = False
    """Whether the files are an experiment's copy, and not those that the user edits."""

    @cached_property
    def module(self) -> str:
        """The name it is imported under: dotted below a folder of the search path, as ``python -m`` would have it."""
        levels = [node.level for node in ast.walk(self.source.tree) if isinstance(node, ast.ImportFrom)]
        in_package = (self.path.parent / "__init__.py").is_file()
        bases = (package_parent(self.path) if in_package else None, source_folder(self.root), self.root)
        for base in bases:
            if base is None or not self.path.is_relative_to(base):
                continue
            parts = self.path.relative_to(base).with_suffix("").parts
            if len(parts) > 1 and not in_package and find_module(parts[0], self.path.parent) is not None:
                continue  # `mnist/mnist.py`: its own folder comes first, and has a module of the folder's name
            if all(part.isidentifier() for part in parts) and len(parts) > max(levels, default=0):
                return ".".join(parts)
        return self.path.stem

    @property
    def package(self) -> str:
        """The package that its relative imports start from; empty where it has none, and is run by its path."""
        relative = any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(self.source.tree))
        return self.module.rpartition(".")[0] if relative else ""

    @property
    def search_path(self) -> SearchPath:
        """Where its imports are looked for, but for what is installed: folders of the project.

        Its own folder, as for ``python file.py``; those that the project's files or an editable install add to
        ``sys.path``; ``src``; the root. For a file of a package its own folder is the last one, as for ``python -m``,
        and the folder above the topmost package the first. What is appended stands behind what is installed, also
        where it is ``src`` or the root.
        """
        return self._reached_files.search_path if self.recorded_path is None else self.recorded_path

    @property
    def sources(self) -> dict[str, "Source"]:
        """The project modules that it reaches, by their path below the root; the program itself first."""
        return self._reached_files.sources

    @property
    def naming_files(self) -> tuple[Path, ...]:
        """The config files that name a module or a class of the project: ``_target_: models.Net``."""
        return tuple(dict.fromkeys(path for path in self._reached_files.named.values() if path is not None))

    @property
    def named_objects(self) -> frozenset[str]:
        """The last parts of the names of the project that config files and texts hold: ``Net``."""
        return frozenset(dotted.rpartition(".")[2] for dotted in self._reached_files.named)

    @property
    def unresolved_imports(self) -> dict[str, str]:
        """The names that it imports and that are no modules of the project, with the first line of each."""
        return self._reached_files.unresolved

    @property
    def outside_folders(self) -> dict[str, Path]:
        """The folders outside of the project that its imports lead to, by top-level name; none that pip installed."""
        return self._reached_files.outside_folders

    @cached_property
    def _reached_files(self) -> "_ReachedFiles":
        with collector_paused():
            return _resolve_imports(self)

    def moved_to(self, root: Path) -> "Program":
        """Return the program of a copy of the project."""
        before, behind = (
            tuple(root / folder.relative_to(self.root) for folder in folders)
            for folders in (self.search_path.before, self.search_path.behind)
        )
        return Program(root / self.name_of(self.path), root, SearchPath(before, behind))

    @property
    def source(self) -> "Source":
        """The program's own file."""
        return next(iter(self.sources.values()))

    def name_of(self, path: Path) -> str:
        """Return the path below the root, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def is_project_file(self, path: Path) -> bool:
        """Tell whether ``path`` is a project module: below the root and not in an environment's packages."""
        return path.is_relative_to(self.root) and not is_foreign(path, self.root)


@dataclass(frozen=True)
class Source:
    """One file's text, as it was when it was read."""

    path: Path
    """Absolute."""
    name: str
    """The path below the program's root, with forward slashes."""
    raw: bytes
    """The file byte for byte; `apply` writes it back with nothing but literals changed."""
    tree: ast.Module

    @classmethod
    def parse_file(cls, path: Path, name: str) -> "Source":
        """Parse a file; raise ProgramError with the place where it is not Python."""
        raw = path.read_bytes()
        try:
            return cls(path=path, name=name, raw=raw, tree=ast.parse(raw, filename=str(path)))
        except SyntaxError as error:
            place = f"{name}:{error.lineno}" if error.lineno else name
            raise ProgramError(place, f"this is not Python: {error.msg}", "Mend the file; nothing was run.") from error
        except (RecursionError, MemoryError) as error:
            raise ProgramError(name, "it is nested too deep for Python", "Mend the file; nothing was run.") from error
        except ValueError as error:
            raise ProgramError(name, f"this is not Python: {error}", "Mend the file; nothing was run.") from error

    @cached_property
    def text(self) -> str:
        """The file decoded as Python would."""
        return decode_source(self.raw)

    @property
    def module_names(self) -> tuple[str, ...]:
        """The dotted names that a user may write for this module, the shortest first: ``digits``, ``lit.digits``."""
        parts = self.name.removesuffix(".py").removesuffix("/__init__").split("/")
        return tuple(".".join(parts[start:]) for start in reversed(range(len(parts))))


def decode_source(raw: bytes) -> str:
    """Return a source file's text: its own encoding line or byte-order mark, else UTF-8; each line end a newline."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    return io.IncrementalNewlineDecoder(None, translate=True).decode(raw.decode(encoding))


def find_program(path: Path) -> Program:
    """Return the program of a file; raise ProgramError when there is no such file."""
    path = find_program_file(path)
    return Program(path, find_root(path))


def suggest_listing(program: Program, args: Sequence[str] = ()) -> str:
    """Return the hint with the command that lists all a program holds; ``args``: what the program is given."""
    given = ["--args", shlex.join(args)] if args else []
    return f"`{this_command()} constants {join_words([relative_if_shorter(program.path), *given])}` lists them all."


def find_module(dotted: str, folder: Path) -> Path | None:
    """Return the file of a module below ``folder``, or None; a package comes before a module, as in Python."""
    base = folder.joinpath(*dotted.split("."))
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


@dataclass(frozen=True, slots=True)
class _ReachedFiles:
    """What the import statements of a program lead to."""

    sources: dict[str, Source]
    unresolved: dict[str, str]
    search_path: SearchPath
    outside_folders: dict[str, Path]
    named: dict[str, Path | None]
    """Dotted names of the project that no import statement holds, with the config file that does; None: a source."""


def _resolve_imports(program: Program) -> _ReachedFiles:
    """Follow the imports; again from the start, as long as they lead to another folder of the project."""
    read: dict[Path, Source] = {}
    added: dict[AddedFolder, None] = {}
    while True:
        is_fixed, n_added = program.recorded_path is not None, len(added)
        search_path = program.recorded_path or _search_path(program, list(added))
        found, unresolved, named = _follow_imports(program, search_path, read, added)
        outside = (
            {}
            if is_fixed
            else _outside_folders(unresolved, [each for each in added if not _is_project_folder(program, each.path)])
        )
        own = (folder for folder in outside.values() if _is_project_folder(program, folder))
        added.update({AddedFolder(folder, is_behind=False): None for folder in own})
        if is_fixed or len(added) == n_added:
            return _ReachedFiles(found, unresolved, search_path, outside, named)


def _read_copy(path: Path, name: str) -> "Source":
    try:
        return Source.parse_file(path, name)
    except ProgramError as error:
        _, colon, line = (error.where or "").partition(":")
        hint = "It is the experiment's own copy, and was whole when the search began: take it from a backup."
        raise ProgramError(f"{display_path(path)}{colon}{line}", error.what, hint) from error


def _follow_imports(
    program: Program, search_path: SearchPath, read: dict[Path, Source], added: dict[AddedFolder, None]
) -> tuple[dict[str, Source], dict[str, str], dict[str, Path | None]]:
    """Return the files that imports and names lead to, the imports that lead to none, and the names.

    ``read`` gets each new file, and ``added`` what it adds to ``sys.path``.
    """
    finder = _ModuleFinder(program, search_path)
    found: dict[str, Source] = {}
    unresolved: dict[str, str] = {}
    named: dict[str, Path | None] = {}
    packages: dict[Path, tuple[Path, ...]] = {}
    seen: set[Path] = set()
    waiting = [program.path]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            name = program.name_of(path)
            if path not in read:
                read[path] = _read_copy(path, name) if program.is_snapshot else Source.parse_file(path, name)
                added.update(dict.fromkeys(added_folders(read[path].raw, path)))
            found[name] = read[path]
            imported = list(_imported_files(found[name], finder, unresolved))
            if path.parent not in packages:
                packages[path.parent] = tuple(_packages_of(path, program))
            waiting += reversed([*imported, *packages[path.parent]])
        if not waiting:
            waiting += reversed(list(_named_files(found, finder, program, named)))
    return found, unresolved, named


def _named_files(
    found: dict[str, Source], finder: "_ModuleFinder", program: Program, named: dict[str, Path | None]
) -> Iterator[Path]:
    """Yield the project files, other than ``found``, that texts and config files name; ``named`` gets the names."""
    sources = [source.raw for source in found.values()]
    for dotted, config in find_named_modules(sources, program.root, finder.folders):
        for path in finder.find_files(dotted):
            named.setdefault(dotted, config)
            if program.name_of(path) not in found:
                yield path


def _outside_folders(unresolved: dict[str, str], added: list[AddedFolder]) -> dict[str, Path]:
    """Return the folder of each top-level name that is not installed: one of ``added``, or as this process finds it."""
    found: dict[str, Path] = {}
    behind = [each.path for each in added if each.is_behind]
    for top in dict.fromkeys(name.partition(".")[0] for name in unresolved):
        holding = [each for each in added if (each.path / top).is_dir() or find_module(top, each.path) is not None]
        own = (each.path for each in holding if not (each.is_behind and is_found_first(top, behind)))
        folder = next(own, None) or folder_of_module(top)
        if folder is not None:
            found[top] = folder
    return found


def _is_project_folder(program: Program, folder: Path) -> bool:
    return program.is_project_file(folder / "module.py")


def _search_path(program: Program, added: list[AddedFolder]) -> SearchPath:
    own, root = program.path.parent, program.root
    told = [*added, *import_path()]
    appended = dict.fromkeys(each.path for each in told if each.is_behind)
    roots = () if is_guessed_root(root, program.path) else (root,)
    usual = (folder for folder in (source_folder(root), *roots) if folder is not None and folder not in appended)
    between = [*(each.path for each in told if not each.is_behind), *usual]
    is_packaged = (own / "__init__.py").is_file()
    folders = [package_parent(program.path), *between, own] if is_packaged else [own, *between]
    before = tuple(dict.fromkeys(folder for folder in folders if _is_project_folder(program, folder)))
    behind = (folder for folder in appended if folder not in before and _is_project_folder(program, folder))
    return SearchPath(before, tuple(behind))


class _ModuleFinder:
    """Finds the files of modules, and remembers them: many files import the same."""

    def __init__(self, program: Program, search_path: SearchPath) -> None:
        self._program = program
        self._search_path = search_path
        self._found: dict[tuple[Path | None, str], tuple[tuple[Path, ...], tuple[Path, ...]]] = {}

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where top-level modules of the project are looked for."""
        return *self._search_path.before, *self._search_path.behind

    def find_files(self, dotted: str, package: Path | None = None) -> tuple[Path, ...]:
        """Return the files of every package on the way and of the module itself.

        ``package``: the folder that a relative import starts from; None: an absolute one, by the search path.
        """
        return self._locate_module(dotted, package)[0]

    def _locate_module(self, dotted: str, package: Path | None) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        """Return the files of a module, and the folders that its submodules are looked for in."""
        key = package, dotted
        if key not in self._found:
            parent, _, name = dotted.rpartition(".")
            if parent:
                above, places = self._locate_module(parent, package)
            else:
                above, places = (), self._search_path.folders_of(name) if package is None else (package,)
            self._found[key] = self._find_in_places(name, above, places)
        return self._found[key]

    def _find_in_places(
        self, name: str, above: tuple[Path, ...], places: tuple[Path, ...]
    ) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        """Take the first module or package; where there is none, all folders of the name are a namespace package."""
        for place in places:
            if (path := find_module(name, place)) is not None:
                held = self._program.is_project_file(path.resolve())
                return ((*above, path.resolve()), (place / name,)) if held else ((), ())
        return above, tuple(place / name for place in places if (place / name).is_dir())


def _imported_files(source: Source, finder: _ModuleFinder, unresolved: dict[str, str]) -> Iterator[Path]:
    """Yield the project files that the import statements of ``source`` lead to, wherever they stand.

    Names that lead to none are put into ``unresolved``, with their line.
    """
    for node in _walk_statements(source.tree):
        package: Path | None = None
        match node:
            case ast.Import():
                names = [[alias.name] for alias in node.names]
            case ast.ImportFrom(level=0, module=str(module)):
                names = [[module, *_imported_members(module, node)]]
            case ast.ImportFrom(level=level, module=relative) if level <= len(source.path.parents):
                names = [[*([relative] if relative else []), *_imported_members(relative or "", node)]]
                package = source.path.parents[level - 1]
            case _:
                continue
        for together in names:
            paths = [path for name in together for path in finder.find_files(name, package)]
            yield from paths
            if not paths and package is None:
                for name in together:
                    unresolved.setdefault(name, f"{source.name}:{node.lineno}")


def _imported_members(module: str, node: ast.ImportFrom) -> list[str]:
    """Return what ``from module import name`` would import if ``name`` is a module."""
    return [f"{module}.{alias.name}" if module else alias.name for alias in node.names if alias.name != "*"]


def _packages_of(path: Path, program: Program) -> Iterator[Path]:
    """Yield the ``__init__.py`` of the packages that a file lies in: importing it executes them first."""
    for folder in path.parents:
        if not program.is_project_file(folder / "__init__.py") or not (folder / "__init__.py").is_file():
            return
        yield folder / "__init__.py"


def _walk_statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield every statement, wherever it stands; expressions hold none, and are most of a tree."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        for name in reversed(BODIES):
            waiting += reversed(getattr(node, name, ()))

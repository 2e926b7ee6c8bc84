"""The user's program, seen without running it: its file, its root, and the project modules that it imports."""

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tune.errors import ProgramError
from tune.promotion.pause import collector_paused

BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields of a syntax tree's nodes that hold statements."""

ROOT_MARKERS = ("pyproject.toml", ".git")
FOREIGN_FOLDERS = frozenset({"site-packages", "dist-packages", "node_modules", "__pycache__"})


@dataclass(frozen=True)
class Program:
    """A Python file and the project around it."""

    path: Path
    """The file that was named, absolute."""
    root: Path
    """The nearest folder upward with a pyproject.toml or a .git, else the program's own folder."""

    @property
    def module(self) -> str:
        """The name it is imported under: dotted below the root, as ``python -m`` would have it."""
        parts = self.path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts) if all(part.isidentifier() for part in parts) else self.path.stem

    @property
    def package(self) -> str:
        """The package that its relative imports start from; empty where it has none, and is run by its path."""
        relative = any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(self.source.tree))
        return self.module.rpartition(".")[0] if relative else ""

    @property
    def search_path(self) -> tuple[Path, ...]:
        """Where its imports are looked for before ``sys.path``.

        Its own folder, as for ``python file.py``, then the root; for a file of a package the root first, as for
        ``python -m``.
        """
        folders = (self.path.parent, self.root)
        in_package = (self.path.parent / "__init__.py").is_file()
        return tuple(dict.fromkeys(reversed(folders) if in_package else folders))

    @cached_property
    def sources(self) -> dict[str, "Source"]:
        """The project modules that it reaches, by their path below the root; the program itself first."""
        with collector_paused():
            return self._reach()

    def _reach(self) -> dict[str, "Source"]:
        found: dict[str, Source] = {}
        waiting = [self.path]
        while waiting:
            path = waiting.pop()
            name = self.name_of(path)
            if name in found:
                continue
            found[name] = Source.read(path, name)
            waiting += reversed([*_imported_files(found[name], self), *_packages_of(path, self)])
        return found

    @property
    def source(self) -> "Source":
        """The program's own file."""
        return next(iter(self.sources.values()))

    def name_of(self, path: Path) -> str:
        """Return the path below the root, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def holds(self, path: Path) -> bool:
        """Tell whether ``path`` is a project module: below the root and not in an environment's packages."""
        if not path.is_relative_to(self.root):
            return False
        folders = path.relative_to(self.root).parts[:-1]
        return not FOREIGN_FOLDERS & set(folders) and not any(folder.startswith(".") for folder in folders)


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
    def read(cls, path: Path, name: str) -> "Source":
        """Parse a file; raise ProgramError with the place where it is not Python."""
        raw = path.read_bytes()
        try:
            return cls(path=path, name=name, raw=raw, tree=ast.parse(raw, filename=str(path)))
        except SyntaxError as error:
            place = f"{name}:{error.lineno}" if error.lineno else name
            raise ProgramError(place, f"this is not Python: {error.msg}", "Mend the file; nothing was run.") from error
        except ValueError as error:
            raise ProgramError(name, f"this is not Python: {error}", "Mend the file; nothing was run.") from error

    @cached_property
    def text(self) -> str:
        """The file decoded as Python would."""
        return decode(self.raw)

    @property
    def module_names(self) -> tuple[str, ...]:
        """The dotted names that a user may write for this module, the shortest first: ``digits``, ``lit.digits``."""
        parts = self.name.removesuffix(".py").removesuffix("/__init__").split("/")
        return tuple(".".join(parts[start:]) for start in reversed(range(len(parts))))


def decode(raw: bytes) -> str:
    """Return a source file's text: its own encoding line or byte-order mark, else UTF-8; each line end a newline."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    return io.IncrementalNewlineDecoder(None, translate=True).decode(raw.decode(encoding))


def find_program(path: Path) -> Program:
    """Return the program of a file; raise ProgramError when there is no such file."""
    path = path.expanduser().absolute()
    if not path.is_file():
        raise ProgramError(None, f"no program at {path}", "Give the path of a Python file.")
    if path.suffix != ".py":
        raise ProgramError(None, f"a program is a .py file, got {path}", "Give the path of a Python file.")
    path = path.resolve()
    for folder in path.parents:
        if any((folder / marker).exists() for marker in ROOT_MARKERS):
            return Program(path, folder)
    return Program(path, path.parent)


def find_module(dotted: str, folder: Path) -> Path | None:
    """Return the file of a module below ``folder``, or None."""
    base = folder.joinpath(*dotted.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imported_files(source: Source, program: Program) -> Iterator[Path]:
    """Yield the project files that the import statements of ``source`` lead to, wherever they stand."""
    for node in _statements(source.tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield from _files_of(alias.name, program.search_path, program)
            case ast.ImportFrom(level=0, module=str(module)):
                yield from _files_of_from(module, node, program.search_path, program)
            case ast.ImportFrom(level=level):
                package = source.path.parents[level - 1]
                yield from _files_of_from(node.module or "", node, (package,), program)


def _packages_of(path: Path, program: Program) -> Iterator[Path]:
    """Yield the ``__init__.py`` of the packages that a file lies in: importing it executes them first."""
    for folder in path.parents:
        if not program.holds(folder / "__init__.py") or not (folder / "__init__.py").is_file():
            return
        yield folder / "__init__.py"


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield every statement, wherever it stands; expressions hold none, and are most of a tree."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        for name in reversed(BODIES):
            waiting += reversed(getattr(node, name, ()))


def _files_of_from(module: str, node: ast.ImportFrom, folders: tuple[Path, ...], program: Program) -> Iterator[Path]:
    """``from package import name``: the package, and ``name`` where it is a module."""
    if module:
        yield from _files_of(module, folders, program)
    for alias in node.names:
        dotted = f"{module}.{alias.name}" if module else alias.name
        if alias.name != "*":
            yield from _files_of(dotted, folders, program)


def _files_of(dotted: str, folders: tuple[Path, ...], program: Program) -> Iterator[Path]:
    """Every package on the way and the module itself, from the first folder that has it."""
    parts = dotted.split(".")
    for folder in folders:
        if not (folder / parts[0]).is_dir() and not (folder / f"{parts[0]}.py").is_file():
            continue
        for end in range(1, len(parts) + 1):
            path = find_module(".".join(parts[:end]), folder)
            if path is not None and program.holds(path.resolve()):
                yield path.resolve()
        return

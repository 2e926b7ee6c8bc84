"""What a name in one file of a program means: a definition of the project, or something of an installed library."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from tune.gc_control import collector_paused
from tune.promotion.find.module_scan import Definition, ModuleScan, dotted_path
from tune.promotion.find.scan import scan_program
from tune.promotion.program import Program

MAX_HOPS = 12
"""Re-exports followed before a name is given up: a ring of imports would never end."""


@dataclass(frozen=True, slots=True)
class ProjectSymbol:
    """A function or class of the project."""

    survey: ModuleScan
    """The file that defines it."""
    node: Definition


@dataclass(frozen=True, slots=True)
class LibrarySymbol:
    """Something imported from outside of the project."""

    path: str
    """Dotted and absolute: ``torch.optim.Adam``."""

    @property
    def name(self) -> str:
        """Its own name, whatever it is imported as."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Variable:
    """A name that a module of the project binds at its own level."""

    survey: ModuleScan
    name: str


Meaning = ProjectSymbol | LibrarySymbol | Variable


class Project:
    """The scans of a program's files, and the imports that join them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.signatures: dict[int, object] = {}
        """What ``signature_of`` has worked out, by the ``id`` of a definition."""
        main = program.name_of(program.path)
        self.surveys = scan_program(program)
        self.main = self.surveys[main]
        """The scan of the program's own file."""

    def resolve_name(self, name: str, seen_in: ModuleScan, hops: int = MAX_HOPS) -> Meaning | None:
        """Return what a dotted name leads to; None for a local variable, or where it cannot be told."""
        head, _, rest = name.partition(".")
        if head in seen_in.definitions and not rest:
            nodes = seen_in.definitions[head]
            return ProjectSymbol(seen_in, nodes[0]) if len(nodes) == 1 else None
        if hops == 0:
            return None
        imported = self._imports_by_file[seen_in.source.name].get(head)
        if imported is not None:
            return self._resolve_absolute(f"{imported}.{rest}" if rest else imported, hops - 1)
        if head in seen_in.bindings:
            return Variable(seen_in, name)
        for module in reversed(self._stars_by_file[seen_in.source.name]):  # the last one's name stands
            if module in self._modules_by_name:
                found = self.resolve_name(name, self._modules_by_name[module], hops - 1)
                if found is not None:
                    return found
        return None

    def find_module(self, path: str, seen_in: ModuleScan) -> ModuleScan | None:
        """Return the module of the project that a dotted path is; None where it is anything else."""
        head, dot, rest = path.partition(".")
        imported = self._imports_by_file[seen_in.source.name].get(head)
        return None if imported is None else self._modules_by_name.get(f"{imported}{dot}{rest}")

    def has_base(self, own: ProjectSymbol, name: str, hops: int = MAX_HOPS) -> bool:
        """Tell whether a class has a base of this name, such as ``LightningModule``, near or far."""
        if not isinstance(own.node, ast.ClassDef) or hops == 0:
            return False
        for base in own.node.bases:
            path = dotted_path(base) or ""
            match self.resolve_name(path, own.survey):
                case ProjectSymbol() as inner:
                    if self.has_base(inner, name, hops - 1):
                        return True
                case LibrarySymbol(path=library):
                    if library.rpartition(".")[2] == name:
                        return True
                case _:
                    if path.rpartition(".")[2] == name:
                        return True
        return False

    def names_below(self, *bases: str) -> frozenset[str]:
        """Return the names of the project's classes that descend from one of ``bases``."""
        return frozenset(
            name
            for survey in self.surveys.values()
            for name, nodes in survey.definitions.items()
            if any(self.has_base(ProjectSymbol(survey, node), base) for node in nodes for base in bases)
        )

    def star_imports(self, seen_in: ModuleScan) -> Iterator[tuple[int, ModuleScan]]:
        """Yield (line, file) of every ``from file import *`` of a project module."""
        for node in seen_in.imports:
            if any(alias.name == "*" for alias in node.names):
                module = self._modules_by_name.get(_module_of(node, seen_in) or "")
                if module is not None:
                    yield node.lineno, module

    def _resolve_absolute(self, path: str, hops: int) -> Meaning | None:
        parts = path.split(".")
        for end in range(len(parts), 0, -1):
            module = self._modules_by_name.get(".".join(parts[:end]))
            if module is not None:
                rest = ".".join(parts[end:])
                return self.resolve_name(rest, module, hops) if rest else None
        return LibrarySymbol(path)

    @cached_property
    def _modules_by_name(self) -> dict[str, ModuleScan]:
        """Every dotted name that a file may be imported under, in the order of the search path."""
        found: dict[str, ModuleScan] = {}
        search_path = self.program.search_path
        folders_of = cache(search_path.folders_of)
        for folder in (*search_path.before, *search_path.behind):
            for each in self.surveys.values():
                path = each.source.path
                if path.is_relative_to(folder):
                    name = _module_name(path.relative_to(folder).as_posix())
                    if folder in folders_of(name.partition(".")[0]):
                        found.setdefault(name, each)
        return found

    @cached_property
    def _imports_by_file(self) -> dict[str, dict[str, str]]:
        return {name: dict(_find_imported_names(each)) for name, each in self.surveys.items()}

    @cached_property
    def _stars_by_file(self) -> dict[str, list[str]]:
        return {name: list(_find_star_modules(each)) for name, each in self.surveys.items()}


def project_of(program: Program) -> Project:
    """Return the project of a program, surveyed once for as long as its sources are those that were read."""
    with collector_paused():
        return _scan_program(_SourcesKey(program))


class _SourcesKey:
    """A program as it was read: two are one if they hold the same texts, so that one look serves many questions."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._sources = program.sources

    def __hash__(self) -> int:
        return id(self._sources)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SourcesKey) and other._sources is self._sources


@lru_cache(maxsize=2)
def _scan_program(read: _SourcesKey) -> Project:
    return Project(read.program)


def _module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _find_imported_names(each: ModuleScan) -> Iterator[tuple[str, str]]:
    """Yield (name here, absolute dotted path) of every import but stars."""
    for node in each.imports:
        module = _module_of(node, each)
        for alias in node.names:
            if module is None:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
            elif alias.name != "*":
                yield alias.asname or alias.name, f"{module}.{alias.name}".lstrip(".")


def _find_star_modules(each: ModuleScan) -> Iterator[str]:
    for node in each.imports:
        module = _module_of(node, each)
        if module is not None and any(alias.name == "*" for alias in node.names):
            yield module


def _module_of(node: object, each: ModuleScan) -> str | None:
    """Return the absolute module of a ``from`` import; None for a plain import."""
    level, module = getattr(node, "level", None), getattr(node, "module", None)
    if level is None:
        return None
    if level == 0:
        return str(module)
    package = each.source.name.split("/")[:-level]
    return ".".join([*package, *([module] if module else [])])

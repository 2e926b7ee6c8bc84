"""Modules that a program imports from a folder outside of its project, where they are not installed either.

Nothing of them is searched, and a trial imports them as they are then: they are no part of the snapshot.
"""

from dataclasses import dataclass
from pathlib import Path

from tune.errors import ConstantError
from tune.paths import display_path
from tune.promotion.program import Program, find_module
from tune.promotion.project_folders import OWN_FOLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideModule:
    """A module of the program's author, by all that can be told, and not of the project."""

    name: str
    """Dotted, as it is imported."""
    path: Path
    place: str
    """Of the import: ``train.py:3``."""


def find_outside_modules(program: Program) -> tuple[OutsideModule, ...]:
    """Return them in the order of the files that import them."""
    found: dict[Path, OutsideModule] = {}
    for name, place in program.unresolved_imports.items():
        folder = program.outside_folders.get(name.partition(".")[0])
        if folder is not None and folder != OWN_FOLDER and (path := find_module(name, folder)) is not None:
            found.setdefault(path, OutsideModule(name=name, path=path, place=place))
    return tuple(found.values())


def outside_warnings(program: Program) -> tuple[str, ...]:
    """Return a warning for each top-level module or package."""
    tops: dict[str, str] = {}
    for each in find_outside_modules(program):
        what = f"{each.name} ({display_path(each.path)}) lies outside of the project {display_path(program.root)}"
        tops.setdefault(each.name.partition(".")[0], f"{each.place}: {what}: nothing of it is searched")
    return tuple(tops.values())


def check_not_outside(written: str, program: Program, where: str) -> None:
    """Raise ConstantError, which starts with ``where``, if a constant of this name stands in such a module."""
    *owners, name = written.split(".")
    for each in find_outside_modules(program):
        if owners and each.name.rpartition(".")[2] != owners[-1]:
            continue
        source = Program(each.path, each.path.parent).source
        for node in source.tree.body:
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            if name in {getattr(target, "id", None) for target in targets}:
                what = (
                    f"{written!r} lies outside of the project {display_path(program.root)}: "
                    f"{display_path(each.path)}:{node.lineno}"
                )
                hint = f"{each.place} imports it. Move it into the project, or assign it there."
                raise ConstantError(where, what, hint)

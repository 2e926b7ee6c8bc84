"""The modules of a program that no import statement leads to, but a name: ``_target_: models.Net`` of a config file.

hydra and LightningCLI import what their config files name, and ``import_module("models.net")`` what its text says.
"""

import ast
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tune.promotion.project_folders import FOREIGN_FOLDERS

MOST_FILES = 10_000
"""A project with more files holds data too: its config files are not looked for."""
MOST_BYTES = 100_000
"""Of a config file; a larger one holds data."""
SUFFIXES = (".yaml", ".yml")

BUILDERS = re.compile(rb"hydra|LightningCLI|jsonargparse|_target_|class_path")
"""What a source holds whose config files name classes."""
NAMED = re.compile(rb"""(?:\b_target_|\bclass_path)["']?\s*:\s*["']?([A-Za-z_][\w.]*)""")
IMPORTED = re.compile(rb"""\bimport_module\(\s*["']([A-Za-z_][\w.]*)["']\s*\)""")

PUT_TOGETHER = re.compile(
    rb"""(?:\bimport_module|\b__import__)\(\s*(?:f["']([A-Za-z_][\w.]*)\.\{|["']([A-Za-z_][\w.]*)\.(?:["']\s*\+|%s|\{))"""
)
"""``import_module(f"configs.{name}")``, and the same by ``+``, ``%`` and ``format``."""
LOADS_FILES = re.compile(rb"\bspec_from_file_location\b|\brun_path\b")
"""What loads a file of Python by its path."""
FILE = re.compile(rb"""["'](?:\./)?([A-Za-z_][\w/]*)\.py["']""")
FOLDER = re.compile(rb"""\bf["'](?:\./)?([A-Za-z_][\w/]*)/\{[^}"']*\}(?:\.py)?["']""")
TRAINS = re.compile(rb"^\s*(?:import|from)\s+(?:torch|pytorch_lightning|lightning)\b", re.MULTILINE)
"""What a module of settings does without."""
MOST_MODULES = 50
"""Of one package."""


def find_named_modules(
    sources: Iterable[bytes], root: Path, folders: Sequence[Path] = ()
) -> Iterator[tuple[str, Path | None]]:
    """Yield (dotted name, config file) of what sources, given by their text, and their config files name.

    ``folders``: where modules are imported from. Of a name that is put together all modules of settings are meant.
    """
    uses_configs = False
    for raw in sources:
        if LOADS_FILES.search(raw):
            yield from ((name.replace("/", "."), None) for name in _find_names(FILE, raw))
        packages = [*_find_names(PUT_TOGETHER, raw), *(_find_names(FOLDER, raw) if LOADS_FILES.search(raw) else ())]
        for package in (each.replace("/", ".") for each in packages):
            yield from ((f"{package}.{name}", None) for name in _find_settings(package, folders))
        uses_configs = uses_configs or bool(BUILDERS.search(raw))
        yield from ((dotted, None) for pattern in (IMPORTED, NAMED) for dotted in _find_names(pattern, raw))
    for path in _find_config_files(root) if uses_configs else ():
        yield from ((dotted, path) for dotted in _find_names(NAMED, path.read_bytes()))


def _find_names(pattern: re.Pattern[bytes], raw: bytes) -> Iterator[str]:
    found = (next(filter(None, match.groups())) for match in pattern.finditer(raw))
    yield from dict.fromkeys(name.decode("ascii").rstrip(".") for name in found)


def _find_settings(package: str, folders: Sequence[Path]) -> list[str]:
    """Return the names of a package's modules that hold settings; none where they are many."""
    places = (folder.joinpath(*package.split(".")) for folder in folders)
    found = [path for place in places for path in sorted(place.glob("*.py")) if path.stem != "__init__"]
    own = [path.stem for path in found if path.stem.isidentifier() and _holds_settings(path)]
    return list(dict.fromkeys(own)) if len(found) <= MOST_MODULES else []


def _holds_settings(path: Path) -> bool:
    """Tell a file of Python without a library that trains; one that is not Python is left to the program."""
    raw = path.read_bytes()
    try:
        ast.parse(raw)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return TRAINS.search(raw) is None


def _find_config_files(root: Path) -> list[Path]:
    """Return the YAML files below a folder, environments and hidden folders left out; none where it holds data."""
    found: list[Path] = []
    n_files = 0
    for here, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name[0] != "." and name not in FOREIGN_FOLDERS)
        n_files += len(files)
        if n_files > MOST_FILES:
            return []
        found += [Path(here, name) for name in sorted(files) if name.endswith(SUFFIXES)]
    return [path for path in found if path.is_file() and path.stat().st_size <= MOST_BYTES]

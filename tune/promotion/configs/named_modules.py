"""The modules of a program that no import statement leads to, but a name: ``_target_: models.Net`` of a config file.

hydra and LightningCLI import what their config files name, and ``import_module("models.net")`` what its text says.
"""

import os
import re
from collections.abc import Iterable, Iterator
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


def find_named_modules(sources: Iterable[bytes], root: Path) -> Iterator[tuple[str, Path | None]]:
    """Yield (dotted name, config file) of what sources, given by their text, and their config files name."""
    uses_configs = False
    for raw in sources:
        uses_configs = uses_configs or bool(BUILDERS.search(raw))
        yield from ((dotted, None) for pattern in (IMPORTED, NAMED) for dotted in _find_names(pattern, raw))
    for path in _find_config_files(root) if uses_configs else ():
        yield from ((dotted, path) for dotted in _find_names(NAMED, path.read_bytes()))


def _find_names(pattern: re.Pattern[bytes], raw: bytes) -> Iterator[str]:
    yield from dict.fromkeys(match[1].decode("ascii").rstrip(".") for match in pattern.finditer(raw))


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

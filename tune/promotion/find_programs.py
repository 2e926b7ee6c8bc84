"""The programs below a folder that a search could vary: found by their text, in a bounded time."""

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

LIGHTNING = re.compile(rb"\blightning\b|pytorch_lightning")
TRAINS = re.compile(rb"\b(Trainer|LightningCLI)\s*\(|^class\s+\w+\s*\([^)]*\bLightningCLI\b", re.MULTILINE)
MODULE = re.compile(rb"^class\s+\w+\s*\([^)]*\bLightningModule\b", re.MULTILINE)
LOADERS = re.compile(rb"^def dataloaders\(|LightningDataModule|def train_dataloader\(", re.MULTILINE)

LEFT_OUT = frozenset({"site-packages", "dist-packages", "node_modules", "__pycache__", "build", "dist", "tests"})
"""Folders in which no program of the user's lies."""

MOST_FILES = 2000
"""Python files that are looked at."""
MOST_ENTRIES = 20_000
"""Files and folders of any kind."""
DEPTH = 4
"""Folders below the first."""
LARGEST = 1_000_000
"""Bytes of a file that is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What was found."""

    programs: tuple[Path, ...]
    """Those with a Trainer first, then those with a module and its data, then other modules; the nearest first."""
    n_files: int
    """Python files that were looked at."""
    is_whole: bool
    """False where the time or the number of files ended the search."""


def find_programs(folder: Path, seconds: float) -> Sighting:
    """Return the programs below a folder; hidden folders, environments and tests are left out."""
    until = time.monotonic() + seconds
    ranked: list[tuple[int, int, str, Path]] = []
    n_files, is_whole = 0, True
    for path, depth in _python_files(folder, until):
        if path is None or n_files >= MOST_FILES:
            is_whole = False
            break
        n_files += 1
        rank = _rank(path)
        if rank is not None:
            ranked.append((rank, depth, path.name, path))
    return Sighting(programs=tuple(path for *_, path in sorted(ranked)), n_files=n_files, is_whole=is_whole)


def _python_files(folder: Path, until: float) -> Iterator[tuple[Path | None, int]]:
    """Yield the files with their depth, the nearest first; None where the time or the number of entries ends it."""
    folders = deque([(folder, 0)])
    n_entries = 0
    while folders:
        here, depth = folders.popleft()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            n_entries += 1
            if n_entries > MOST_ENTRIES or time.monotonic() > until:
                yield None, depth
            if entry.name.endswith(".py") and _is(entry.is_file):
                yield Path(entry.path), depth
            elif depth < DEPTH and _is_looked_into(entry):
                folders.append((Path(entry.path), depth + 1))


def _is_looked_into(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(".") or entry.name in LEFT_OUT or not _is(lambda: entry.is_dir(follow_symlinks=False)):
        return False
    return not _is(Path(entry.path, "pyvenv.cfg").is_file)


def _is(look: Callable[[], bool]) -> bool:
    """Return what a look at the disk says; False where that is forbidden."""
    try:
        return look()
    except OSError:
        return False


def _rank(path: Path) -> int | None:
    """Return 0 for a file with a Trainer, 1 for one with a module and its data, 2 for a module; None for others."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST)
    except OSError:
        return None
    if not LIGHTNING.search(raw):
        return None
    if TRAINS.search(raw):
        return 0
    if MODULE.search(raw):
        return 1 if LOADERS.search(raw) else 2
    return None

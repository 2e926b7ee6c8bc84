"""The program's source as it was when the search began. Trials execute this text, so files may be edited meanwhile."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from tune.errors import ExperimentError
from tune.paths import atomic_write, read_json, read_regular
from tune.promotion.configs.hydra_values import program_configs
from tune.promotion.configs.read_files import read_config_files
from tune.promotion.program import Program
from tune.promotion.project_folders import SearchPath

MANIFEST = "snapshot.json"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of the project modules, under a folder that mirrors the program's root."""

    folder: Path
    program: Program
    """Where the files stood: trials see these paths as ``__file__``, so data beside them is found."""

    def read_source(self, path: Path) -> bytes:
        """Return the text of a project file as it was first seen.

        A file that no import statement led to (``import_module(name)``) is copied when the first trial imports it.
        """
        copy = self.folder / self.program.name_of(path)
        if not copy.exists():
            _store_copy(path.read_bytes(), copy)
        return copy.read_bytes()

    @property
    def stored_program(self) -> Program:
        """The program as it lies in the snapshot; names of files and places in them are the same as in the original."""
        return replace(self.program.moved_to(self.folder), is_snapshot=True)


def take_snapshot(program: Program, folder: Path, args: Sequence[str] = ()) -> Snapshot:
    """Copy every project module that the program's import statements lead to, and its config files.

    Config files are those of hydra, and those that the program or ``args``, its command line, name.
    """
    for source in program.sources.values():
        _store_copy(source.raw, folder / source.name)
    for path in dict.fromkeys((*program_configs(program), *read_config_files(program, args), *program.naming_files)):
        _store_copy(path.read_bytes(), folder / program.name_of(path))
    manifest = {
        "program": program.name_of(program.path),
        "root": str(program.root),
        "search_path": [program.name_of(each) for each in program.search_path.before],
    }
    if program.search_path.behind:
        manifest["appended_path"] = [program.name_of(each) for each in program.search_path.behind]
    with atomic_write(folder / MANIFEST) as aside:
        aside.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return Snapshot(folder, program)


def open_snapshot(folder: Path) -> Snapshot:
    """Return the snapshot that an experiment holds; raise ExperimentError where there is none.

    A project that has moved, or lies elsewhere on this machine, is found from the working directory.
    """
    try:
        manifest = read_json(read_regular(folder / MANIFEST))
        recorded, appended = manifest.get("search_path"), manifest.get("appended_path", [])
        for name in (manifest["program"], *(recorded or ()), *appended):
            if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
                raise ValueError(f"its program lies outside of it, got {name!r}")
        root = _find_project_root(Path(manifest["root"]), manifest["program"])
        read_regular(folder / manifest["program"])
        before, behind = (tuple(root / name for name in names) for names in (recorded or (), appended))
        search_path = None if recorded is None else SearchPath(before, behind)
        return Snapshot(folder, Program(root / manifest["program"], root, search_path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "Take what is missing from a backup, or search again."
        if not folder.is_dir():
            hint = "Give the name or the folder of an experiment."
        raise ExperimentError(str(folder), f"no snapshot of a program: {error}", hint) from error


def check_root(snapshot: Snapshot) -> None:
    """Raise ExperimentError where there is no project: its data, and modules that no import leads to, would lack."""
    root = snapshot.program.root
    if not root.is_dir():
        hint = "Run this in the folder that the project lies in now."
        raise ExperimentError(str(snapshot.folder), f"the project that was searched is gone: {root}", hint)


def find_other_copy(snapshot: Snapshot, here: Path) -> Path | None:
    """Return the folder around ``here`` that holds another copy of the program than the one that was searched, if any.

    Within the project that was searched, another file of the program's name is a copy if it is the same text.
    """
    root, name = snapshot.program.root, snapshot.program.name_of(snapshot.program.path)
    nearest = next((folder for folder in (here, *here.parents) if (folder / name).is_file()), None)
    if nearest is None or nearest.resolve() == root.resolve():
        return None
    is_within = nearest.resolve().is_relative_to(root.resolve())
    if is_within and (nearest / name).read_bytes() != (snapshot.folder / name).read_bytes():
        return None
    return nearest


def _find_project_root(recorded: Path, program: str) -> Path:
    if recorded.is_dir():
        return recorded
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / program).is_file()), recorded)


def _store_copy(raw: bytes, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(copy) as aside:
        aside.write_bytes(raw)

"""Delete an experiment or some of its versions: what lies in the storage, and nothing that a link leads to.

The ledger keeps every trial: a table shows one whose version was deleted as before, and only loading it fails.
"""

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from tune.errors import ExperimentError, suggest
from tune.paths import ExperimentPaths, VersionPaths, short
from tune.storage.bring import bring_all
from tune.storage.writer import delete_at_url
from tune.trial.record import read_record
from tune.trial.request import read_request


def experiment_to_delete(name: str, storage: Path) -> ExperimentPaths:
    """Return an experiment by its name; raise ExperimentError unless it is a folder right in the storage."""
    _check_plain(name, "experiment")
    folder = storage / name
    bring_all(storage, [name])
    if folder.is_symlink():
        what = f"{name!r} is a link, to {short(folder.readlink())}"
        raise ExperimentError(short(storage), what, "Delete the link yourself; what it leads to is not touched.")
    if not ExperimentPaths(folder).is_there:
        there = sorted(each.name for each in storage.iterdir()) if storage.is_dir() else []
        known = [each for each in there if ExperimentPaths(storage / each).is_there]
        raise ExperimentError(short(storage), f"no experiment {name!r}", suggest(name, known, what="experiments"))
    return ExperimentPaths(folder)


def versions_to_delete(paths: ExperimentPaths, names: Sequence[str]) -> tuple[VersionPaths, ...]:
    """Return versions by their names, ``retrain/NAME`` for a retrained one; raise ExperimentError at what is none."""
    return tuple(_version(paths, name) for name in dict.fromkeys(names))


def _version(paths: ExperimentPaths, name: str) -> VersionPaths:
    plain = name.removeprefix(f"{paths.retrain.name}/")
    _check_plain(plain, "version")
    parent = paths.folder if plain == name else paths.retrain
    version = VersionPaths(parent / plain)
    if version.folder.is_symlink() or parent.is_symlink():
        what = f"{name!r} is a link, or lies behind one"
        raise ExperimentError(short(paths.folder), what, "Delete the link yourself; what it leads to is not touched.")
    if not version.folder.is_dir() or (read_record(version) is None and read_request(version) is None):
        there = [each.name for each in parent.iterdir() if read_record(VersionPaths(each)) is not None]
        raise ExperimentError(short(paths.folder), f"no version {name!r}", suggest(plain, there, what="versions"))
    return version


def _check_plain(name: str, what: str) -> None:
    """Refuse whatever could lead elsewhere."""
    if name in ("", ".", "..") or Path(name).name != name or "\\" in name or "\0" in name:
        article = "an" if what == "experiment" else "a"
        hint = "Give the name of its folder, without a path."
        raise ExperimentError(None, f"not the name of {article} {what}, got {name!r}", hint)


def delete(folder: Path) -> None:
    """Delete a folder of ours, at its URL too if it has one; links are not followed.

    It leaves its name first, so that nobody sees half of it. Raises StorageError, and it is back under its name, where
    what lies at the URL cannot be deleted.
    """
    aside = folder.with_name(f".deleted-{secrets.token_hex(4)}")
    folder.rename(aside)
    try:
        delete_at_url(folder)
    except BaseException:
        aside.rename(folder)
        raise
    shutil.rmtree(aside)

"""Bring an experiment from its URL to the folder where it is worked on. What lies in a folder is there already.

Which copy is the newer one is told by the journal, to which lines are only ever added: the shorter one is the older.
"""

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from filelock import FileLock, Timeout

from tune.paths import ExperimentPaths, VersionPaths
from tune.storage.remote_folder import RemoteFile, RemoteFolder
from tune.storage_url import check_url, is_url, local_folder_of, url_of

SET_ASIDE = ".set-aside"
"""Beside the experiments: copies that went another way than what lies at the URL."""

EXACT_S = 0.001
"""A file that was brought has the time of what lies at the URL; such times are kept with less than this lost."""

SAME_S = 1.0
"""Stores know the second in which a file was changed."""

Standing = Literal["same", "newer there", "newer here", "parted"]


def resolve_local_folder(name: str | Path) -> Path:
    """Return the folder of an experiment, or of one of its versions, by path or URL; what lies at a URL is brought."""
    if not is_url(name):
        return local_folder_of(name)
    url = check_url(str(name))
    if url.startswith("file://"):
        return local_folder_of(url)
    experiment = _find_experiment_url(url)
    storage, _, own_name = experiment.rpartition("/")
    folder = local_folder_of(storage) / own_name
    download_experiment(folder)
    return folder.joinpath(*url.removeprefix(experiment).strip("/").split("/")) if url != experiment else folder


def list_remote_experiments(storage: Path) -> list[str]:
    """Return the names of the experiments that lie at the URL of a storage; none where it is a folder."""
    url = url_of(storage)
    return [] if url is None else RemoteFolder(url).list_folders()


def download_experiments(storage: Path, names: Iterable[str] | None = None) -> None:
    """Bring the experiments of a storage that has a URL, all or those named; what is no experiment stays there."""
    for name in list_remote_experiments(storage) if names is None else names:
        url = url_of(storage / name)
        if url is not None and RemoteFolder(url).has_file("space.yaml"):
            download_experiment(storage / name)


def download_experiment(folder: Path) -> None:
    """Make an experiment's copy as new as what lies at its URL: all that is read of it but checkpoints and logs.

    A copy that this machine's driver is writing is the newest.
    """
    url = url_of(folder)
    if url is not None and not _is_locked(folder):
        refresh_copy(folder)


def refresh_copy(folder: Path) -> None:
    """Do what ``download_experiment`` does; the caller holds the experiment."""
    url = url_of(folder)
    if url is None:
        return
    remote = RemoteFolder(url)
    there = remote.list_files()
    journal = ExperimentPaths(folder).journal
    standing = _compare_journals(remote, journal, there.get(journal.name))
    if standing == "parted":
        # keep a copy that parted from what lies at the URL: another machine went on from an earlier line
        aside = folder.parent / SET_ASIDE / f"{folder.name}-{time.strftime('%Y%m%d-%H%M%S')}"
        aside.mkdir(parents=True)
        for path in folder.iterdir():
            if not path.name.startswith(ExperimentPaths(folder).lock.name):  # it may be held
                path.rename(aside / path.name)
        standing = "newer there"
    wanted = {name: entry for name, entry in there.items() if _is_read(PurePosixPath(name))}
    _download_files(remote, folder, wanted, all_changed=standing == "newer there")


def download_version(folder: Path, names: Iterable[str] = ()) -> None:
    """Bring a version's files, all or those named, where they are newer at its URL or not here."""
    url = url_of(folder)
    if url is None:
        return
    remote = RemoteFolder(url)
    there = remote.list_files()
    chosen = set(names) or there.keys()
    _download_files(remote, folder, {name: entry for name, entry in there.items() if name in chosen}, all_changed=False)


def download_best_checkpoint(version: VersionPaths) -> None:
    """Bring what it takes to load a version's model."""
    paths = (version.record, version.best_checkpoint, version.freed_note)
    download_version(version.folder, [path.relative_to(version.folder).as_posix() for path in paths])


def _find_experiment_url(url: str) -> str:
    """Return the URL of the experiment that another one is of or in; the same where none is found."""
    at = url
    while at.count("/") > 3:  # the slashes of s3://bucket/name
        if RemoteFolder(at).has_file(ExperimentPaths(Path()).journal.name):
            return at
        at = at.rpartition("/")[0]
    return url


def _is_read(name: PurePosixPath) -> bool:
    """Tell whether commands read a file wherever they look: the ledger, the source, each trial's record."""
    version = VersionPaths(Path(*name.parts[:-1]))
    return (
        len(name.parts) == 1
        or name.parts[0] == "source"
        or name.name == version.record.name
        or name.parts[-2:] == version.freed_note.parts[-2:]
    )


def _compare_journals(remote: RemoteFolder, journal: Path, there: RemoteFile | None) -> Standing:
    if there is None:
        return "newer here"
    if not journal.is_file():
        return "newer there"
    if _is_same(there, journal):
        return "same"
    theirs, ours = remote.read_file(journal.name) or b"", journal.read_bytes()
    ours = ours[: ours.rfind(b"\n") + 1]
    if theirs.startswith(ours):
        return "same" if theirs == ours else "newer there"
    return "newer here" if ours.startswith(theirs) else "parted"


def _is_same(entry: RemoteFile, path: Path) -> bool:
    """Tell whether a file is one that was brought, and that nobody changed since."""
    found = path.stat()
    return entry.size == found.st_size and abs(entry.modified - found.st_mtime) < EXACT_S


def _download_files(remote: RemoteFolder, folder: Path, files: Mapping[str, RemoteFile], *, all_changed: bool) -> None:
    newer = {name: folder / name for name, entry in files.items() if _is_newer(entry, folder / name, all_changed)}
    remote.copy_from_url(newer)
    for name, path in newer.items():
        modified = files[name].modified or time.time()
        os.utime(path, (modified, modified))


def _is_newer(entry: RemoteFile, path: Path, all_changed: bool) -> bool:
    """Tell whether a file is to be brought. One that was carried there from here is younger there, and as long."""
    if not path.is_file():
        return True
    if _is_same(entry, path):
        return False
    found = path.stat()
    return all_changed or (entry.size != found.st_size and entry.modified > found.st_mtime)


def _is_locked(folder: Path) -> bool:
    """Tell whether a process of this machine is writing the experiment."""
    lock = ExperimentPaths(folder).lock
    if not lock.is_file():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True

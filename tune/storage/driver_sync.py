"""The driver's side of an experiment at a URL: the lease, the ledger and the source, and what trials left behind."""

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from tune.errors import StorageError
from tune.paths import ExperimentPaths, VersionPaths
from tune.storage.download import SAME_S, refresh_copy
from tune.storage.lease import Lease, LeaseHolder
from tune.storage.remote_folder import RemoteFile, RemoteFolder
from tune.storage.request_exchange import RequestExchange
from tune.storage.upload import (
    LAG_S,
    LOST,
    N_TRIES,
    POLL_S,
    is_visible,
    list_visible_files,
    retry_on_error,
    upload_file,
)
from tune.storage_url import url_of

MOST_NAMED = 5  # of the files that could not be carried
Tell = Callable[[str], None]
"""Hears a line that people should read; from any thread."""


@contextlib.contextmanager
def sync_experiment(folder: Path, tell: Tell) -> Iterator[None]:
    """Be the one that writes an experiment at its URL, if it has one; the caller holds it on this machine."""
    url = url_of(folder)
    if url is None:
        yield
        return
    writer = _DriverSync(RemoteFolder(url), folder, tell)
    try:
        refresh_copy(folder)
    except BaseException:
        writer.release_lease()
        raise
    writer.start_sync()
    try:
        yield
    finally:
        writer.end_sync()


@contextlib.contextmanager
def upload_on_exit(folder: Path, tell: Tell) -> Iterator[None]:
    """Carry in the end what was written below a folder of an experiment, if that has a URL: trials do meanwhile."""
    url = url_of(folder)
    try:
        yield
    finally:
        if url is not None:
            _FolderSync(RemoteFolder(url), folder, tell).finish_sync()


def erase_experiment(folder: Path) -> None:
    """Remove an experiment that was not to be, here and at its URL; the caller holds it."""
    shutil.rmtree(folder)
    delete_at_url(folder)


def delete_at_url(folder: Path) -> None:
    """Delete what lies at the URL of a folder, if it has one; raise StorageError where that cannot be done."""
    url = url_of(folder)
    if url is not None:
        remote = RemoteFolder(url)
        retry_on_error(remote.delete_folder, N_TRIES)


def upload_if_remote(path: Path) -> None:
    """Carry one file of an experiment that has a URL, if it is there; raise StorageError where that cannot be done."""
    url = url_of(path.parent)
    if url is not None and path.is_file():
        retry_on_error(lambda: upload_file(RemoteFolder(url), path, path.parent), N_TRIES)


class _FolderSync:
    """Compares a folder with what lies at its URL, and carries what is missing or older there."""

    def __init__(self, remote: RemoteFolder, folder: Path, tell: Tell) -> None:
        self.remote = remote
        self.folder = folder
        self.tell = tell
        self.left: list[str] = []
        """What was to be carried when it was tried last, and was not."""

    def sync_folder(self, settled_s: float = 0.0) -> None:
        """Carry what has not changed for so long; delete there the checkpoints that were freed here."""
        there = self.remote.list_files()
        self.left = [
            path.relative_to(self.folder).as_posix()
            for path in list_visible_files(self.folder)
            if _is_behind(there.get(path.relative_to(self.folder).as_posix()), path, settled_s)
        ]
        for name in tuple(self.left):
            with contextlib.suppress(FileNotFoundError):
                upload_file(self.remote, self.folder / name, self.folder)
            self.left.remove(name)
        self.remote.delete_files(name for name in there if self._is_freed(PurePosixPath(name)))

    def _is_freed(self, name: PurePosixPath) -> bool:
        version = VersionPaths(self.folder.joinpath(*name.parts[:-2]))
        path = self.folder / name
        return path.parent == version.checkpoints and version.freed_note.is_file() and not path.is_file()

    def finish_sync(self) -> None:
        """Carry all that is left; name what cannot be carried, and where it is."""
        try:
            retry_on_error(self.sync_folder, N_TRIES)
        except StorageError as error:
            named = ", ".join(self.left[:MOST_NAMED]) + (", ..." if len(self.left) > MOST_NAMED else "")
            self.tell(f"warning: not everything is at {self.remote.url}: {error.what}")
            self.tell(f"         missing or old there: {named or 'unknown'}")
            self.tell(f"         all of it is in {self.folder}; `resume` uploads it")


class _DriverSync(_FolderSync):
    """Holds the lease, and settles while the search runs: the ledger soon, what trials left after a while."""

    def __init__(self, remote: RemoteFolder, folder: Path, tell: Tell) -> None:
        super().__init__(remote, folder, tell)
        (folder / LOST).unlink(missing_ok=True)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sync_periodically, daemon=True, name="writer")
        self._own: dict[Path, tuple[int, int]] = {}
        self._troubled: float | None = None  # since when nothing could be carried
        self._requests = RequestExchange(remote, folder)
        self._lease = Lease(remote, self._on_lost)

    def start_sync(self) -> None:
        """Begin to carry; what was asked for since the last driver ended is brought first."""
        with contextlib.suppress(StorageError):  # it is tried again
            self._requests.exchange_requests()
        self._thread.start()

    def end_sync(self) -> None:
        """Carry the rest, and let go."""
        self._over.set()
        self._thread.join()
        if not self._lease.lost:
            with contextlib.suppress(StorageError):
                self._requests.exchange_requests()
            self.finish_sync()
        self.release_lease()

    def release_lease(self) -> None:
        """Let the next one write."""
        self._lease.release()

    def _sync_periodically(self) -> None:
        pause_s, settled = POLL_S, time.monotonic()
        while not self._over.wait(pause_s):
            if self._lease.lost:
                return
            try:
                if not self._lease.is_valid:
                    raise StorageError(self.remote.url, "the lease cannot be renewed", None)
                self._upload_own_files()
                self._requests.exchange_requests()
                if time.monotonic() - settled >= LAG_S:
                    settled = time.monotonic()
                    self.sync_folder(settled_s=LAG_S)
                self._on_recovery()
                pause_s = POLL_S
            except StorageError as error:
                self._on_error(error)
                pause_s = min(2 * pause_s, LAG_S)

    def _upload_own_files(self) -> None:
        """Carry what the driver writes; the ledger last: where there is one, there are a space and a source."""
        paths = ExperimentPaths(self.folder)
        own = [path for path in self.folder.iterdir() if path.is_file()] if self.folder.is_dir() else []
        source = list(paths.source.rglob("*")) if paths.source.is_dir() else []
        for path in sorted([*own, *source], key=lambda path: path == paths.journal):
            with contextlib.suppress(FileNotFoundError):
                found = path.stat()
                sign = (found.st_size, found.st_mtime_ns)
                if is_visible(path, self.folder) and path.is_file() and self._own.get(path) != sign:
                    upload_file(self.remote, path, self.folder)
                    self._own[path] = sign

    def _on_error(self, error: StorageError) -> None:
        if self._troubled is None:
            self._troubled = time.monotonic()
        elif 0 < self._troubled < time.monotonic() - LAG_S:
            self._troubled = 0.0  # told
            self.tell(f"warning: {error.where}: {error.what}; the search goes on in {self.folder}")

    def _on_recovery(self) -> None:
        if self._troubled == 0.0:
            self.tell(f"{self.remote.url} is reached again")
        self._troubled = None

    def _on_lost(self, holder: LeaseHolder | None) -> None:
        """End the search politely: another process writes the experiment now."""
        (self.folder / LOST).touch()
        who = "somebody" if holder is None else f"process {holder.pid} on {holder.host}"
        self.tell(f"warning: {who} has taken {self.remote.url} over; nothing more is written there by this search")
        self.tell(f"         what it did since then is in {self.folder}")
        os.kill(os.getpid(), signal.SIGINT)


def _is_behind(entry: RemoteFile | None, path: Path, settled_s: float) -> bool:
    """Tell whether what lies at the URL is older than a file here that has come to rest."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    if 0 <= time.time() - found.st_mtime < settled_s:
        return False
    if entry is None:
        return True
    later_s = found.st_mtime - entry.modified
    return later_s > SAME_S or (entry.size != found.st_size and later_s >= -SAME_S)

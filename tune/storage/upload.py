"""Carry files to the URL of an experiment while they change: in a thread, so that nothing waits for the network.

Files are carried whole, once their size or time has changed. What cannot be carried now is carried later; nothing here
is ever the reason that a trial ends.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tune.errors import StorageError
from tune.paths import ExperimentPaths
from tune.storage.remote_folder import RemoteFolder
from tune.storage_url import url_of

POLL_S = 5.0
LAG_S = 60.0
"""The longest pause between two looks: after long uploads, or without a network."""

N_TRIES = 4
"""At the end: what cannot be carried then is told."""

LOST = ".lease-lost"
"""In the experiment's folder: another process writes at the URL now."""


class Uploader:
    """Carries the files that ``files`` gives, by their names relative to the folder."""

    def __init__(self, remote: RemoteFolder, folder: Path, files: Callable[[], Iterable[Path]]) -> None:
        self._remote = remote
        self._folder = folder
        self._files = files
        self._sent: dict[Path, tuple[int, int]] = {}  # sizes and times of what is there
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._upload_periodically, daemon=True, name="carrier")

    def start_uploads(self) -> None:
        """Begin to look for changes."""
        self._thread.start()

    def stop_uploads(self) -> None:
        """Carry what is left, and end; raise StorageError where it cannot be carried."""
        self._over.set()
        self._thread.join()
        self.upload_changes()

    def upload_changes(self) -> None:
        """Carry what has changed; raise StorageError at the first file that cannot be carried."""
        for path in self._files():
            try:
                found = path.stat()
                if self._sent.get(path) != (found.st_size, found.st_mtime_ns):
                    upload_file(self._remote, path, self._folder)
                    self._sent[path] = (found.st_size, found.st_mtime_ns)
            except FileNotFoundError:  # it was replaced or freed
                continue
        for path in [path for path in self._sent if not path.exists()]:
            self._remote.delete_files([path.relative_to(self._folder).as_posix()])
            del self._sent[path]

    def _upload_periodically(self) -> None:
        pause_s = POLL_S
        while not self._over.wait(pause_s):
            began = time.monotonic()
            try:
                self.upload_changes()
                pause_s = max(POLL_S, time.monotonic() - began)
            except StorageError:
                pause_s *= 2
            pause_s = min(pause_s, LAG_S)


@contextlib.contextmanager
def upload_while_running(folder: Path) -> Iterator[None]:
    """Carry a version's files while its trial runs, and all of them before it ends; in a folder nothing is to be done.

    What cannot be carried is left to the driver.
    """
    url = url_of(folder)
    if url is None:
        yield
        return
    stopped = folder.parent / LOST
    carrier = Uploader(RemoteFolder(url), folder, lambda: () if stopped.exists() else list_visible_files(folder))
    carrier.start_uploads()
    try:
        yield
    finally:
        with contextlib.suppress(StorageError):
            carrier.stop_uploads()


def retry_on_error(act: Callable[[], None], n_tries: int) -> None:
    """Do something that the network may hinder: again after a pause, and a longer one."""
    for n_before in range(n_tries):
        try:
            act()
        except StorageError:
            if n_before + 1 == n_tries:
                raise
            time.sleep(2**n_before)
        else:
            return


def upload_file(remote: RemoteFolder, path: Path, folder: Path) -> None:
    """Carry one file; of a journal that is being written the whole records."""
    name = path.relative_to(folder).as_posix()
    if path.name == ExperimentPaths(folder).journal.name:
        data = path.read_bytes()
        remote.write_file(name, data[: data.rfind(b"\n") + 1])
    else:
        remote.copy_to_url(path, name)
    if not path.exists():  # freed meanwhile
        remote.delete_files([name])


def list_visible_files(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder but hidden ones, which are ours or half written, and the journal's locks."""
    for path in sorted(folder.rglob("*")):
        if is_visible(path, folder) and path.is_file():
            yield path


def is_visible(path: Path, folder: Path) -> bool:
    """Tell whether a file is one to be carried, by its name."""
    lock = f"{ExperimentPaths(folder).journal.name}."
    return not path.name.startswith(lock) and not any(part.startswith(".") for part in path.relative_to(folder).parts)

"""The process server of this machine, and folders for files that nobody needs once a driver is gone."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from tune.cluster.resources import Resources
from tune.trial.process.client import process_server, send_session
from tune.trial.process.marker import LOCK, mark_folder, remove_stale_folder

SCRATCH = "promotune.ray-"
LONGEST, SHORT = 20, "/tmp"  # noqa: S108 - the folder in it has a name that nobody guesses, and is its owner's alone
"""Characters of a place for it: Ray makes sockets some 85 deeper, and the path of a socket may have 107."""

_open: list[str] = []
"""The folder of this process while it has one."""


@contextlib.contextmanager
def ray_temp_folder() -> Iterator[str]:
    """Give the folder of this process for Ray's own files, its owner's alone: nothing of them is the experiment's.

    Within another such context it is the same folder, which the process server removes if this process is killed.
    """
    if _open:
        yield _open[-1]
        return
    place = tempfile.gettempdir()
    place = place if len(place) <= LONGEST else SHORT
    remove_stale_folders(Path(place))
    with (
        tempfile.TemporaryDirectory(prefix=SCRATCH, dir=place, ignore_cleanup_errors=True) as folder,
        FileLock(Path(folder) / LOCK),
    ):
        mark_folder(Path(folder))  # behind the lock: a folder that is marked and not locked has no driver
        _open.append(folder)
        try:
            yield folder
        finally:
            _open.remove(folder)


def remove_stale_folders(folder: Path) -> None:
    """Remove what drivers that were killed left of their scratch."""
    for left in folder.glob(f"{SCRATCH}*"):
        remove_stale_folder(left)


_running: list[Path] = []


@contextlib.contextmanager
def run_server() -> Iterator[None]:
    """Run a server for all searches of this process meanwhile, if none runs; it begins to import at once."""
    if _running:
        yield
        return
    with ray_temp_folder() as folder, process_server(Path(folder)) as path:
        if path is not None:
            _running.append(path)
        try:
            yield
        finally:
            if path is not None:
                _running.remove(path)


def end_with_driver(session: int) -> None:
    """Have the processes of a session ended when this process has ended, however that comes."""
    if _running:
        with contextlib.suppress(OSError):
            send_session(_running[-1], session)


@contextlib.contextmanager
def server_socket(resources: Resources) -> Iterator[Path | None]:
    """Give the socket of this machine's server; None on a cluster, where each node has its own, and without forks."""
    if resources.reached is not None or _running:
        yield _running[-1] if resources.reached is None else None
        return
    with run_server():
        yield _running[-1] if _running else None

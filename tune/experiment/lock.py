"""One process writes an experiment: a lock that the operating system holds; and links that lead out of it."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tune.errors import ExperimentError
from tune.experiment.contradictions import BACKUP
from tune.paths import ExperimentPaths, atomic_write, display_path, read_regular
from tune.storage.driver_sync import Tell, sync_experiment
from tune.storage.lease import has_holder
from tune.storage.remote_folder import RemoteFolder
from tune.storage_url import url_of

NEVER_BEGUN = "this search never began: it was ended before its first trial"
VERDICTS_S = 60.0
"""A verdict gets its number in milliseconds."""
LOOK_S = 0.2
"""``is_locked`` of another process holds a lock for a moment; longer than this only a search does."""
ANSWER_S = 1.0
"""So soon a dashboard that is there takes a connection."""


@contextlib.contextmanager
def lock_experiment(paths: ExperimentPaths, tell: Tell = lambda line: None) -> Iterator[None]:
    """Hold an experiment, and at its URL too if it has one; raise ExperimentError when another process does."""
    with lock_on_this_machine(paths), sync_experiment(paths.folder, tell):
        yield


@contextlib.contextmanager
def lock_on_this_machine(paths: ExperimentPaths) -> Iterator[None]:
    """Hold an experiment on this machine; raise ExperimentError when another process does."""
    lock = FileLock(paths.lock, timeout=LOOK_S)
    try:
        lock.acquire()
    except Timeout as error:
        who, *_ = _read_holder_lines(paths)
        holder = f" ({who})" if who else ""
        hint = "Wait for it, or end it with Ctrl-C."
        raise ExperimentError(display_path(paths.folder), f"this search is running{holder}", hint) from error
    try:
        # of a full disk something better is said; a link of that name is replaced, not followed
        with contextlib.suppress(OSError), atomic_write(paths.lock_holder) as aside:
            aside.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):  # the folder may be gone, or read-only: what ended the search says so
            paths.lock_holder.unlink(missing_ok=True)
        lock.release()


def read_lock_holder(paths: ExperimentPaths) -> int | None:
    """Return the process of this machine that holds the experiment, or held it when it was killed; None: nobody."""
    who, *_ = _read_holder_lines(paths)
    match who.split():
        case ["process", pid, "on", host] if host == socket.gethostname() and pid.isdecimal():
            return int(pid)
        case _:
            return None


def read_lock_time(paths: ExperimentPaths) -> float | None:
    """Return when the process that holds the experiment began to, in seconds since the epoch; None: nobody does."""
    with contextlib.suppress(OSError):
        return paths.lock_holder.stat().st_mtime
    return None


@contextlib.contextmanager
def lock_verdicts(paths: ExperimentPaths) -> Iterator[None]:
    """Hold the count of the storage's verdicts: wait for another process that counts one.

    Raises ExperimentError where that takes too long, or a lock cannot be written into the storage.
    """
    lock = FileLock(paths.verdicts_lock, timeout=VERDICTS_S)
    try:
        lock.acquire()
    except Timeout as error:
        what = f"another process has counted a verdict for {VERDICTS_S:.0f} s"
        raise ExperimentError(display_path(paths.verdicts_lock), what, "Wait for it, or end it.") from error
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        what = f"verdicts cannot be counted: {error.strerror}"
        raise ExperimentError(display_path(paths.verdicts_lock), what, "Make the storage writable.") from error
    try:
        yield
    finally:
        lock.release()


def write_dashboard_address(paths: ExperimentPaths, dashboard: str) -> None:
    """Note beside the lock, if it is held, where Ray's dashboard is: ``127.0.0.1:8265``."""
    began = read_lock_time(paths)
    if began is not None:
        with paths.lock_holder.open("a", encoding="utf-8") as file:
            file.write(f"{dashboard}\n")
        os.utime(paths.lock_holder, (began, began))  # it says since when the experiment is held


def dashboard_of(paths: ExperimentPaths) -> str | None:
    """Return where the Ray dashboard of a running search is; None where nothing answers."""
    _, *rest = _read_holder_lines(paths)
    for address in rest:
        host, _, port = address.rpartition(":")
        with contextlib.suppress(OSError, ValueError), socket.create_connection((host, int(port)), timeout=ANSWER_S):
            return address
    return None


def check_begun(paths: ExperimentPaths) -> None:
    """Raise ExperimentError where a search has no ledger."""
    if paths.has_ledger or (paths.journal.is_file() and not has_no_trial(paths)):  # what is wrong with it is told
        return
    if is_locked(paths):
        what, hint = "this search is beginning, and has no ledger yet", "Look again in some seconds."
    elif not has_no_trial(paths):
        what, hint = "there is no ledger, but files that a search does not begin with", BACKUP
    elif paths.space.is_file():
        what, hint = NEVER_BEGUN, "`resume` begins it."
    else:
        what, hint = NEVER_BEGUN, "Give the command that began it again, or its space with --space FILE."
    raise ExperimentError(display_path(paths.folder), what, hint)


def has_no_trial(paths: ExperimentPaths) -> bool:
    """Tell whether a folder holds what a search writes before its first trial at most; it may begin there now.

    A driver that was killed leaves an empty folder, a lock, a space, a part of the source or of the ledger.
    """
    if paths.has_ledger or not paths.folder.is_dir():
        return False
    found = list(paths.folder.iterdir())
    is_search = paths.lock.is_file() or not found or url_of(paths.folder) is not None  # no URL holds a lock
    return is_search and all(is_written_by_search(path, paths) for path in found)


def is_written_by_search(path: Path, paths: ExperimentPaths) -> bool:
    """Return whether a file in an experiment's folder is one that a search writes before its first trial."""
    if path == paths.requests:
        patterns = ("*.json", "claimed/*.json")  # a proposal that is kept is somebody's
        return not path.is_symlink() and not any(any(path.glob(each)) for each in patterns)
    whole = (
        paths.lock,
        paths.lock_holder,
        paths.space,
        paths.journal,
        paths.source,
        paths.environment_file,
        paths.disk_reserve,
    )
    names = {"driver.log", *(each.name for each in whole)}
    begins = (f"{paths.journal.name}.", *(f".{name}." for name in names))  # its locks; files that were being written
    return path.name in names or path.name.startswith(begins)


def is_locked(paths: ExperimentPaths) -> bool:
    """Tell whether a process writes the experiment now; nothing is left behind."""
    if not paths.lock.exists():
        return False
    lock = FileLock(paths.lock, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:  # somebody else's, and not ours to write
        return False
    lock.release()
    return False


def is_running(paths: ExperimentPaths) -> bool:
    """Tell whether a process writes the experiment now, at its URL from another machine, too."""
    url = url_of(paths.folder)
    return is_locked(paths) or (url is not None and has_holder(RemoteFolder(url)))


def _read_holder_lines(paths: ExperimentPaths) -> list[str]:
    """Return what the holder wrote; at least one line, empty where there is none."""
    with contextlib.suppress(OSError):
        return read_regular(paths.lock_holder).decode(errors="replace").splitlines() or [""]
    return [""]


def check_links(paths: ExperimentPaths) -> None:
    """Raise ExperimentError at the first link that leads out of the experiment's folder."""
    home = paths.folder.resolve()
    for link in _find_links(paths.folder):
        there = Path(os.path.realpath(link))  # `Path.resolve` raises at a link that leads to itself
        if not there.is_relative_to(home):
            what = f"a link that leads out of the experiment, to {display_path(there)}"
            raise ExperimentError(
                display_path(link), what, "What trains here would write there. Put a copy in its place."
            )


def _find_links(folder: Path) -> Iterator[Path]:
    """Yield every link below a folder; none is followed."""
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if os.path.islink(path := os.path.join(where, name)):  # noqa: PTH114, PTH118 - a hundred thousand times
                yield Path(path)

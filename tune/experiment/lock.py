"""One process writes an experiment: a lock that the operating system holds; and links that lead out of it."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tune.errors import ExperimentError
from tune.paths import ExperimentPaths, atomic_write, display_path
from tune.storage.lease import has_holder
from tune.storage.remote import RemoteFolder
from tune.storage.sync import Tell, sync_experiment
from tune.storage_url import url_of

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
    lock = FileLock(paths.lock, timeout=0)
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


def write_dashboard_address(paths: ExperimentPaths, dashboard: str) -> None:
    """Note beside the lock, if it is held, where Ray's dashboard is: ``127.0.0.1:8265``."""
    if paths.lock_holder.exists():
        with paths.lock_holder.open("a", encoding="utf-8") as file:
            file.write(f"{dashboard}\n")


def dashboard_of(paths: ExperimentPaths) -> str | None:
    """Return where the Ray dashboard of a running search is; None where nothing answers."""
    _, *rest = _read_holder_lines(paths)
    for address in rest:
        host, _, port = address.rpartition(":")
        with contextlib.suppress(OSError, ValueError), socket.create_connection((host, int(port)), timeout=ANSWER_S):
            return address
    return None


def has_never_begun(paths: ExperimentPaths) -> bool:
    """Tell whether a search was ended before its ledger was there: its folder holds what was to run, and no trial."""
    is_copy = url_of(paths.folder) is not None  # what lies at the URL may be more
    return not is_copy and has_no_trial(paths) and _is_free(paths)


def has_no_trial(paths: ExperimentPaths) -> bool:
    """Tell whether a folder holds what a search was to run, and no trial; a search may begin there now."""
    begun = paths.journal.exists() and paths.journal.stat().st_size > 0
    trained = any(paths.folder.glob("*/trial.json")) or any(paths.retrain_folder.glob("*/trial.json"))
    is_search = paths.lock.is_file() or url_of(paths.folder) is not None  # locks are not carried to a URL
    there = is_search and paths.space.is_file() and not begun and not trained
    return there and all(is_written_by_search(path, paths) for path in paths.folder.iterdir())


def is_written_by_search(path: Path, paths: ExperimentPaths) -> bool:
    """Return whether a file in an experiment's folder is one that a search writes before its first trial."""
    ours = (paths.lock, paths.space, paths.journal, paths.source, paths.environment_file, paths.disk_reserve)
    names = ("driver.log", *(each.name for each in ours))
    return path.name.startswith((*names, *(f".{name}." for name in names)))  # a file that was being written, too


def _is_free(paths: ExperimentPaths) -> bool:
    """Tell whether the lock can be taken; one that another user holds cannot be opened, perhaps."""
    try:
        with FileLock(paths.lock, timeout=0):
            return True
    except (Timeout, OSError):
        return False


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
        return paths.lock_holder.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    return [""]


def check_links(paths: ExperimentPaths) -> None:
    """Raise ExperimentError at the first link that leads out of the experiment's folder."""
    home = paths.folder.resolve()
    for link in _find_links(paths.folder):
        if not link.resolve().is_relative_to(home):
            what = f"a link that leads out of the experiment, to {display_path(link.resolve())}"
            raise ExperimentError(
                display_path(link), what, "What trains here would write there. Put a copy in its place."
            )


def _find_links(folder: Path) -> Iterator[Path]:
    """Yield every link below a folder; none is followed."""
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if os.path.islink(path := os.path.join(where, name)):  # noqa: PTH114, PTH118 - a hundred thousand times
                yield Path(path)

"""What a node of a cluster sees: the storage, and the project; and which packages it has."""

import importlib.util
import time
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 5.0
"""A network file system may remember for some seconds that a file was not there."""
POLL_S = 0.2
TOKEN = "driver"  # noqa: S105 - the name of the file that the driver writes
Sign = tuple[int, int, int]
"""What tells a file from others of its name: its number, size and time, the same wherever it is mounted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of every node."""

    folder: Path
    """In the storage; the driver has written a file there."""
    token: str
    """What stands in it."""
    program: Path
    sign: Sign | None
    packages: tuple[str, ...]
    """Modules that a trial needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a node says."""

    sees_storage: bool
    write_error: str | None
    """Why nothing can be written there; None where something was."""
    sees_project: bool
    missing: tuple[str, ...]
    """Modules that are not installed."""


def look(question: Question, name: str) -> Answer:
    """Answer on a node; leaves a file of this name beside the driver's."""
    sees = _sees(question.folder / TOKEN, question.token)
    missing = tuple(each for each in question.packages if not _is_installed(each))
    return Answer(
        sees_storage=sees,
        write_error=_write(question.folder / name, question.token) if sees else None,
        sees_project=sign_of(question.program) == question.sign,
        missing=missing,
    )


def sign_of(path: Path) -> Sign | None:
    """Return what tells the file from others; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _sees(path: Path, token: str) -> bool:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            if path.read_text(encoding="utf-8") == token:
                return True
        except OSError:
            pass
        if time.monotonic() > end:
            return False
        time.sleep(POLL_S)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in
        return False


def _write(path: Path, text: str) -> str | None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        return error.strerror
    return None

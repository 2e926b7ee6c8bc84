"""Requests at the URL of an experiment: what other machines ask of its driver, and the driver's answers.

The driver brings requests to its own folder while it carries files there, every POLL_S seconds, and carries the answers
back. Who may write at the URL is the store's to say.
"""

import contextlib
import re
from pathlib import Path

from tune.paths import ExperimentPaths, atomic_write
from tune.storage.lease import has_holder
from tune.storage.remote import RemoteFolder

FOLDER = ".requests"
NAME = re.compile(r"[0-9]{20}-[0-9a-f]{8}\.json")
MOST_BYTES = 64 * 1024
"""A larger file is no request, and is deleted."""
MOST_AT_ONCE = 100
"""Requests that are brought at a look."""


class RequestExchange:
    """The driver's side."""

    def __init__(self, remote: RemoteFolder, folder: Path) -> None:
        self._remote = remote
        self._folder = ExperimentPaths(folder).requests
        self._brought: set[str] = set()

    def exchange_requests(self) -> None:
        """Bring what is asked for, and carry what was answered; raise StorageError where that cannot be done."""
        self._carry_answers()
        found = self._remote.list_files(FOLDER)
        names = sorted(name for name in found if NAME.fullmatch(name) and name not in self._brought)
        for name in names[:MOST_AT_ONCE]:
            if found[name].size > MOST_BYTES:
                self._remote.delete_files([f"{FOLDER}/{name}"])
                continue
            raw = self._remote.read_file(f"{FOLDER}/{name}")
            if raw is not None:
                self._write_request(name, raw)

    def _write_request(self, name: str, raw: bytes) -> None:
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with atomic_write(self._folder / name) as aside:
                aside.touch(mode=0o600)
                aside.write_bytes(raw)
            self._brought.add(name)

    def _carry_answers(self) -> None:
        """Carry an answer before its request is deleted: a driver that is killed in between answers again."""
        for name in sorted(self._brought):
            answer = self._folder / "answers" / name
            try:
                raw = answer.read_bytes()
            except OSError:
                continue
            self._remote.write_file(f"{FOLDER}/answers/{name}", raw)
            self._remote.delete_files([f"{FOLDER}/{name}"])
            answer.unlink(missing_ok=True)
            self._brought.discard(name)


class RemoteRequests:
    """The side of those who ask."""

    def __init__(self, url: str) -> None:
        self._remote = RemoteFolder(url)

    @property
    def has_driver(self) -> bool:
        """Whether a driver writes the experiment now, as far as its lease says."""
        return has_holder(self._remote)

    def send_request(self, request: str, raw: bytes) -> None:
        """Write a request; raise StorageError where that cannot be done."""
        self._remote.write_file(f"{FOLDER}/{request}.json", raw)

    def fetch_answer(self, request: str) -> bytes | None:
        """Return the answer, and delete it; None where there is none yet."""
        name = f"{FOLDER}/answers/{request}.json"
        raw = self._remote.read_file(name)
        if raw is not None:
            self._remote.delete_files([name])
        return raw

    def withdraw_request(self, request: str) -> None:
        """Take a request back."""
        self._remote.delete_files([f"{FOLDER}/{request}.json"])

"""Requests at the URL of an experiment: what other machines ask of its driver, and the driver's answers.

The driver brings requests to its own folder while it carries files there, every POLL_S seconds, and carries the answers
back. It writes a claim before it reads a request, and a client that gives up deletes its request before it looks for a
claim: at least one of the two sees what the other one did. Who may write at the URL is the store's to say.
"""

import contextlib
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path

from tune.paths import ExperimentPaths, atomic_write
from tune.storage.lease import has_holder
from tune.storage.remote_folder import RemoteFile, RemoteFolder

FOLDER = ".requests"
NAME = re.compile(r"[0-9]{20}-[0-9a-f]{8}\.json")
MOST_BYTES = 64 * 1024
"""A larger file is no request, and is deleted."""
MOST_AT_ONCE = 100
"""Requests that are brought at a look, or looked at."""
OLDEST_S = 3600.0
"""Answers and claims that are older are nobody's: a client waits for a minute or two."""
SWEEP_S = 600.0
"""So often they are deleted."""


def _claim_of(name: str) -> str:
    """Return the file that says that a driver has taken a request."""
    return f"{FOLDER}/claimed/{name}"


class RequestExchange:
    """The driver's side."""

    def __init__(self, remote: RemoteFolder, folder: Path) -> None:
        self._remote = remote
        self._folder = ExperimentPaths(folder).requests
        self._brought: set[str] = set()
        self._swept = -math.inf

    def exchange_requests(self) -> None:
        """Bring what is asked for, and carry what was answered; raise StorageError where that cannot be done."""
        self._carry_answers()
        found = self._remote.list_files(FOLDER)
        names = sorted(name for name in found if NAME.fullmatch(name) and name not in self._brought)
        for name in names[:MOST_AT_ONCE]:
            if found[name].size > MOST_BYTES:
                self._remote.delete_files([f"{FOLDER}/{name}"])
            else:
                self._bring_request(name)
        if time.monotonic() - self._swept >= SWEEP_S:
            self._swept = time.monotonic()
            self._delete_old_files(found)

    def _bring_request(self, name: str) -> None:
        self._remote.write_file(_claim_of(name), b"")
        raw = self._remote.read_file(f"{FOLDER}/{name}")
        if raw is None:  # its sender took it back
            self._remote.delete_files([_claim_of(name)])
        else:
            self._write_request(name, raw)

    def _delete_old_files(self, found: Mapping[str, RemoteFile]) -> None:
        """Delete answers that nobody fetched, and claims of drivers that were killed."""
        for name, file in found.items():
            folder, _, request = name.rpartition("/")
            is_ours = folder in ("answers", "claimed") and NAME.fullmatch(request) and request not in self._brought
            if is_ours and 0 < file.modified < time.time() - OLDEST_S:
                self._remote.delete_files([f"{FOLDER}/{name}"])

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
            self._remote.delete_files([f"{FOLDER}/{name}", _claim_of(name)])
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

    def has_request(self, request: str) -> bool:
        """Tell whether a request waits that no driver has taken."""
        name = f"{request}.json"
        return self._remote.has_file(f"{FOLDER}/{name}") and not self._remote.has_file(_claim_of(name))

    def withdraw_request(self, request: str) -> bool:
        """Take a request back; tell whether no driver had taken it, nor will."""
        self._remote.delete_files([f"{FOLDER}/{request}.json"])
        return not self._remote.has_file(_claim_of(f"{request}.json"))

    def peek_requests(self) -> list[tuple[str, bytes]]:
        """Return the names and the contents of the latest requests that wait, MOST_AT_ONCE at most."""
        names = sorted(name for name in self._remote.list_files(FOLDER) if NAME.fullmatch(name))
        read = [(name, self._remote.read_file(f"{FOLDER}/{name}")) for name in names[-MOST_AT_ONCE:]]
        return [(name, raw) for name, raw in read if raw is not None and len(raw) <= MOST_BYTES]

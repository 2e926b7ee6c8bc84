"""One driver writes an experiment at a URL: it holds a lease there, an object that it renews.

Object stores have no locks. Where the store can create an object only if it is not there (S3, Google), one of two that
begin at once gets the lease. A lease that was not renewed for LAPSE_S is taken over by overwriting it and reading it
back after a moment. A driver that slept meanwhile finds another's name in it before it writes again, and stops. Clocks
have to agree within half a minute: where they do not, nobody is taken for dead who is seen to renew the lease.
"""

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from tune.errors import ExperimentError, StorageError
from tune.paths import read_json
from tune.space.dimensions import is_int, is_number
from tune.storage.remote_folder import RemoteFolder

NAME = ".lease.json"
RENEW_S = 20.0
LAPSE_S = 90.0
SETTLE_S = 1.0
"""Before a lease that was taken over is read back."""
WATCH_S = RENEW_S + 5.0
"""A lease that seems to have lapsed is watched for so long: a clock may have been set, here or there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseHolder:
    """Who writes an experiment."""

    id: str
    """Random: no two are alike."""
    host: str
    pid: int
    time: float
    """When the lease was renewed last, in seconds since the epoch."""

    def encode(self) -> bytes:
        """Return JSON."""
        return (json.dumps(asdict(self)) + "\n").encode()


def has_holder(remote: RemoteFolder) -> bool:
    """Tell whether a driver renewed its lease lately; raise StorageError where the store does not answer."""
    holder = _decode_holder(remote.read_file(NAME))
    return holder is not None and not _has_lapsed(holder)


def _has_lapsed(holder: LeaseHolder) -> bool:
    if not abs(time.time() - holder.time) < LAPSE_S:  # a clock that was wrong may have named a time to come
        return True
    return _has_died(holder)


def _has_died(holder: LeaseHolder) -> bool:
    """Tell whether it was a process of this machine that is no more."""
    return holder.host == socket.gethostname() and not _is_alive(holder.pid)


def _decode_holder(raw: bytes | None) -> LeaseHolder | None:
    try:
        holder = LeaseHolder(**read_json(raw or b""))
    except (ValueError, TypeError):
        return None
    is_process = isinstance(holder.host, str) and is_int(holder.pid) and 0 < holder.pid < 2**31
    return holder if is_process and is_number(holder.time) else None


class Lease:
    """Held from its making to its release, or until another process has taken it over."""

    def __init__(self, remote: RemoteFolder, on_lost: Callable[[LeaseHolder | None], None]) -> None:
        """Take it; raise ExperimentError where another process has it."""
        self._remote = remote
        self._on_lost = on_lost
        self._id = secrets.token_hex(8)
        self._over = threading.Event()
        self._renewed = 0.0
        self.lost = False
        """Whether another process writes the experiment now: nothing more may be written."""
        self._acquire_lease()
        self._thread = threading.Thread(target=self._renew_periodically, daemon=True, name="lease")
        self._thread.start()

    @property
    def is_valid(self) -> bool:
        """Whether nobody else can have it: it was renewed lately."""
        return not self.lost and (time.monotonic() - self._renewed < LAPSE_S / 2 or self._renew_lease())

    def release(self) -> None:
        """Let the next one have it at once."""
        self._over.set()
        self._thread.join()
        if not self.lost:
            with contextlib.suppress(StorageError):
                self._remote.delete_files([NAME])

    def _acquire_lease(self) -> None:
        self._renewed = time.monotonic()
        if self._remote.create_file(NAME, self._create_holder().encode()) and self._is_ours():
            return
        holder = self._read_holder()
        if holder is not None and holder.id != self._id:
            self._check_lapsed(holder)
        self._remote.write_file(NAME, self._create_holder().encode())
        time.sleep(SETTLE_S)
        if not self._is_ours():
            raise self._create_refusal(self._read_holder())

    def _check_lapsed(self, holder: LeaseHolder) -> None:
        """Raise ExperimentError where the holder lives: by its clock, or because it renews the lease meanwhile."""
        if not _has_lapsed(holder):
            raise self._create_refusal(holder)
        if _has_died(holder):
            return
        time.sleep(WATCH_S)
        now = self._read_holder()
        if now is not None and now != holder:
            raise self._create_refusal(now)

    def _create_refusal(self, holder: LeaseHolder | None) -> ExperimentError:
        who = "" if holder is None else f" (process {holder.pid} on {holder.host})"
        hint = f"Wait for it, or end it with Ctrl-C; after a crash the lock expires within {LAPSE_S:.0f} s."
        return ExperimentError(self._remote.url, f"this search is running{who}", hint)

    def _renew_periodically(self) -> None:
        while not self._over.wait(RENEW_S) and not self.lost:
            self._renew_lease()

    def _renew_lease(self) -> bool:
        """Say that we live, if the lease is still ours; without the network it stays as it is."""
        try:
            holder = self._read_holder()
            if holder is None or holder.id != self._id:
                self.lost = True
                self._on_lost(holder)
                return False
            self._remote.write_file(NAME, self._create_holder().encode())
        except StorageError:
            return False
        self._renewed = time.monotonic()
        return True

    def _is_ours(self) -> bool:
        holder = self._read_holder()
        return holder is not None and holder.id == self._id

    def _read_holder(self) -> LeaseHolder | None:
        return _decode_holder(self._remote.read_file(NAME))

    def _create_holder(self) -> LeaseHolder:
        return LeaseHolder(id=self._id, host=socket.gethostname(), pid=os.getpid(), time=time.time())


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

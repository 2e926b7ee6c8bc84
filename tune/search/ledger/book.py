"""Optuna's journal storage, which can write several records in one piece.

On a full disk, or when the driver is killed, all of them are there, or none; a power cut may leave the first ones.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from optuna.storages import BaseStorage, JournalStorage


class Book(JournalStorage):
    """The study's file."""

    _held: list[dict[str, Any]] | None = None

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Keep what is written meanwhile, and append it at the end; until then nothing of it can be read."""
        self._held = []
        try:
            yield
            held, self._held = self._held, None
            if held:
                with self._thread_lock:
                    self._backend.append_logs(held)
                    self._sync_with_backend()
        finally:
            self._held = None

    def _write_log(self, op_code: int, extra_fields: dict[str, Any]) -> None:
        if self._held is None:
            super()._write_log(op_code, extra_fields)
        else:
            self._held.append({"op_code": op_code, "worker_id": self._replay_result.worker_id, **extra_fields})

    def _sync_with_backend(self) -> None:
        if self._held is None:
            super()._sync_with_backend()


def at_once(storage: BaseStorage) -> contextlib.AbstractContextManager[None]:
    """Write several records in one piece, where the study is in a file."""
    return storage.at_once() if isinstance(storage, Book) else contextlib.nullcontext()

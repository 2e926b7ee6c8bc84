"""Optuna's journal file, which waits for the disk only where a record has to last.

Optuna waits (``fsync``, milliseconds each) after every record, and a trial of three epochs has twelve: on a busy disk
that was a third of the driver's time. What only describes a record that follows need not last before that does: the
same file brings both to the disk. Nothing of this matters to a killed process, whose records the system holds: only to
a power cut.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import get_lock_file
from optuna.storages.journal._storage import JournalOperation

DESCRIBING = (JournalOperation.CREATE_TRIAL, JournalOperation.SET_TRIAL_USER_ATTR)
LASTING_NOTE = "version"
"""The note that ends a trial's opening: with it, no trial begins that the journal could lose."""


class JournalFile(JournalFileBackend):
    """Appends records; an epoch, an end and an opening are on disk when this returns."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append records, in one piece."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with get_lock_file(self._lock), open(self._file_path, "ab") as file:  # noqa: PTH123 - Optuna holds a string
            file.write(text.encode())
            file.flush()
            if any(map(_lasts, logs)):
                os.fsync(file.fileno())


def _lasts(log: Mapping[str, Any]) -> bool:
    return log["op_code"] not in DESCRIBING or LASTING_NOTE in log.get("user_attr", ())

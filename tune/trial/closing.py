"""A failed trial leaves a whole version: ``hparams.yaml``, and a session of the HPARAMS tab that failed.

Most trials that fail have both already, from the logger. Not one whose program could not be imported, and not one whose
process died: there the driver does it.
"""

from collections.abc import Mapping
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG, SESSION_START_INFO_TAG
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tune.paths import VersionPaths, atomic_write
from tune.space.dimensions import Value
from tune.trial.cut import event_files
from tune.trial.hparams import hparams_yaml, session_end, session_start


def close_failed(
    files: VersionPaths, promoted: Mapping[str, Value], hardcoded: Mapping[str, Value], started: float
) -> None:
    """Write what is missing in the version of a trial that failed; ``started`` in seconds since the epoch."""
    files.folder.mkdir(parents=True, exist_ok=True)
    if not files.hparams.exists():
        with atomic_write(files.hparams) as aside:
            aside.write_text(hparams_yaml(promoted, {}, hardcoded), encoding="utf-8")
    written = b"".join(path.read_bytes() for path in event_files(files.folder))
    if SESSION_END_INFO_TAG.encode() in written:
        return
    start = [] if SESSION_START_INFO_TAG.encode() in written else [session_start(promoted, started)]
    _write(files, [*start, session_end("failed")])


def _write(files: VersionPaths, summaries: list[Any]) -> None:
    writer = EventFileWriter(str(files.folder))
    try:
        for summary in summaries:
            writer.add_event(Event(summary=summary))
    finally:
        writer.close()

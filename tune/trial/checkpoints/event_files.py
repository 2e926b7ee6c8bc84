"""TensorBoard files of a version: cut back to a checkpoint, and completed where the trial failed.

Cut a version's event files back to a checkpoint, so that no step stands in them twice.

A TFRecord file is a row of records: eight bytes of length, four of checksum, the data, four of checksum.

A failed trial leaves a whole version: ``hparams.yaml``, and a session of the HPARAMS tab that failed.

Most trials that fail have both already, from the logger. Not one whose program could not be imported, and not one whose
process died: there the driver does it.
"""

import contextlib
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG, SESSION_START_INFO_TAG
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tune.paths import VersionPaths, atomic_write
from tune.space.dimensions import Value
from tune.trial.checkpoints.checkpoint_state import CheckpointState
from tune.trial.lightning.hparams import hparams_yaml, session_end, session_start

PATTERN = "events.out.tfevents.*"
HEAD, CHECK = struct.Struct("<QI"), struct.Struct("<I")
LENGTH_BYTES = 8


def list_event_files(folder: Path) -> list[Path]:
    """Return a version's event files."""
    return sorted(folder.glob(PATTERN))


def read_event_sizes(folder: Path) -> dict[str, int]:
    """Return the sizes of a version's event files, by name."""
    return {path.name: path.stat().st_size for path in list_event_files(folder)}


def truncate_event_files(folder: Path, mark: CheckpointState | None, *, but: str | None = None) -> None:
    """Take out of the event files, ``but`` one, what came after the checkpoint of ``mark``; None: everything.

    What the checkpoint's own epoch still logged behind it (the means of its training steps) stays: an epoch that is
    over is not logged again.
    """
    for path in list_event_files(folder):
        if path.name == but:
            continue
        size = 0 if mark is None else mark.events.get(path.name, 0)
        if size == 0:
            path.unlink()
        else:
            assert mark is not None
            # Where the events of ``step`` that follow ``start`` end
            end = size
            for event, after in _read_events(path, size):
                tags = {value.tag for value in event.summary.value}
                if event.step != mark.step or SESSION_END_INFO_TAG in tags:
                    break
                end = after
            os.truncate(path, min(end, path.stat().st_size))


def _read_events(path: Path, start: int) -> Iterator[tuple[Event, int]]:
    """Yield each whole event and the place behind it; a process that was killed, or a full disk, may cut one short."""
    with path.open("rb") as file, contextlib.suppress(struct.error, DecodeError):
        file.seek(start)
        while True:
            (length, check) = HEAD.unpack(head := file.read(HEAD.size))
            if masked_crc32c(head[:LENGTH_BYTES]) != check:
                return
            data = file.read(length)
            if CHECK.unpack(file.read(CHECK.size)) != (masked_crc32c(data),):
                return
            event = Event()
            event.ParseFromString(data)
            yield event, file.tell()


def finalize_failed_version(
    files: VersionPaths, promoted: Mapping[str, Value], hardcoded: Mapping[str, Value], started: float
) -> None:
    """Write what is missing in the version of a trial that failed; ``started`` in seconds since the epoch."""
    files.folder.mkdir(parents=True, exist_ok=True)
    if not files.hparams.exists():
        with atomic_write(files.hparams) as aside:
            aside.write_text(hparams_yaml(promoted, {}, hardcoded), encoding="utf-8")
    if files.retrain_request.is_file():  # it has no session: the HPARAMS tab shows the search's trials alone
        return
    written = b"".join(path.read_bytes() for path in list_event_files(files.folder))
    if SESSION_END_INFO_TAG.encode() in written:
        return
    start = [] if SESSION_START_INFO_TAG.encode() in written else [session_start(promoted, started)]
    summaries = [*start, session_end("failed")]
    writer = EventFileWriter(str(files.folder))
    try:
        for summary in summaries:
            writer.add_event(Event(summary=summary))
    finally:
        writer.close()

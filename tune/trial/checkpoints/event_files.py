"""TensorBoard files of a version: cut back to a checkpoint, and completed where the trial failed.

Of the HPARAMS tab only session starts and ends are written, never an experiment summary: without one TensorBoard infers
columns, types and ranges from all sessions, so that new trials appear while it runs. One summary anywhere overrides all
others, which is why torch's ``add_hparams`` is not used.

A TFRecord file is a row of records: eight bytes of length, four of checksum, the data, four of checksum. It is cut back
to a checkpoint, so that no step stands in it twice.

A failed trial leaves a whole version: ``hparams.yaml``, and a session that failed. Most have both already, from the
logger. Not one whose program could not be imported, and not one whose process died: there the driver does it, so this
module imports no torch and no Lightning.
"""

import contextlib
import os
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG, SESSION_START_INFO_TAG
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tune.paths import VersionPaths, atomic_write
from tune.space.dimensions import Value
from tune.trial.checkpoints.checkpoint_state import CheckpointState
from tune.trial.hparams_yaml import hparams_yaml

Status = Literal["success", "failed"]


def session_start(hparams: Mapping[str, Any], started: float) -> Any:
    """Return the Summary that opens a session; numbers are numbers, what TensorBoard has no type for is its text."""
    start = plugin_data_pb2.SessionStartInfo(start_time_secs=started)
    for name, value in hparams.items():
        cell = start.hparams[name]
        if isinstance(value, bool):
            cell.bool_value = value
        elif isinstance(value, int | float):
            cell.number_value = value
        else:
            cell.string_value = str(value)
    data = plugin_data_pb2.HParamsPluginData(session_start_info=start)
    return _build_summary(metadata.SESSION_START_INFO_TAG, data)


def session_end(status: Status) -> Any:
    """Return the Summary that closes a session."""
    codes = {"success": api_pb2.STATUS_SUCCESS, "failed": api_pb2.STATUS_FAILURE}
    end = plugin_data_pb2.SessionEndInfo(status=codes[status], end_time_secs=time.time())
    return _build_summary(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end))


def _build_summary(tag: str, data: Any) -> Any:
    value = Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(data), tensor=metadata.NULL_TENSOR)
    return Summary(value=[value])


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


def finalize_version(
    files: VersionPaths,
    promoted: Mapping[str, Value],
    hardcoded: Mapping[str, Value],
    started: float,
    *,
    status: Status = "failed",
) -> None:
    """Write what is missing in the version of a trial that ended; ``started`` in seconds since the epoch."""
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
    summaries = [*start, session_end(status)]
    writer = EventFileWriter(str(files.folder))
    try:
        for summary in summaries:
            writer.add_event(Event(summary=summary))
    finally:
        writer.close()

"""Cut a version's event files back to a checkpoint, so that no step stands in them twice.

A TFRecord file is a row of records: eight bytes of length, four of checksum, the data, four of checksum.
"""

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG

from tune.trial.mark import Mark

PATTERN = "events.out.tfevents.*"
HEAD, CHECK = struct.Struct("<QI"), struct.Struct("<I")
LENGTH_BYTES = 8


def event_files(folder: Path) -> list[Path]:
    """Return a version's event files."""
    return sorted(folder.glob(PATTERN))


def event_sizes(folder: Path) -> dict[str, int]:
    """Return the sizes of a version's event files, by name."""
    return {path.name: path.stat().st_size for path in event_files(folder)}


def cut_back(folder: Path, mark: Mark | None, *, but: str | None = None) -> None:
    """Take out of the event files, ``but`` one, what came after the checkpoint of ``mark``; None: everything.

    What the checkpoint's own epoch still logged behind it (the means of its training steps) stays: an epoch that is
    over is not logged again.
    """
    for path in event_files(folder):
        if path.name == but:
            continue
        size = 0 if mark is None else mark.events.get(path.name, 0)
        if size == 0:
            path.unlink()
        else:
            assert mark is not None
            os.truncate(path, _end(path, size, mark.step))


def _end(path: Path, start: int, step: int) -> int:
    """Return where the events of ``step`` that follow ``start`` end."""
    end = start
    for event, after in _events(path, start):
        tags = {value.tag for value in event.summary.value}
        if event.step != step or SESSION_END_INFO_TAG in tags:
            break
        end = after
    return min(end, path.stat().st_size)


def _events(path: Path, start: int) -> Iterator[tuple[Event, int]]:
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

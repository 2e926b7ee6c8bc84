"""Trackers in tests: whether they are installed, and what W&B writes where it is offline.

That is a log of protocol buffers, in blocks as LevelDB's.
"""

import json
import struct
from dataclasses import dataclass, field

import pytest

BLOCK, HEADER, FILE_HEADER = 2**15, 7, 7
LAST_PARTS = (1, 4)  # a whole record, and the last part of one


@dataclass
class OfflineRun:
    """One run, of all the files that have its id."""

    name: str = ""
    group: str = ""
    job_type: str = ""
    project: str = ""
    tags: list = field(default_factory=list)
    config: dict = field(default_factory=dict)
    summary: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    exit_code: int | None = None  # None: it was never closed


def need_tracker(package):
    """Skip the test where a tracker is not installed."""
    if pytest.importorskip(package, reason=f"the tracker {package} is not installed").__file__ is None:
        pytest.skip(f"the tracker {package} is not installed, and a folder has its name")


def read_records(raw):
    """Yield the records of a file."""
    at, parts = FILE_HEADER, b""
    while at + HEADER <= len(raw):
        left = BLOCK - at % BLOCK
        if left < HEADER:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", raw[at : at + HEADER])
        at += HEADER
        parts += raw[at : at + length]
        at += length
        if kind in LAST_PARTS:
            yield parts
            parts = b""


def read_offline_runs(folder):
    """Return the runs below a folder by their ids, in the order of their files."""
    from wandb.proto import wandb_internal_pb2

    runs = {}
    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        run = runs.setdefault(file.stem.removeprefix("run-"), OfflineRun())
        run.exit_code = None
        for raw in read_records(file.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(raw)
            _add_record(run, record)
    return runs


def _add_record(run, record):
    match record.WhichOneof("record_type"):
        case "run":
            said = record.run
            run.name, run.group, run.job_type = said.display_name, said.run_group, said.job_type
            run.project, run.tags = said.project, list(said.tags)
            run.config.update(_items(said.config.update))
        case "config":
            run.config.update(_items(record.config.update))
        case "summary":
            run.summary.update(_items(record.summary.update))
        case "history":
            run.history.append(_items(record.history.item))
        case "exit":
            run.exit_code = record.exit.exit_code


def _items(items):
    return {each.key or "/".join(each.nested_key): json.loads(each.value_json) for each in items}

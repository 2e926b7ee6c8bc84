"""Event files are cut back to a checkpoint, whatever a killed process or a full disk left at their end."""

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tests.events import event_file, scalars
from tune.trial.checkpoints.checkpoint_state import CheckpointState
from tune.trial.checkpoints.event_files import truncate_event_files


def write_events(folder, steps):
    """Write one value a step; return the file, and its size after each."""
    writer = EventFileWriter(str(folder))
    sizes = [event_file(folder).stat().st_size]
    for step in steps:
        event = Event(step=step)
        event.summary.value.add(tag="x", simple_value=step)
        writer.add_event(event)
        writer.flush()
        sizes.append(event_file(folder).stat().st_size)
    writer.close()
    return event_file(folder), sizes


def mark(file, size):
    return CheckpointState(curve=[(1, 0.5)], last=False, fit=1, step=1, events={file.name: size})


def test_what_came_after_the_checkpoint_is_gone_but_what_its_own_step_still_logged(tmp_path):
    file, sizes = write_events(tmp_path, [0, 1, 1, 2])

    truncate_event_files(tmp_path, mark(file, sizes[2]))

    assert [step for step, _ in scalars(tmp_path)["x"]] == [0, 1, 1]
    assert file.stat().st_size == sizes[3]


TORN = {
    "a head": lambda record: record[:5],
    "a length without its data": lambda record: record[:12],
    "half of the data": lambda record: record[: len(record) // 2],
    "no checksum": lambda record: record[:-4],
    "data that is another's": lambda record: record[:12] + b"?" * (len(record) - 16) + record[-4:],
    "a length of nonsense": lambda record: b"?" * len(record),
    "zeros": lambda record: b"\0" * len(record),
}


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_a_torn_end_is_cut_off(tmp_path, torn):
    file, sizes = write_events(tmp_path, [0, 1, 1])
    raw = file.read_bytes()
    file.write_bytes(raw[: sizes[2]] + torn(raw[sizes[2] :]))

    truncate_event_files(tmp_path, mark(file, sizes[2]))

    assert file.read_bytes() == raw[: sizes[2]]

"""Read event files as TensorBoard does."""

from dataclasses import dataclass, field

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.util import tensor_util


@dataclass
class Session:
    """A session of the HPARAMS tab."""

    hparams: dict = field(default_factory=dict)
    status: str | None = None
    n_starts: int = 0
    n_ends: int = 0


def event_file(version):
    """Return a version's event file; there must be one alone."""
    (file,) = version.rglob("events.out.tfevents.*")
    return file


def values_of(version):
    """Yield ``(step, value)`` of every summary in a version's event files: a trial that went on has several."""
    for file in sorted(version.rglob("events.out.tfevents.*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                yield event.step, value


def scalars(version):
    """Return the curves by tag, each a list of (step, value)."""
    found = {}
    for step, value in values_of(version):
        if value.metadata.plugin_data.plugin_name == "scalars":
            found.setdefault(value.tag, []).append((step, float(tensor_util.make_ndarray(value.tensor))))
    return found


def by_epoch(version):
    """Return the curves by tag, one value an epoch as Lightning counts them: from 0."""
    curves = scalars(version)
    epochs = {step: int(epoch) + 1 for step, epoch in curves.pop("epoch", [])}  # the last may still be missing
    return {tag: {epochs[step]: value for step, value in curve if step in epochs} for tag, curve in curves.items()}


def session(version):
    """Return the version's session."""
    found = Session()
    for _, value in values_of(version):
        content = value.metadata.plugin_data.content
        if value.tag == metadata.SESSION_START_INFO_TAG:
            found.n_starts += 1
            start = metadata.parse_session_start_info_plugin_data(content)
            found.hparams |= {name: getattr(cell, cell.WhichOneof("kind")) for name, cell in start.hparams.items()}
        if value.tag == metadata.SESSION_END_INFO_TAG:
            found.n_ends += 1
            found.status = api_pb2.Status.Name(metadata.parse_session_end_info_plugin_data(content).status)
        assert value.tag != metadata.EXPERIMENT_TAG  # one anywhere would override what TensorBoard infers
    return found

"""When what happened, by the event files that every contestant leaves: none of them is changed to be measured."""

from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

Curve = list[tuple[float, float]]
"""``(seconds since the epoch, value)`` of a metric, in the order of time."""


def curves(folder: Path, metric: str) -> dict[str, Curve]:
    """Return the metric's curve of each version anywhere below the folder, by the version's path."""
    found: dict[str, Curve] = {}
    for file in folder.rglob("events.out.tfevents.*"):
        if curve := _curve(file, metric):
            found.setdefault(str(file.parent.relative_to(folder)), []).extend(curve)
    return {version: sorted(curve) for version, curve in found.items()}


def _curve(file: Path, metric: str) -> Curve:
    return [
        (event.wall_time, float(tensor_util.make_ndarray(value.tensor)))
        for event in EventFileLoader(str(file)).Load()
        for value in event.summary.value
        if value.tag == metric
    ]


def last_write(folder: Path, versions: list[str]) -> float:
    """Return when the last file of these versions was written: seconds since the epoch."""
    return max(file.stat().st_mtime for version in versions for file in (folder / version).rglob("*") if file.is_file())

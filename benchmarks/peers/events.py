"""When what happened, by the event files that every contestant leaves: none of them is changed to be measured."""

import time
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

Curve = list[tuple[float, float]]
"""``(seconds since the epoch, value)`` of a metric, in the order of time."""


def curves(folder: Path, metric: str) -> dict[str, Curve]:
    """Return the metric's curve of each version anywhere below the folder, by the version's path."""
    found: dict[str, Curve] = {}
    for file in folder.rglob("events.out.tfevents.*"):
        if curve := _values(EventFileLoader(str(file)), metric):
            found.setdefault(str(file.parent.relative_to(folder)), []).extend(curve)
    return {version: sorted(curve) for version, curve in found.items()}


def _values(loader: EventFileLoader, metric: str) -> Curve:
    """Return what a file holds beyond what the loader gave before."""
    return [
        (event.wall_time, float(tensor_util.make_ndarray(value.tensor)))
        for event in loader.Load()
        for value in event.summary.value
        if value.tag == metric
    ]


class LiveCurves:
    """The same of a search that goes on: each look reads only what was written since the last."""

    INTERVAL_S = 0.5
    """Between two looks: they take CPU from the search, whoever's it is."""

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._loaders: dict[Path, EventFileLoader] = {}
        self._curves: dict[str, Curve] = {}
        self._looked = 0.0

    def read(self, folder: Path, *, again: bool = False) -> dict[str, Curve]:
        """Return the curves so far; those of the last look, if it was not long ago and not ``again``."""
        if not again and time.monotonic() - self._looked < self.INTERVAL_S:
            return self._curves
        for file in folder.rglob("events.out.tfevents.*"):
            if file not in self._loaders:
                self._loaders[file] = EventFileLoader(str(file))
            if curve := _values(self._loaders[file], self._metric):
                self._curves.setdefault(str(file.parent.relative_to(folder)), []).extend(curve)
        self._looked = time.monotonic()
        return self._curves


def last_write(folder: Path, versions: list[str]) -> float:
    """Return when the last file of these versions was written: seconds since the epoch."""
    return max(file.stat().st_mtime for version in versions for file in (folder / version).rglob("*") if file.is_file())

"""What a run logged: the scalars of its event files, and the tables of its CSVLoggers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

Curves = Mapping[str, list[tuple[int, float]]]
"""``(step, value)`` in the order of writing, by tag."""
Tables = Mapping[str, str]
"""The texts of ``metrics.csv`` files, by their paths."""


def read_curves(folder: Path) -> Curves:
    """Return the scalars of all event files below a folder, of those that were begun first before the others."""
    found: dict[str, list[tuple[int, float]]] = {}
    files = [list(EventFileLoader(str(file)).Load()) for file in folder.rglob("events.out.tfevents.*")]
    for events in sorted(filter(None, files), key=lambda events: events[0].wall_time):
        for event in events:
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    number = float(tensor_util.make_ndarray(value.tensor))
                    found.setdefault(value.tag, []).append((event.step, number))
    return found


def read_tables(folder: Path) -> Tables:
    """Return the texts of all tables below a folder."""
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("metrics.csv"))}


def count_cells(table: str) -> int:
    """Return how many values a table has below its head."""
    _, *rows = table.splitlines()
    return sum(bool(cell) for row in rows for cell in row.split(","))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How what one run logged differs from what another one did."""

    n_values: int
    """Those that are equal to the last bit, with their step."""
    missing: list[str]
    """Tags of the first run alone."""
    added: list[str]
    """Tags of the second run alone."""
    other: dict[str, str]
    """By tag the first place where the two differ."""


def compare_curves(first: Curves, second: Curves) -> Difference:
    """Compare steps and values to the last bit; NaN equals NaN."""
    other = {}
    n_values = 0
    for tag in first.keys() & second.keys():
        ours, theirs = [repr(each) for each in first[tag]], [repr(each) for each in second[tag]]
        n_values += sum(mine == yours for mine, yours in zip(ours, theirs, strict=False))
        if ours != theirs:
            place = next((i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None)
            at = min(len(ours), len(theirs)) if place is None else place
            pair = f"{''.join(ours[at : at + 1])} and {''.join(theirs[at : at + 1])}"
            other[tag] = f"{len(ours)} and {len(theirs)} values, in place {at + 1} {pair}"
    return Difference(
        n_values=n_values,
        missing=sorted(first.keys() - second.keys()),
        added=sorted(second.keys() - first.keys()),
        other=other,
    )

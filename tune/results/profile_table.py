"""The breakdown of a search's time as a table, for the terminal and for the report."""

from collections.abc import Sequence

from tune.results.profile import Breakdown
from tune.trial.laps import PARTS

MOST_WORKERS = 8
"""Columns: with more workers only their sum is shown."""


def time_columns(found: Breakdown) -> tuple[str, ...]:
    """Return the heads of the columns."""
    several = 1 < len(found.workers) <= MOST_WORKERS
    names = (f"worker {place}" for place, _ in enumerate(found.workers, 1)) if several else ()
    return ("time, s", "share", "all", *names, "what it is")


def time_rows(found: Breakdown) -> list[tuple[str, ...]]:
    """Return a row for each part, and the whole."""
    whole = sum(found.wall_s)
    rows = [
        (part, f"{seconds / whole:.1%}", *_seconds(seconds, [each.get(part, 0.0) for each in found.workers]), what)
        for part, what in PARTS.items()
        if (seconds := found.all.get(part)) is not None
    ]
    return [*rows, ("whole", "100.0%", *_seconds(whole, found.wall_s), "from the command to the last trial's end")]


def _seconds(total: float, of_workers: Sequence[float]) -> tuple[str, ...]:
    several = 1 < len(of_workers) <= MOST_WORKERS
    return (f"{total:.2f}", *((f"{seconds:.2f}" for seconds in of_workers) if several else ()))

"""The clock of a search: how long it had run at a moment, without the time in which nobody searched."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

IDLE_S = 60.0
"""A search that ran no trial for longer was interrupted."""
UNITS = (
    (3 * 86_400.0, 86_400.0, "days"),
    (3 * 3_600.0, 3_600.0, "hours"),
    (300.0, 60.0, "minutes"),
    (0.0, 1.0, "seconds"),
)
"""From how many seconds on, seconds in the unit, and its name."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns seconds since the epoch into seconds of searching."""

    spans: tuple[tuple[float, float], ...]
    """When trials ran, in order, in seconds since the epoch; at least one."""

    def at(self, time: float) -> float:
        """Return the seconds of searching before a moment."""
        return sum(max(0.0, min(time, end) - start) for start, end in self.spans)

    @property
    def total_s(self) -> float:
        """Seconds of searching in all."""
        return self.at(self.spans[-1][1])

    @property
    def pauses(self) -> tuple[float, ...]:
        """The moments, in seconds of searching, at which the search was interrupted and went on later."""
        return tuple(self.at(end) for _, end in self.spans[:-1])

    @property
    def unit(self) -> tuple[float, str]:
        """Seconds in the unit that suits the whole, and its name."""
        return next((seconds, name) for least, seconds, name in UNITS if self.total_s >= least)


def clock_of(intervals: Iterable[tuple[float, float]]) -> Clock:
    """Return the clock of trials that ran from and to these moments."""
    spans: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if spans and start <= spans[-1][1] + IDLE_S:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, max(start, end)))
    return Clock(tuple(spans) or ((0.0, 0.0),))


def spoken(seconds: float) -> str:
    """Return a duration as people say it: ``29 s``, ``4 min 10 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def pause_lines(clock: Clock) -> Sequence[dict[str, object]]:
    """Return plotly.js shapes: a dotted line at each pause."""
    unit, _ = clock.unit
    return [
        {
            "type": "line",
            "yref": "paper",
            "x0": pause / unit,
            "x1": pause / unit,
            "y0": 0,
            "y1": 1,
            "line": {"color": "var(--muted)", "width": 1, "dash": "dot"},
        }
        for pause in clock.pauses
    ]

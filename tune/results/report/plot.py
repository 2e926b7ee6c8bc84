"""A plot of the report as plotly.js takes it, and the clock of a search that stands on its axis.

A figure names its colours as the style sheet does, ``var(--ink)``, so that the page draws it light or dark.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tune.experiment.trial_result import State
from tune.space.space import Mode

if TYPE_CHECKING:
    import plotly.graph_objects as go


Figure = dict[str, Any]
"""``data`` and ``layout`` of plotly.js."""

ACCENT, INK, MUTED, LINE, GOOD = "var(--accent)", "var(--ink)", "var(--muted)", "var(--line)", "var(--good)"
STATE_COLOURS: dict[State, str] = {
    "complete": ACCENT,
    "pruned": "var(--faint)",
    "failed": "var(--bad)",
    "waiting": "var(--warn)",
    "running": GOOD,
}
SERIES = (ACCENT, "var(--warn)", GOOD, "var(--bad)", INK)
DASHES = ("solid", "dash", "dot", "dashdot")
"""Of things that are drawn beside each other: when the colours are used up, they come again with the next dash."""
SCALE = ("var(--scale-0)", "var(--scale-1)", "var(--scale-2)")
"""From worse to better."""
CUT_SHARE = 0.05
"""So much of the worst values may lie outside of an axis: one that diverged would flatten all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One place on the page, where one of several figures is shown."""

    name: str
    """Unique on the page, letters and hyphens alone."""
    title: str
    figures: dict[str, Figure]
    """By what the reader chooses, the first one shown; no choice is offered where there is one alone."""
    height: int = 380
    """In CSS pixels."""
    min_width: int = 0
    """In CSS pixels; on a narrower screen the plot scrolls sideways."""
    wide: bool = True
    """Whether it has a row of its own."""


def to_plotly_dict(figure: "go.Figure") -> Figure:
    """Return a figure of Optuna's as plotly.js takes it, without a theme and a title of its own."""
    found: Figure = json.loads(figure.to_json())
    for name in ("template", "title", "width", "height"):
        found["layout"].pop(name, None)
    return found


def build_axis(title: str, **more: Any) -> dict[str, Any]:
    """Return an axis; the page adds colours."""
    return {"title": {"text": escape_html(title)}, "automargin": True, **more}


def build_colour_scale(mode: Mode) -> list[list[Any]]:
    """Return a colour scale on which the better is the stronger."""
    colours = SCALE if mode == "max" else SCALE[::-1]
    return [[place, colour] for place, colour in zip((0.0, 0.5, 1.0), colours, strict=True)]


def escape_html(text: str) -> str:
    """Return a text for plotly.js, which reads some HTML in every text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def build_value_axis(title: str, values: Sequence[float], mode: Mode, shown: Sequence[float] = ()) -> dict[str, Any]:
    """Return the axis of a metric: all but the few worst values, and always those in ``shown``."""
    finite = sorted((value for value in values if math.isfinite(value)), reverse=mode == "max")
    if not finite:
        return build_axis(title)
    kept = finite[: max(2, math.ceil(len(finite) * (1 - CUT_SHARE)))]
    low, high = min(*kept, *shown, kept[0]), max(*kept, *shown, kept[0])
    span, whole = high - low, abs(finite[-1] - finite[0])
    if whole <= 2 * span:
        low, high = min(low, finite[-1]), max(high, finite[-1])
    margin = 0.05 * (high - low) or abs(high) * 0.05 or 0.05
    return build_axis(title, range=[low - margin, high + margin])


def build_line(
    name: str, x: Sequence[float | None], y: Sequence[float | None], colour: str, **more: Any
) -> Mapping[str, Any]:
    """Return a trace of lines; None breaks it."""
    line = {"color": colour, **more.pop("line", {})}
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": line, **more}


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
class SearchClock:
    """Turns seconds since the epoch into seconds of searching."""

    spans: tuple[tuple[float, float], ...]
    """When trials ran, in order, in seconds since the epoch; at least one."""

    def elapsed_at(self, time: float) -> float:
        """Return the seconds of searching before a moment."""
        return sum(max(0.0, min(time, end) - start) for start, end in self.spans)

    @property
    def total_s(self) -> float:
        """Seconds of searching in all."""
        return self.elapsed_at(self.spans[-1][1])

    @property
    def pause_times(self) -> tuple[float, ...]:
        """The moments, in seconds of searching, at which the search was interrupted and went on later."""
        return tuple(self.elapsed_at(end) for _, end in self.spans[:-1])

    @property
    def time_unit(self) -> tuple[float, str]:
        """Seconds in the unit that suits the whole, and its name."""
        return next((seconds, name) for least, seconds, name in UNITS if self.total_s >= least)


def build_clock(intervals: Iterable[tuple[float, float]]) -> SearchClock:
    """Return the clock of trials that ran from and to these moments."""
    spans: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if spans and start <= spans[-1][1] + IDLE_S:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, max(start, end)))
    return SearchClock(tuple(spans) or ((0.0, 0.0),))


def format_duration(seconds: float) -> str:
    """Return a duration as people say it: ``29 s``, ``4 min 10 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def draw_pause_lines(clock: SearchClock) -> Sequence[dict[str, object]]:
    """Return plotly.js shapes: a dotted line at each pause."""
    unit, _ = clock.time_unit
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
        for pause in clock.pause_times
    ]

"""What a notebook shows while it runs a search: a table of the trials that run, and the curves of all."""

import html
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tune.api_progress import ProgressLine, ProgressView
from tune.experiment.trial_result import TrialResult
from tune.results.report.plot import escape_html
from tune.trial.messages import EpochReport

if TYPE_CHECKING:
    from tune.search.progress import SearchStatus
    from tune.search.search_plan import SearchPlan

MOST_CURVES = 60
"""Trials whose curves are drawn: those that began last, and the best one."""
WIDTH, HEIGHT = 600, 240
"""Of the picture that is shown where plotly's own is not; pixels."""
MARGIN = 8
COLORS = {"best": "#e8710a", "baseline": "#8a8a8a", "other": "#4c8bf5"}
"""Seen on white and on black."""
Curves = Mapping[int, Mapping[int, float]]
"""The metric by epoch, by the trial's number."""


def create_view(plan: "SearchPlan") -> ProgressView:
    """Return what shows the progress of a search: in a notebook a table and curves, elsewhere a line."""
    return NotebookView(plan) if is_in_notebook() else ProgressLine(plan)


def is_in_notebook() -> bool:
    """Tell whether a kernel runs this, whose frontend shows HTML; IPython in a terminal has none."""
    shell = sys.modules.get("IPython")
    running = None if shell is None else shell.get_ipython()
    return running is not None and getattr(running, "kernel", None) is not None


def format_cells(values: Iterable[object], tag: str) -> str:
    """Return the cells of a row of an HTML table; what is no number is escaped."""
    texts = ("" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value) for value in values)
    return "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)


class NotebookView(ProgressView):
    """Updates two outputs of the cell that runs the search."""

    REDRAW_S = 1.0

    def __init__(self, plan: "SearchPlan") -> None:
        from IPython.display import display

        super().__init__(plan)
        self._is_max = plan.space.mode == "max"
        self._curves: dict[int, dict[int, float]] = {}
        self._best: int | None = None  # of those that ended
        texts = self._table(), self._figure(is_last=False)
        self._outputs = [display(each, raw=True, display_id=True) for each in texts]

    def on_epoch(self, number: int, epoch: EpochReport) -> None:
        """Keep the value, and draw."""
        self._curves.setdefault(number, {})[epoch.epoch] = epoch.value
        super().on_epoch(number, epoch)

    def on_trial_end(self, outcome: TrialResult) -> None:
        """Know the best trial that ended; forget curves of earlier ones where there are many."""
        if outcome.curve:
            self._curves[outcome.number] = dict(outcome.curve)
        scores = {number: self._score_of(curve) for number, curve in self._curves.items()}
        scores = {number: score for number, score in scores.items() if math.isfinite(score)}
        self._best = max(scores, key=scores.__getitem__, default=None)
        for number in sorted(self._curves)[:-MOST_CURVES]:
            if number not in (0, self._best):
                del self._curves[number]

    def _score_of(self, curve: Mapping[int, float]) -> float:
        """Return how good the best epoch is: more is better, whatever the mode."""
        values = (value if self._is_max else -value for value in curve.values() if math.isfinite(value))
        return max(values, default=-math.inf)

    def draw(self, *, is_last: bool = False) -> None:
        """Update both."""
        for output, found in zip(self._outputs, (self._table(), self._figure(is_last=is_last)), strict=True):
            output.update(found, raw=True)

    def _table(self) -> dict[str, Any]:
        status = self.progress.current_status()
        line = status.describe_line(self.metric)
        return {"text/plain": line, "text/html": build_table(status, self.metric)}

    def _figure(self, *, is_last: bool) -> dict[str, Any]:
        """Return the curves: JupyterLab draws a figure of plotly's once, and not again, so that comes at the end."""
        found: dict[str, Any] = {
            "text/plain": f"the curves of {len(self._curves)} trials",
            "text/html": draw_curves(self._curves, self._best, self.metric),
        }
        if is_last:
            found["application/vnd.plotly.v1+json"] = build_figure(self._curves, self._best, self.metric)
        return found


def build_table(status: "SearchStatus", metric: str) -> str:
    """Return a line, and a table of the trials that run and of those that ended last, as HTML."""
    heads = ("trial", "state", "epochs", f"last {metric}", "score")
    rows: list[tuple[object, ...]] = []
    for trial in status.running:
        epoch = max(trial.curve, default=0)
        n_epochs = f"{epoch}/{trial.n_epochs}" if trial.n_epochs else epoch
        state = "pre-flight" if trial.in_preflight else "running"
        rows.append((trial.version, state, n_epochs, trial.curve.get(epoch), None))
    for outcome in status.latest:
        last = outcome.curve.get(max(outcome.curve, default=0))
        rows.append((outcome.version, outcome.state, outcome.n_epochs, last, outcome.score))
    body = "".join(f"<tr>{format_cells(row, 'td')}</tr>" for row in rows)
    table = f"<table><thead><tr>{format_cells(heads, 'th')}</tr></thead><tbody>{body}</tbody></table>"
    return f"<p>{html.escape(status.describe_line(metric))}</p>{table}"


def build_figure(curves: Curves, best: int | None, metric: str) -> dict[str, Any]:
    """Return plotly's figure, as JSON has it."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    for number, curve in _order_curves(curves, best):
        kind = _kind_of(number, best)
        epochs = sorted(curve)
        figure.add_trace(
            Scatter(
                x=epochs,
                y=[curve[epoch] for epoch in epochs],
                name={"best": f"best: trial {number}", "baseline": "hardcoded"}.get(kind, f"trial {number}"),
                mode="lines+markers" if len(epochs) == 1 else "lines",
                line={"color": COLORS[kind], "width": 1 if kind == "other" else 3},
                opacity=0.5 if kind == "other" else 1.0,
                showlegend=kind != "other",
            )
        )
    clear = "rgba(0,0,0,0)"  # the page's own background, light or dark
    grid = {"gridcolor": "rgba(128,128,128,0.3)", "zeroline": False}
    figure.update_layout(
        paper_bgcolor=clear,
        plot_bgcolor=clear,
        font={"color": COLORS["baseline"]},
        height=HEIGHT + 120,
        margin={"t": 50, "r": 10},  # plotly's buttons, and below them the legend, on a narrow page too
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={"title": "epoch", **grid},
        yaxis={"title": escape_html(metric), **grid},
    )
    return dict(json.loads(figure.to_json()))  # JupyterLab keeps it as wide as the cell


def draw_curves(curves: Curves, best: int | None, metric: str) -> str:
    """Return the same as a picture that needs no script, for frontends without plotly, and for what is exported."""
    points = [(epoch, value) for curve in curves.values() for epoch, value in curve.items() if math.isfinite(value)]
    if not points:
        return "<p>no epoch yet</p>"
    last = max(epoch for epoch, _ in points)
    low, high = min(value for _, value in points), max(value for _, value in points)
    lines = "".join(
        _draw_line(curve, kind, (last, low, high))
        for number, curve in _order_curves(curves, best)
        for kind in [_kind_of(number, best)]
    )
    told = f"{html.escape(metric)}: {low:.5g} to {high:.5g}, epochs 1 to {last}; orange: the best, grey: hardcoded"
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="max-width:100%">{lines}</svg><p>{told}</p>'


def _draw_line(curve: Mapping[int, float], kind: str, bounds: tuple[int, float, float]) -> str:
    last, low, high = bounds
    places = [
        (
            MARGIN + (WIDTH - 2 * MARGIN) * (epoch - 1) / max(1, last - 1),
            HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / ((high - low) or 1.0),
        )
        for epoch, value in sorted(curve.items())
        if math.isfinite(value)
    ]
    style = f'stroke="{COLORS[kind]}" stroke-width="{1 if kind == "other" else 3}" fill="none"'
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" {style}/>' for x, y in places if len(places) == 1)
    return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}" {style}/>{dots}'


def _order_curves(curves: Curves, best: int | None) -> Iterator[tuple[int, Mapping[int, float]]]:
    """Yield the curves so that those that matter are drawn last, over the others."""
    yield from sorted(curves.items(), key=lambda item: (_kind_of(item[0], best) != "other", item[0] == best, item[0]))


def _kind_of(number: int, best: int | None) -> str:
    return "best" if number == best else "baseline" if number == 0 else "other"

"""Learning curves: a metric by epoch, a line a trial, coloured by how the trial ended."""

import math
from collections.abc import Iterator, Sequence

from tune.results.report.plot import GOOD, INK, STATE_COLOURS, Figure, axis, line_of, value_axis
from tune.space.space import Objective
from tune.trial.outcome import Outcome, State

ORDER: tuple[State, ...] = ("pruned", "failed", "waiting", "complete", "running")
"""The last ones are drawn above the first."""
MAX_POINTS = 30_000
"""Of all curves: more makes a browser slow. Longer curves are thinned out."""
MANY = 100
"""Curves of one colour: each gets fainter, so that it shows where most of them are."""
MAX_TICKS = 12
"""Epochs that get a tick each; plotly.js would write halves of them."""


def curves(trials: Sequence[Outcome], place: int, objective: Objective, best: Outcome | None) -> Figure | None:
    """Return the figure of one metric, the ``place``-th; None where nothing finite was reported."""
    drawn = [each for each in trials if each.repeat_of is None and any(map(math.isfinite, each.curve.values()))]
    if not drawn:
        return None
    n_points = max(2, MAX_POINTS // len(drawn))  # of each curve
    special = {each.number: each for each in (best, *(each for each in drawn if each.is_baseline)) if each}
    data: list[object] = []
    for state in ORDER:
        group = [each for each in drawn if each.state == state]
        if group:
            data.append(
                _lines(
                    state,
                    group,
                    place,
                    n_points,
                    STATE_COLOURS[state],
                    width=1.2,
                    opacity=0.55 if len(group) < MANY else 0.25,
                )
            )
    for each in special.values():
        is_best = best is not None and each.number == best.number
        name = "best" if is_best else "hardcoded values"
        dash = "solid" if is_best else "dash"
        data.append(_lines(name, [each], place, n_points, GOOD if is_best else INK, width=3, dash=dash))
    values = [value for each in drawn for _, value in _points(each, place, n_points)]
    shown = [value for each in special.values() for value in each.scores[place : place + 1]]
    n_epochs = max(epoch for each in drawn for epoch in each.curve)
    layout = {
        "xaxis": axis("epoch", **({"dtick": 1} if n_epochs <= MAX_TICKS else {})),
        "yaxis": value_axis(objective.metric, values, objective.mode, shown),
        "hovermode": "closest",
    }
    return {"data": data, "layout": layout}


def _lines(
    name: str,
    group: Sequence[Outcome],
    place: int,
    n_points: int,
    colour: str,
    *,
    width: float,
    dash: str = "solid",
    opacity: float = 1.0,
) -> object:
    """Return one trace for many curves, with a gap after each."""
    x: list[float | None] = []
    y: list[float | None] = []
    numbers: list[int | None] = []
    for each in group:
        points = list(_points(each, place, n_points))
        x += [*(epoch for epoch, _ in points), None]
        y += [*(value if math.isfinite(value) else None for _, value in points), None]
        numbers += [*(each.number for _ in points), None]
    lonely = all(len(each.curve) == 1 for each in group)
    return line_of(
        name,
        x,
        y,
        colour,
        mode="markers" if lonely else "lines+markers",
        marker={"size": 4 if opacity < 1 else 6, "color": colour},
        line={"width": width, "dash": dash},
        opacity=opacity,
        customdata=numbers,
        hovertemplate="trial %{customdata}, epoch %{x}<br>%{y:.5g}<extra></extra>",
    )


def _points(trial: Outcome, place: int, n_points: int) -> Iterator[tuple[int, float]]:
    """Yield epochs and values, evenly thinned out to ``n_points``; first, last and best epoch are among them."""
    epochs = sorted(trial.measures)
    step = max(1, math.ceil(len(epochs) / n_points))
    kept = {*epochs[::step], epochs[-1], trial.best_epoch}
    for epoch in epochs:
        if epoch in kept and place < len(trial.measures[epoch]):
            yield epoch, trial.measures[epoch][place]

"""Parallel coordinates: a line a trial, across an axis for each constant. Optuna's plot."""

from collections.abc import Mapping, Sequence
from typing import Any

from tune.results.report.plot import INK, LINE, MUTED, Figure, line_of, plain, safe
from tune.results.report.subject import Subject
from tune.space.space import Mode

N_SHADES = 8
"""Colours of the lines."""
MAX_AXES = 10
"""Beside the metric's."""


def parallel(subject: Subject, ordered: Sequence[str]) -> Figure | None:
    """Return the figure with the first of the ``ordered`` constants; None where it would have nothing to say.

    A constant that keeps its hardcoded value in a trial has a tick of its own there.
    """
    names = ordered[:MAX_AXES]
    if len(subject.finished) < 2:
        return None
    from optuna.visualization import plot_parallel_coordinate

    study = subject.study(subject.finished, names)
    known = {name for trial in study.trials for name in trial.params}
    wanted = [safe(name) for name in names if safe(name) in known]
    if not wanted:
        return None
    figure = plain(plot_parallel_coordinate(study, params=wanted, target_name=safe(subject.objective.metric)))
    lines = [trace for trace in figure["data"] if trace["mode"] == "lines"]
    if not lines:
        return None
    layout = figure["layout"]
    for shape in layout["shapes"]:
        shape["line"]["color"] = LINE
    for note in layout["annotations"]:
        note["font"] = {"color": MUTED, "size": 11}
    figure["layout"] = {
        "xaxis": {**layout["xaxis"], "tickfont": {"color": INK, "size": 12}, "fixedrange": True},
        "yaxis": layout["yaxis"],
        "annotations": layout["annotations"],
        "shapes": layout["shapes"],
        "margin": {"l": 24, "r": 24, "t": 24, "b": 44},
        "showlegend": False,
    }
    figure["data"] = _by_worth(lines, subject.objective.mode)
    return figure


def _by_worth(lines: Sequence[Mapping[str, Any]], mode: Mode) -> list[Mapping[str, Any]]:
    """Return a trace a colour instead of one a trial, the better above: a browser is slow with a thousand traces."""
    data = []
    for shade in range(N_SHADES):
        x: list[float | None] = []
        y: list[float | None] = []
        told: list[object] = []
        for line in lines:
            height = line["y"][0]  # on the metric's axis, from 0 to 1
            worth = height if mode == "max" else 1 - height
            if min(N_SHADES - 1, int(worth * N_SHADES)) == shade:
                x += [*line["x"], None]
                y += [*line["y"], None]
                told += [*line["customdata"], None]
        look = {"color": f"scale({shade / (N_SHADES - 1):.2f})", "width": 1.2 + shade / N_SHADES}
        hover = "%{customdata[0]}: %{customdata[1]}<extra></extra>"
        if x:
            data.append(line_of("", x, y, "", line=look, opacity=0.75, customdata=told, hovertemplate=hover))
    return data

"""Optimization history: what each trial was worth, and the best so far, over the time that the search took.

The axis holds the trials that came to their end. Those that were stopped early may lie outside: after one epoch of ten
they are far away, and would press all others into one line.
"""

from collections.abc import Sequence

from tune.results.report.clock import Clock, pause_lines
from tune.results.report.plot import GOOD, MUTED, STATE_COLOURS, Figure, axis, line_of, safe, value_axis
from tune.space.space import Objective
from tune.trial.outcome import Outcome, State
from tune.trial.score import better

SHOWN: tuple[State, ...] = ("complete", "pruned")


def history(trials: Sequence[Outcome], place: int, objective: Objective, clock: Clock) -> Figure | None:
    """Return the figure of one metric, the ``place``-th; None where no trial has ended with a score."""
    ended = [each for each in trials if each.state in SHOWN and each.ended is not None and each.scores]
    ended.sort(key=lambda each: each.ended or 0.0)
    if not ended:
        return None
    unit, unit_name = clock.unit
    data: list[object] = []
    for state in SHOWN:
        group = [each for each in ended if each.state == state]
        if group:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": state,
                    "x": [clock.at(each.ended or 0.0) / unit for each in group],
                    "y": [each.scores[place] for each in group],
                    "text": [safe(each.version) for each in group],
                    "hovertemplate": "%{text}<br>%{y:.5g}<extra></extra>",
                    "marker": {"color": STATE_COLOURS[state], "size": 7 if state == "complete" else 5},
                }
            )
    data.append(_best_so_far(ended, place, objective, clock))
    shown = [each.scores[place] for each in trials if each.is_baseline and each.final_score is not None]
    complete = [each.scores[place] for each in ended if each.state == "complete"]
    values = complete if len(complete) > 1 else [each.scores[place] for each in ended]
    layout = {
        "xaxis": axis(f"{unit_name} of searching", rangemode="tozero"),
        "yaxis": value_axis(objective.metric, values, objective.mode, shown),
        "shapes": [*_baseline(shown), *pause_lines(clock)],
        "annotations": _baseline_name(shown),
    }
    return {"data": data, "layout": layout}


def _best_so_far(ended: Sequence[Outcome], place: int, objective: Objective, clock: Clock) -> object:
    unit, _ = clock.unit
    x: list[float | None] = []
    y: list[float | None] = []
    best: float | None = None
    for each in ended:
        if better(objective.mode, each.scores[place], best):
            best = each.scores[place]
            x.append(clock.at(each.ended or 0.0) / unit)
            y.append(best)
    x.append(clock.total_s / unit)
    y.append(best)
    return line_of("best so far", x, y, GOOD, line={"shape": "hv", "width": 2.5}, hoverinfo="skip")


def _baseline(values: Sequence[float]) -> list[object]:
    line = {"color": MUTED, "width": 1.5, "dash": "dash"}
    return [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value, "line": line} for value in values
    ]


def _baseline_name(values: Sequence[float]) -> list[object]:
    place = {"xref": "paper", "x": 1, "xanchor": "right", "yanchor": "bottom", "showarrow": False}
    return [{**place, "y": value, "text": "hardcoded values", "font": {"color": MUTED}} for value in values]

"""Slices: each constant against a metric, with the trials that were stopped, the best one and the hardcoded value."""

from typing import TYPE_CHECKING

from tune.results.report.plot import ACCENT, GOOD, MUTED, Figure, axis, plain, safe, value_axis
from tune.results.report.study import labels
from tune.results.report.subject import Subject
from tune.space.dimensions import Choice, Dimension, LogRandInt, LogUniform, is_number
from tune.trial.outcome import Outcome

if TYPE_CHECKING:
    import optuna

DECADES = 100
"""A logarithmic axis this long gets a tick a decade; a shorter one more."""


def slice_of(subject: Subject, name: str, best: Outcome | None) -> Figure | None:
    """Return one constant against the metric; None where no trial that ended has it."""
    trials = [each for each in subject.finished if name in each.values]
    study = subject.study(trials, [name])
    if not any(trial.params for trial in study.trials):
        return None
    from optuna.visualization import plot_slice

    figure = plain(plot_slice(study, params=[safe(name)]))
    (trace,) = figure["data"]
    trace |= _points(study, name, "complete", {"color": ACCENT, "size": 8, "opacity": 0.8})
    data = [trace]
    faint = subject.study([each for each in subject.stopped if name in each.values], [name])
    if any(trial.params for trial in faint.trials):
        marker = {"color": "var(--faint)", "size": 5, "opacity": 0.7}
        data.insert(0, _points(faint, name, "pruned", marker))
    if best is not None and name in best.values:
        leading = subject.study([best], [name])
        if leading.trials[0].params:
            star = {"color": GOOD, "size": 14, "symbol": "star", "line": {"color": "var(--card)", "width": 1}}
            data.append(_points(leading, name, "best", star))
    values = [each.scores[subject.place] for each in (*subject.finished, *subject.stopped)]
    layout = {
        "xaxis": _axis(name, subject.dimensions[name]),
        "yaxis": value_axis(subject.objective.metric, values, subject.objective.mode),
        "shapes": _hardcoded_line(subject, name),
        "showlegend": False,
    }
    return {"data": data, "layout": layout}


def _points(study: "optuna.Study", name: str, title: str, marker: dict[str, object]) -> dict[str, object]:
    shown = [trial for trial in study.trials if safe(name) in trial.params]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": title,
        "x": [trial.params[safe(name)] for trial in shown],
        "y": [trial.value for trial in shown],
        "text": [trial.user_attrs["version"] for trial in shown],
        "hovertemplate": "%{text}<br>%{y:.5g}<extra></extra>",
        "marker": marker,
    }


def _axis(name: str, dimension: Dimension) -> dict[str, object]:
    match dimension:
        case Choice():
            order = labels(dimension)
            return axis(
                name, type="category", categoryorder="array", categoryarray=order, range=[-0.5, len(order) - 0.5]
            )
        case LogUniform() | LogRandInt():
            return axis(name, type="log", dtick=1 if dimension.high / dimension.low >= DECADES else "D2")
        case _:
            return axis(name)


def _hardcoded_line(subject: Subject, name: str) -> list[object]:
    value, dimension = subject.hardcoded.get(name), subject.dimensions[name]
    if isinstance(dimension, Choice) or not is_number(value):
        return []
    if isinstance(dimension, LogUniform | LogRandInt) and value <= 0:
        return []
    line = {"color": MUTED, "width": 1.5, "dash": "dash"}
    return [{"type": "line", "yref": "paper", "x0": value, "x1": value, "y0": 0, "y1": 1, "line": line}]

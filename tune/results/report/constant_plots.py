"""Optuna's plots of constants: slices, contours, parallel coordinates, Pareto front.

A search as Optuna's plots take it: a study in memory, of trials that ended, with constants as people read them.

The ledger itself is not plotted: trials that were stopped have no value there, a choice may go by an odd label, and the
hardcoded value may lie outside of its range.

What Optuna's plots are made of: a metric, the constants, and the trials that ended.

Trials that ran to their end count in the plots, since a score after one epoch says little beside one after ten.
"""

import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tune.experiment.trial_result import TrialResult
from tune.promotion.find.literals import Unknown
from tune.results.report.plot import (
    ACCENT,
    GOOD,
    INK,
    LINE,
    MUTED,
    STATE_COLOURS,
    Figure,
    build_axis,
    build_colour_scale,
    build_line,
    build_value_axis,
    escape_html,
    to_plotly_dict,
)
from tune.space.conditions import restore_value
from tune.space.dimensions import (
    Choice,
    Dimension,
    FloatRange,
    IntRange,
    Value,
    is_in_dimension,
    is_number,
    is_same_value,
)
from tune.space.space import Mode, Objective

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution


LONGEST_LABEL = 24
"""Characters of an option on an axis."""
DIRECTIONS: dict[Mode, Literal["minimize", "maximize"]] = {"min": "minimize", "max": "maximize"}


def study_from_trials(
    trials: Sequence[TrialResult], dimensions: Mapping[str, Dimension], objectives: Mapping[int, Objective]
) -> "optuna.Study":
    """Return a study of these trials and metrics, which are given by their places; all trials count as complete."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        directions=[DIRECTIONS[each.mode] for each in objectives.values()], sampler=optuna.samplers.RandomSampler()
    )
    if len(objectives) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([escape_html(each.metric) for each in objectives.values()])
    distributions = {name: _build_distribution(dimension) for name, dimension in dimensions.items()}
    for trial in trials:
        params = _label_values(trial.values, dimensions)
        study.add_trial(
            optuna.trial.create_trial(
                values=[trial.scores[place] for place in objectives],
                params={escape_html(name): value for name, value in params.items()},
                distributions={escape_html(name): distributions[name] for name in params},
                user_attrs={"number": trial.number, "version": escape_html(trial.version)},
            )
        )
    return study


def option_labels(choice: Choice) -> list[str]:
    """Return what stands on an axis for each option, all different."""
    texts = [escape_html(_shorten_label(str(option))) for option in choice.options]
    if len(set(texts)) < len(texts):
        texts = [escape_html(_shorten_label(repr(option))) for option in choice.options]
    if len(set(texts)) < len(texts):
        texts = [f"{text} ({number})" for number, text in enumerate(texts, 1)]
    return texts


def _shorten_label(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 3]}..."


def _label_values(values: Mapping[str, Value], dimensions: Mapping[str, Dimension]) -> dict[str, object]:
    """Return the values inside their ranges; a baseline outside of them is no point of the plots."""
    found: dict[str, object] = {}
    for name, dimension in dimensions.items():
        value = restore_value(dimension, values.get(name))
        if name not in values or not is_in_dimension(dimension, value):
            continue
        if isinstance(dimension, Choice):
            place = next(place for place, option in enumerate(dimension.options) if is_same_value(option, value))
            found[name] = option_labels(dimension)[place]
        else:
            found[name] = value
    return found


def _build_distribution(dimension: Dimension) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match dimension:
        case Choice():
            return CategoricalDistribution(option_labels(dimension))
        case FloatRange():
            return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
        case IntRange():
            return IntDistribution(dimension.low, dimension.high, log=dimension.log)


def draw_fronts(
    finished: Sequence[TrialResult], dimensions: dict[str, Dimension], objectives: Sequence[Objective]
) -> dict[str, Figure]:
    """Return a figure for each further metric beside the first."""
    if not finished:
        return {}
    from optuna.visualization import plot_pareto_front

    found = {}
    for place, other in enumerate(objectives[1:], 1):
        study = study_from_trials(finished, dimensions, {0: objectives[0], place: other})
        figure = to_plotly_dict(plot_pareto_front(study))
        versions = {trial.number: trial.user_attrs["version"] for trial in study.trials}
        best = {trial.number for trial in study.best_trials}
        groups = [("dominated", [n for n in versions if n not in best]), ("Pareto front", sorted(best))]
        for trace, (name, numbers) in zip(figure["data"], groups, strict=True):
            colour, size = (GOOD, 9) if name == "Pareto front" else (STATE_COLOURS["pruned"], 6)
            trace |= {
                "name": name,
                "x": [study.trials[number].values[0] for number in numbers],
                "y": [study.trials[number].values[1] for number in numbers],
                "text": [versions[number] for number in numbers],
                "hovertemplate": "%{text}<br>%{x:.5g}, %{y:.5g}<extra></extra>",
                "marker": {"color": colour, "size": size},
                "showlegend": True,
            }
        figure["layout"] = {
            "xaxis": build_axis(objectives[0].metric),
            "yaxis": build_axis(other.metric),
            "hovermode": "closest",
        }
        found[f"{escape_html(objectives[0].metric)} and {escape_html(other.metric)}"] = figure
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotData:
    """A metric, and the trials that say something about it."""

    place: int
    """Of the metric among all."""
    objective: Objective
    dimensions: Mapping[str, Dimension]
    """Every constant's, in the space's order."""
    hardcoded: Mapping[str, Value | Unknown]
    finished: Sequence[TrialResult]
    """Trials that came to their end."""
    stopped: Sequence[TrialResult]
    """Trials that were stopped early, with a score."""

    def build_study(self, trials: Sequence[TrialResult], names: Sequence[str] | None = None) -> "optuna.Study":
        """Return these trials as Optuna's plots take them; with these constants alone."""
        kept = self.dimensions if names is None else {name: self.dimensions[name] for name in names}
        return study_from_trials(trials, kept, {self.place: self.objective})


DECADES = 100
"""A logarithmic axis this long gets a tick a decade; a shorter one more."""


def draw_slice(subject: PlotData, name: str, best: TrialResult | None) -> Figure | None:
    """Return one constant against the metric; None where no trial that ended has it."""
    trials = [each for each in subject.finished if name in each.values]
    study = subject.build_study(trials, [name])
    if not any(trial.params for trial in study.trials):
        return None
    from optuna.visualization import plot_slice

    figure = to_plotly_dict(plot_slice(study, params=[escape_html(name)]))
    (trace,) = figure["data"]
    trace |= _draw_points(study, name, "complete", {"color": ACCENT, "size": 8, "opacity": 0.8})
    data = [trace]
    faint = subject.build_study([each for each in subject.stopped if name in each.values], [name])
    if any(trial.params for trial in faint.trials):
        marker = {"color": "var(--faint)", "size": 5, "opacity": 0.7}
        data.insert(0, _draw_points(faint, name, "pruned", marker))
    if best is not None and name in best.values:
        leading = subject.build_study([best], [name])
        if leading.trials[0].params:
            star = {"color": GOOD, "size": 14, "symbol": "star", "line": {"color": "var(--card)", "width": 1}}
            data.append(_draw_points(leading, name, "best", star))
    values = [each.scores[subject.place] for each in (*subject.finished, *subject.stopped)]
    layout = {
        "xaxis": _constant_axis(name, subject.dimensions[name]),
        "yaxis": build_value_axis(subject.objective.metric, values, subject.objective.mode),
        "shapes": _hardcoded_line(subject, name),
        "showlegend": False,
    }
    return {"data": data, "layout": layout}


def _draw_points(study: "optuna.Study", name: str, title: str, marker: dict[str, object]) -> dict[str, object]:
    shown = [trial for trial in study.trials if escape_html(name) in trial.params]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": title,
        "x": [trial.params[escape_html(name)] for trial in shown],
        "y": [trial.value for trial in shown],
        "text": [trial.user_attrs["version"] for trial in shown],
        "hovertemplate": "%{text}<br>%{y:.5g}<extra></extra>",
        "marker": marker,
    }


def _constant_axis(name: str, dimension: Dimension) -> dict[str, object]:
    match dimension:
        case Choice():
            order = option_labels(dimension)
            return build_axis(
                name, type="category", categoryorder="array", categoryarray=order, range=[-0.5, len(order) - 0.5]
            )
        case FloatRange(log=True) | IntRange(log=True):
            return build_axis(name, type="log", dtick=1 if dimension.high / dimension.low >= DECADES else "D2")
        case _:
            return build_axis(name)


def _hardcoded_line(subject: PlotData, name: str) -> list[object]:
    value, dimension = subject.hardcoded.get(name), subject.dimensions[name]
    if isinstance(dimension, Choice) or not is_number(value):
        return []
    if dimension.log and value <= 0:
        return []
    line = {"color": MUTED, "width": 1.5, "dash": "dash"}
    return [{"type": "line", "yref": "paper", "x0": value, "x1": value, "y0": 0, "y1": 1, "line": line}]


MAX_TRIALS = 120
"""The browser fills a grid of the square of this. The best, and others spread evenly."""
MAX_CONSTANTS = 4
"""The most important ones: six pairs."""


def draw_contours(subject: PlotData, ordered: Sequence[str]) -> dict[str, Figure]:
    """Return a figure for each pair of the first of the ``ordered`` constants."""
    if len(subject.finished) < 3:
        return {}
    found = {}
    for one, other in itertools.combinations(ordered[:MAX_CONSTANTS], 2):
        figure = _draw_contour(subject, one, other)
        if figure is not None:
            found[f"{one} and {other}"] = figure
    return found


def _draw_contour(subject: PlotData, one: str, other: str) -> Figure | None:
    both = [each for each in subject.finished if one in each.values and other in each.values]
    study = subject.build_study(_sample_trials(both, subject), [one, other])
    points = {tuple(trial.params.values()) for trial in study.trials if len(trial.params) == 2}
    if any(len(set(values)) < 2 for values in zip(*points, strict=True)) or len(points) < 3:
        return None
    from optuna.visualization import plot_contour

    figure = to_plotly_dict(
        plot_contour(
            study, params=[escape_html(one), escape_html(other)], target_name=escape_html(subject.objective.metric)
        )
    )
    for trace in figure["data"]:
        if trace["type"] == "contour":
            bar = {"title": {"text": ""}, "thickness": 12, "outlinewidth": 0, "tickfont": {"color": MUTED}}
            trace |= {"colorscale": build_colour_scale(subject.objective.mode), "reversescale": False, "colorbar": bar}
            trace["line"] = {"width": 0.5, "color": LINE}
        else:
            trace["marker"] = {"color": INK, "size": 5, "line": {"color": "var(--card)", "width": 1}}
    layout = figure["layout"]
    figure["layout"] = {
        "xaxis": {**layout["xaxis"], "automargin": True, "zeroline": False},
        "yaxis": {**layout["yaxis"], "automargin": True, "zeroline": False},
        "showlegend": False,
    }
    return figure


def _sample_trials(trials: Sequence[TrialResult], subject: PlotData) -> list[TrialResult]:
    """Return no more trials than a contour takes: half of them the best, the others spread evenly."""
    if len(trials) <= MAX_TRIALS:
        return list(trials)
    sign = -1 if subject.objective.mode == "max" else 1
    by_score = sorted(trials, key=lambda each: sign * each.scores[subject.place])
    half = MAX_TRIALS // 2
    best, rest = by_score[:half], by_score[half:]
    return best + [rest[number * len(rest) // half] for number in range(half)]


N_SHADES = 8
"""Colours of the lines."""
MAX_AXES = 10
"""Beside the metric's."""


def draw_parallel(subject: PlotData, ordered: Sequence[str]) -> Figure | None:
    """Return the figure with the first of the ``ordered`` constants; None where it would have nothing to say.

    A constant that keeps its hardcoded value in a trial has a tick of its own there.
    """
    names = ordered[:MAX_AXES]
    if len(subject.finished) < 2:
        return None
    from optuna.visualization import plot_parallel_coordinate

    study = subject.build_study(subject.finished, names)
    known = {name for trial in study.trials for name in trial.params}
    wanted = [escape_html(name) for name in names if escape_html(name) in known]
    if not wanted:
        return None
    figure = to_plotly_dict(
        plot_parallel_coordinate(study, params=wanted, target_name=escape_html(subject.objective.metric))
    )
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
    figure["data"] = _group_by_score(lines, subject.objective.mode)
    return figure


def _group_by_score(lines: Sequence[Mapping[str, Any]], mode: Mode) -> list[Mapping[str, Any]]:
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
            data.append(build_line("", x, y, "", line=look, opacity=0.75, customdata=told, hovertemplate=hover))
    return data

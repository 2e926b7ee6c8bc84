"""Contours: two constants at a time, and what the metric is between the trials. Optuna's plot."""

import itertools
from collections.abc import Sequence

from tune.results.report.plot import INK, LINE, MUTED, Figure, plain, safe, scale
from tune.results.report.subject import Subject
from tune.trial.outcome import Outcome

MAX_TRIALS = 120
"""The browser fills a grid of the square of this. The best, and others spread evenly."""
MAX_CONSTANTS = 4
"""The most important ones: six pairs."""


def contours(subject: Subject, ordered: Sequence[str]) -> dict[str, Figure]:
    """Return a figure for each pair of the first of the ``ordered`` constants."""
    if len(subject.finished) < 3:
        return {}
    found = {}
    for one, other in itertools.combinations(ordered[:MAX_CONSTANTS], 2):
        figure = _contour(subject, one, other)
        if figure is not None:
            found[f"{one} and {other}"] = figure
    return found


def _contour(subject: Subject, one: str, other: str) -> Figure | None:
    both = [each for each in subject.finished if one in each.values and other in each.values]
    study = subject.study(_spread(both, subject), [one, other])
    points = {tuple(trial.params.values()) for trial in study.trials if len(trial.params) == 2}
    if any(len(set(values)) < 2 for values in zip(*points, strict=True)) or len(points) < 3:
        return None
    from optuna.visualization import plot_contour

    figure = plain(plot_contour(study, params=[safe(one), safe(other)], target_name=safe(subject.objective.metric)))
    for trace in figure["data"]:
        if trace["type"] == "contour":
            bar = {"title": {"text": ""}, "thickness": 12, "outlinewidth": 0, "tickfont": {"color": MUTED}}
            trace |= {"colorscale": scale(subject.objective.mode), "reversescale": False, "colorbar": bar}
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


def _spread(trials: Sequence[Outcome], subject: Subject) -> list[Outcome]:
    """Return no more trials than a contour takes: half of them the best, the others spread evenly."""
    if len(trials) <= MAX_TRIALS:
        return list(trials)
    sign = -1 if subject.objective.mode == "max" else 1
    by_score = sorted(trials, key=lambda each: sign * each.scores[subject.place])
    half = MAX_TRIALS // 2
    best, rest = by_score[:half], by_score[half:]
    return best + [rest[number * len(rest) // half] for number in range(half)]

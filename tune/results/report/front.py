"""The trade-offs of several metrics: Optuna's plot of the Pareto front."""

from collections.abc import Sequence

from tune.results.report.plot import GOOD, STATE_COLOURS, Figure, axis, plain, safe
from tune.results.report.study import study_of
from tune.space.dimensions import Dimension
from tune.space.space import Objective
from tune.trial.outcome import Outcome


def fronts(
    finished: Sequence[Outcome], dimensions: dict[str, Dimension], objectives: Sequence[Objective]
) -> dict[str, Figure]:
    """Return a figure for each further metric beside the first."""
    if not finished:
        return {}
    from optuna.visualization import plot_pareto_front

    found = {}
    for place, other in enumerate(objectives[1:], 1):
        study = study_of(finished, dimensions, {0: objectives[0], place: other})
        figure = plain(plot_pareto_front(study))
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
        figure["layout"] = {"xaxis": axis(objectives[0].metric), "yaxis": axis(other.metric), "hovermode": "closest"}
        found[f"{safe(objectives[0].metric)} and {safe(other.metric)}"] = figure
    return found

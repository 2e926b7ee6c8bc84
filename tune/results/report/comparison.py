"""Several experiments of one metric side by side: what each came to, with which values, and how fast."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from tune.errors import ExperimentError
from tune.experiment.open import StoredExperiment
from tune.experiment.trial_result import TrialResult, is_improvement
from tune.paths import display_path
from tune.results.report.page import describe_creation, render_template, write_page
from tune.results.report.plot import DASHES, SERIES, Figure, Plot, build_axis, build_line, build_value_axis, escape_html
from tune.results.report.value_table import NO_VALUE, describe_value
from tune.space.dimensions import describe_dimension
from tune.space.space import Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHistory:
    """How far a search was after so many trials."""

    name: str
    best: TrialResult | None
    baseline: TrialResult | None
    n_trials: int
    """Trials that ended."""
    so_far: tuple[float | None, ...]
    """The best score among the first 1, 2, 3... trials that ended, by number; None until there is one."""
    spent: tuple[int, ...]
    """The epochs that those trials were trained for, all together: what it cost to come so far."""

    @property
    def n_epochs(self) -> int:
        """Epochs of all trials together."""
        return self.spent[-1] if self.spent else 0


def compare_experiments(experiments: Sequence[StoredExperiment]) -> tuple[SearchHistory, ...]:
    """Return the history of each; raise ExperimentError where they were not after the same."""
    first, *others = experiments
    for other in others:
        if other.space.objectives != first.space.objectives:
            what = f"{first.paths.name} was to {first.space.goal}, {other.paths.name} to {other.space.goal}"
            raise ExperimentError("compare", what, "Compare experiments of the same metric and mode.")
    return tuple(_build_history(each) for each in experiments)


def _build_history(experiment: StoredExperiment) -> SearchHistory:
    ended = [trial for trial in experiment.trials if trial.state in ("complete", "pruned", "failed")]
    best: float | None = None
    so_far: list[float | None] = []
    for trial in ended:
        if (
            trial.state != "failed"
            and trial.score is not None
            and is_improvement(experiment.space.mode, trial.score, best)
        ):
            best = trial.score
        so_far.append(best)
    return SearchHistory(
        name=experiment.paths.name,
        best=experiment.best,
        baseline=experiment.baseline,
        n_trials=len(ended),
        so_far=tuple(so_far),
        spent=tuple(accumulate(0 if trial.repeat_of is not None else trial.n_epochs for trial in ended)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One experiment."""

    name: str
    program: str
    folder: str
    cells: tuple[tuple[str, str], ...]
    """What it came to: ``("best", "0.967")``; the same names for all."""
    best: tuple[str, ...]
    """Its best values, in the order of all constants; ``-`` where it has none."""
    searched: tuple[str, ...]
    """Its ranges, in the same order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedExperiment:
    """Everything that stands on the page."""

    goal: str
    columns: tuple[Column, ...]
    constants: tuple[str, ...]
    """Of all experiments together."""
    plots: tuple[Plot, ...]
    made: str


def write_comparison(experiments: Sequence[StoredExperiment], path: Path) -> Path:
    """Write the page; return where it is. Raises ExperimentError where they were not after the same."""
    page = build_comparison(experiments)
    return write_page(render_template("compared.html", page, page.plots), path)


def build_comparison(experiments: Sequence[StoredExperiment]) -> ComparedExperiment:
    """Return everything that stands on the page of experiments with the same metrics."""
    histories = compare_experiments(experiments)
    constants = tuple(dict.fromkeys(name for each in experiments for name in each.space.dimensions))
    space = experiments[0].space
    return ComparedExperiment(
        goal=space.goal,
        columns=tuple(_build_column(*pair, constants) for pair in zip(experiments, histories, strict=True)),
        constants=constants,
        plots=_plot_histories(histories, space.objectives[0]),
        made=describe_creation(),
    )


def _build_column(experiment: StoredExperiment, history: SearchHistory, constants: Sequence[str]) -> Column:
    best, baseline, space = history.best, history.baseline, experiment.space
    program = experiment.snapshot.stored_program
    values = {} if best is None else best.values
    reference = None if baseline is None else baseline.final_score
    settings = space.settings
    return Column(
        name=history.name,
        program=program.name_of(program.path),
        folder=display_path(experiment.paths.folder),
        cells=(
            ("best", NO_VALUE if best is None or best.score is None else f"{best.score:.5g}"),
            ("hardcoded values", NO_VALUE if reference is None else f"{reference:.5g}"),
            ("best trial", NO_VALUE if best is None else best.version),
            ("trials that ended", str(history.n_trials)),
            ("epochs in all", str(history.n_epochs)),
            ("sampler, scheduler", f"{settings.sampler}, {settings.scheduler}"),
            ("seed", str(settings.seed)),
        ),
        best=tuple(describe_value(values[name]) if name in values else NO_VALUE for name in constants),
        searched=tuple(
            describe_dimension(space.dimensions[name]) if name in space.dimensions else NO_VALUE for name in constants
        ),
    )


def _plot_histories(histories: Sequence[SearchHistory], objective: Objective) -> tuple[Plot, ...]:
    """Return the histories over each other, by what they cost: epochs say more than trials that were stopped early."""
    scores = [score for each in histories for score in each.so_far if score is not None]
    if not scores:
        return ()
    figures = {
        "by epochs trained": _draw_histories(histories, objective, scores, by_epochs=True),
        "by trials": _draw_histories(histories, objective, scores, by_epochs=False),
    }
    return (Plot(name="histories", title="The best so far", figures=figures, height=420),)


def _draw_histories(
    histories: Sequence[SearchHistory], objective: Objective, scores: Sequence[float], *, by_epochs: bool
) -> Figure:
    data = []
    for place, each in enumerate(histories):
        style = {"shape": "hv", "width": 2.5, "dash": DASHES[place // len(SERIES) % len(DASHES)]}
        costs = each.spent if by_epochs else range(1, len(each.so_far) + 1)
        data.append(
            build_line(
                escape_html(each.name),
                [float(cost) for cost in costs],
                each.so_far,
                SERIES[place % len(SERIES)],
                line=style,
                hovertemplate="%{fullData.name}<br>%{x}: %{y:.5g}<extra></extra>",
            )
        )
    layout = {
        "xaxis": build_axis("epochs, of all trials together" if by_epochs else "trials that ended", rangemode="tozero"),
        "yaxis": build_value_axis(objective.metric, scores, objective.mode),
        "showlegend": True,
    }
    return {"data": data, "layout": layout}

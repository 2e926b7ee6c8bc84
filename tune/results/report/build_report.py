"""Make the report of an experiment from its files, and write it."""

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tune.experiment.open import StoredExperiment
from tune.experiment.records import read_record
from tune.experiment.trial_result import TrialResult, describe_hand, pareto_front, rank_trials
from tune.experiment.verdicts import find_confirmation
from tune.invocation import this_command
from tune.paths import display_path
from tune.promotion.resolve import PromotedConstant, resolve_constants
from tune.results.confirm.confirmation import describe_confirmation, read_confirmation
from tune.results.confirm.project import find_search_number
from tune.results.confirm.seed_noise import describe_gain_in_noise
from tune.results.failure_groups import build_failure_row, group_failures
from tune.results.hints.find_hints import CLEAR, find_hints_of
from tune.results.importance import Importance, is_scored, measure_importance
from tune.results.profile import (
    GPU_COLUMNS,
    describe_gpu_usage,
    read_profile,
    summarize_gpu_usage,
    time_columns,
    time_rows,
    uses_gpus,
)
from tune.results.report.constant_plots import PlotData, draw_contours, draw_fronts, draw_parallel, draw_slice
from tune.results.report.page import ImportanceRow, Page, TrialRow, describe_creation, render_page, write_page
from tune.results.report.plot import STATE_COLOURS, Figure, Plot, SearchClock, build_clock, format_duration
from tune.results.report.trial_plots import TrialSpan, draw_curves, draw_history, draw_timeline, list_runs
from tune.results.report.value_table import NO_VALUE, build_value_rows, describe_value, source_diff

LANE_PX = 34
MIN_FOR_IMPORTANCE = 20
"""Trials with a score. The best fifth of fewer is three trials or less, which lie close together by chance."""


def write_report(experiment: StoredExperiment, path: Path | None = None) -> Path:
    """Write the report into the experiment, or to ``path``; return where it is. Raises ExperimentError if it cannot."""
    return write_page(render_page(build_page(experiment)), path or experiment.paths.report)


def build_page(experiment: StoredExperiment) -> Page:
    """Return everything that stands on the page."""
    space, trials, best = experiment.space, experiment.trials, experiment.best
    program = experiment.snapshot.stored_program
    promoted = resolve_constants(space, program)
    runs = _read_runs(experiment)
    clock = build_clock((each.start, each.end) for each in runs)
    subjects = _build_plot_data(experiment, promoted)
    shares = _constant_importance(experiment)
    judged = [each.constant for each in shares]
    ordered = [*judged, *(name for name in space.dimensions if name not in judged)]
    times = read_profile(trials, experiment.paths)
    confirmation = read_confirmation(experiment)
    return Page(
        name=experiment.paths.name,
        program=program.name_of(program.path),
        goal=space.goal,
        facts=_list_facts(experiment, clock, runs),
        running=sum(each.state == "running" for each in trials),
        waiting=sum(each.state == "waiting" for each in trials),
        metric=space.metric,
        best=None if best is None or best.score is None else f"{best.score:.5g}",
        baseline=_format_score(experiment.baseline),
        gain=_describe_gain(experiment),
        confirmed=() if confirmation is None else tuple(describe_confirmation(experiment, confirmation)),
        chosen_by="best" if confirmation is None else confirmation.chosen_by,
        is_better=_is_better(experiment),
        front=_front_size(experiment),
        hints=tuple(each.sentence for each in find_hints_of(experiment)),
        rows=tuple(build_value_rows(experiment, promoted)),
        diff=source_diff(experiment, promoted),
        overview=_plot_overview(experiment, subjects, clock),
        n_for_importance=MIN_FOR_IMPORTANCE,
        shares=tuple(
            ImportanceRow(name=each.constant, percent=100 * each.share, is_clear=each.chance <= CLEAR)
            for each in shares
        ),
        constants=_plot_jointly(subjects, ordered),
        slices=_plot_slices(subjects, ordered, best),
        workers=_plot_workers(runs, clock),
        time_columns=() if times is None else time_columns(times),
        time_rows=() if times is None else tuple(time_rows(times)),
        failures=tuple(build_failure_row(group) for group in group_failures(trials, space, experiment.paths)),
        columns=(
            *(each.metric for each in space.objectives),
            *space.dimensions,
            *(GPU_COLUMNS if uses_gpus(trials) else ()),
        ),
        lines=_build_trial_rows(experiment),
        commands=experiment.commands or (f"{this_command()} --space {experiment.paths.name}.yaml",),
        space=experiment.paths.space.read_text(encoding="utf-8"),
        folder=display_path(experiment.paths.folder),
        loads=_load_example(experiment),
        next=_next_commands(experiment),
        made=describe_creation(),
    )


def _read_runs(experiment: StoredExperiment) -> list[TrialSpan]:
    records = {}
    for trial in experiment.trials:
        if trial.repeat_of is None and (record := read_record(experiment.paths.version(trial.version))) is not None:
            records[trial.number] = record
    return list_runs(experiment.trials, records, time.time())


def _constant_importance(experiment: StoredExperiment) -> tuple[Importance, ...]:
    """Return nothing where too few trials can tell."""
    n_scored = sum(map(is_scored, experiment.trials))
    return measure_importance(experiment.trials, experiment.space) if n_scored >= MIN_FOR_IMPORTANCE else ()


def _build_plot_data(experiment: StoredExperiment, promoted: Sequence[PromotedConstant]) -> list[PlotData]:
    scored = [each for each in experiment.trials if each.scores]
    return [
        PlotData(
            place=place,
            objective=objective,
            dimensions={item.key: item.dimension for item in promoted},
            hardcoded={item.key: experiment.baseline_value(item) for item in promoted},
            finished=[each for each in scored if each.state == "complete"],
            stopped=[each for each in scored if each.state == "pruned" and len(each.scores) > place],
        )
        for place, objective in enumerate(experiment.space.objectives)
    ]


def _list_facts(
    experiment: StoredExperiment, clock: SearchClock, runs: Sequence[TrialSpan]
) -> tuple[tuple[str, str], ...]:
    trials, best = experiment.trials, experiment.best
    counts = [(state, sum(each.state == state for each in trials)) for state in STATE_COLOURS]
    facts = [("trials", f"{len(trials)}: " + ", ".join(f"{count} {state}" for state, count in counts if count))]
    if runs:
        began = datetime.fromtimestamp(runs[0].start).astimezone()
        facts.append(("searched for", format_duration(clock.total_s)))
        facts.append(("began", f"{began:%d %b %Y, %H:%M}"))
    if (baseline := _format_score(experiment.baseline)) is not None:
        facts.append(("hardcoded values", baseline))
    if best is not None:
        facts.append(("best trial", f"{best.version}, {best.score_origin.removeprefix('in ')}"))
    if (front := _front_size(experiment)) is not None:
        facts.append(("Pareto front", f"{front} trial{'s' if front != 1 else ''}"))
    search = find_search_number(experiment)
    if search.number > 1:
        facts.append(("search of this program", f"number {search.number} in this storage"))
    if (record := find_confirmation(experiment.paths, trials)) is not None:
        facts.append(("verdict on this program", f"number {record.number} in this storage"))
    if (usage := summarize_gpu_usage(trials)) is not None:
        facts.append(("GPUs", usage))
    settings = experiment.space.settings
    facts.append(("sampler, scheduler", f"{settings.sampler}, {settings.scheduler}"))
    facts.append(("seed", str(settings.seed)))
    return tuple(facts)


def _format_score(trial: TrialResult | None) -> str | None:
    return None if trial is None or trial.final_score is None else f"{trial.final_score:.5g}"


def _is_better(experiment: StoredExperiment) -> bool:
    best = experiment.best
    return best is not None and not best.is_baseline and _format_score(experiment.baseline) is not None


def _describe_gain(experiment: StoredExperiment) -> str:
    best, baseline = experiment.best, experiment.baseline
    if best is None or best.score is None:
        return "no trial has ended" if experiment.trials else "no trial has begun"
    if baseline is None or baseline.final_score is None:
        return "the hardcoded values have no score"
    if best.is_baseline:
        return "the hardcoded values; no trial was better"
    gain = abs(best.score - baseline.final_score)
    share = f" ({gain / abs(baseline.final_score):.1%})" if baseline.final_score else ""
    return f"better than the hardcoded values by {gain:.5g}{share}{describe_gain_in_noise(experiment, gain)}"


def _front_size(experiment: StoredExperiment) -> int | None:
    if not experiment.space.others:
        return None
    return len(pareto_front(experiment.trials, [each.mode for each in experiment.space.objectives]))


def _plot_overview(experiment: StoredExperiment, subjects: Sequence[PlotData], clock: SearchClock) -> tuple[Plot, ...]:
    trials, best = experiment.trials, experiment.best
    if best is None or best.score is None:
        best = None
    histories = {each.objective.metric: draw_history(trials, each.place, each.objective, clock) for each in subjects}
    lines = {each.objective.metric: draw_curves(trials, each.place, each.objective, best) for each in subjects}
    pareto = draw_fronts(subjects[0].finished, dict(subjects[0].dimensions), experiment.space.objectives)
    plots = [
        _build_plot("history", "The best so far", histories),
        _build_plot("curves", "Learning curves", lines, height=420),
        _build_plot("front", "Trade-offs", pareto),
    ]
    return tuple(plot for plot in plots if plot is not None)


def _build_plot(
    name: str,
    title: str,
    figures: "dict[str, Figure | None] | dict[str, Figure]",
    *,
    height: int = 380,
    min_width: int = 0,
    wide: bool = True,
) -> Plot | None:
    drawn = {label: figure for label, figure in figures.items() if figure is not None}
    if not drawn:
        return None
    return Plot(name=name, title=title, figures=drawn, height=height, min_width=min_width, wide=wide)


def _plot_jointly(subjects: Sequence[PlotData], ordered: Sequence[str]) -> tuple[Plot, ...]:
    lines = {each.objective.metric: draw_parallel(each, ordered) for each in subjects}
    n_axes = 1 + len(ordered)
    pairs: dict[str, Figure] = {}
    for each in subjects:
        suffix = f", {each.objective.metric}" if len(subjects) > 1 else ""
        pairs |= {f"{label}{suffix}": figure for label, figure in draw_contours(each, ordered).items()}
    plots = (
        _build_plot("parallel", "Trials that came to their end, a line each", lines, min_width=90 * min(n_axes, 11)),
        _build_plot("contours", "Two at a time", pairs, height=440),
    )
    return tuple(plot for plot in plots if plot is not None)


def _plot_slices(subjects: Sequence[PlotData], ordered: Sequence[str], best: TrialResult | None) -> tuple[Plot, ...]:
    found = []
    for number, name in enumerate(ordered):
        figures = {each.objective.metric: draw_slice(each, name, best) for each in subjects}
        plot = _build_plot(f"slice-{number}", name, figures, height=280, wide=False)
        if plot is not None:
            found.append(plot)
    return tuple(found)


def _plot_workers(runs: Sequence[TrialSpan], clock: SearchClock) -> tuple[Plot, ...]:
    figure = draw_timeline(runs, clock)
    if figure is None:
        return ()
    n_lanes = len(figure["layout"]["yaxis"]["categoryarray"])
    plot = _build_plot("timeline", "Which trial ran when", {"": figure}, height=110 + LANE_PX * n_lanes)
    assert plot is not None
    return (plot,)


def _build_trial_rows(experiment: StoredExperiment) -> tuple[TrialRow, ...]:
    """Return every trial: those with a score first, the best at the top."""
    scored = rank_trials(experiment.trials, experiment.space.mode)
    numbers = {each.number for each in scored}
    rest = [each for each in experiment.trials if each.number not in numbers]
    n_metrics = len(experiment.space.objectives)
    best = experiment.best
    has_gpus = uses_gpus(experiment.trials)
    return tuple(
        TrialRow(
            number=each.number,
            state=each.state,
            scores=tuple(f"{score:.5g}" for score in each.scores) or (NO_VALUE,) * n_metrics,
            epochs=NO_VALUE if each.best_epoch is None else f"{each.best_epoch} of {each.n_epochs}",
            values=(
                *(
                    describe_value(each.values[name]) if name in each.values else NO_VALUE
                    for name in experiment.space.dimensions
                ),
                *(describe_gpu_usage(each) if has_gpus else ()),
            ),
            version=each.version,
            proposed=describe_hand(each),
            note="best" if best is not None and each.number == best.number else "hardcoded" if each.is_baseline else "",
        )
        for each in (*scored, *rest)
    )


def _load_example(experiment: StoredExperiment) -> str:
    if experiment.best is None:
        return ""
    return f'from tune import load\n\nmodel = load("{display_path(experiment.paths.folder)}")'


def _next_commands(experiment: StoredExperiment) -> tuple[str, ...]:
    name, best = experiment.paths.cli_argument, experiment.best
    if best is None:
        return ()
    if best.is_baseline:
        return (f"{this_command()} resume {name} --trials +{len(experiment.trials)}",)
    return f"{this_command()} retrain {name} --seeds 5", f"{this_command()} apply {name}"

"""Plots of trials: optimization history, learning curves, timeline.

Optimization history: what each trial was worth, and the best so far, over the time that the search took.

The axis holds the trials that came to their end. Those that were stopped early may lie outside: after one epoch of ten
they are far away, and would press all others into one line.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tune.experiment.records import TrialRecord
from tune.experiment.trial_result import State, TrialResult, is_improvement
from tune.results.report.plot import (
    GOOD,
    INK,
    MUTED,
    STATE_COLOURS,
    Figure,
    SearchClock,
    build_axis,
    build_line,
    build_value_axis,
    draw_pause_lines,
    escape_html,
    format_duration,
)
from tune.space.space import Objective

SHOWN: tuple[State, ...] = ("complete", "pruned")


def draw_history(trials: Sequence[TrialResult], place: int, objective: Objective, clock: SearchClock) -> Figure | None:
    """Return the figure of one metric, the ``place``-th; None where no trial has ended with a score."""
    ended = [each for each in trials if each.state in SHOWN and each.ended is not None and each.scores]
    ended.sort(key=lambda each: each.ended or 0.0)
    if not ended:
        return None
    unit, unit_name = clock.time_unit
    data: list[object] = []
    for state in SHOWN:
        group = [each for each in ended if each.state == state]
        if group:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": state,
                    "x": [clock.elapsed_at(each.ended or 0.0) / unit for each in group],
                    "y": [each.scores[place] for each in group],
                    "text": [escape_html(each.version) for each in group],
                    "hovertemplate": "%{text}<br>%{y:.5g}<extra></extra>",
                    "marker": {"color": STATE_COLOURS[state], "size": 7 if state == "complete" else 5},
                }
            )
    data.append(_draw_best_so_far(ended, place, objective, clock))
    shown = [each.scores[place] for each in trials if each.is_baseline and each.final_score is not None]
    complete = [each.scores[place] for each in ended if each.state == "complete"]
    values = complete if len(complete) > 1 else [each.scores[place] for each in ended]
    layout = {
        "xaxis": build_axis(f"{unit_name} of searching", rangemode="tozero"),
        "yaxis": build_value_axis(objective.metric, values, objective.mode, shown),
        "shapes": [*_draw_baseline(shown), *draw_pause_lines(clock)],
        "annotations": _label_baseline(shown),
    }
    return {"data": data, "layout": layout}


def _draw_best_so_far(ended: Sequence[TrialResult], place: int, objective: Objective, clock: SearchClock) -> object:
    unit, _ = clock.time_unit
    x: list[float | None] = []
    y: list[float | None] = []
    best: float | None = None
    for each in ended:
        if is_improvement(objective.mode, each.scores[place], best):
            best = each.scores[place]
            x.append(clock.elapsed_at(each.ended or 0.0) / unit)
            y.append(best)
    x.append(clock.total_s / unit)
    y.append(best)
    return build_line("best so far", x, y, GOOD, line={"shape": "hv", "width": 2.5}, hoverinfo="skip")


def _draw_baseline(values: Sequence[float]) -> list[object]:
    line = {"color": MUTED, "width": 1.5, "dash": "dash"}
    return [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value, "line": line} for value in values
    ]


def _label_baseline(values: Sequence[float]) -> list[object]:
    place = {"xref": "paper", "x": 1, "xanchor": "right", "yanchor": "bottom", "showarrow": False}
    return [{**place, "y": value, "text": "hardcoded values", "font": {"color": MUTED}} for value in values]


ORDER: tuple[State, ...] = ("pruned", "failed", "waiting", "complete", "running")
"""The last ones are drawn above the first."""
MAX_POINTS = 30_000
"""Of all curves: more makes a browser slow. Longer curves are thinned out."""
MANY = 100
"""Curves of one colour: each gets fainter, so that it shows where most of them are."""
MAX_TICKS = 12
"""Epochs that get a tick each; plotly.js would write halves of them."""


def draw_curves(
    trials: Sequence[TrialResult], place: int, objective: Objective, best: TrialResult | None
) -> Figure | None:
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
                _draw_curve_group(
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
        data.append(_draw_curve_group(name, [each], place, n_points, GOOD if is_best else INK, width=3, dash=dash))
    values = [value for each in drawn for _, value in _thin_out_points(each, place, n_points)]
    shown = [value for each in special.values() for value in each.scores[place : place + 1]]
    n_epochs = max(epoch for each in drawn for epoch in each.curve)
    layout = {
        "xaxis": build_axis("epoch", **({"dtick": 1} if n_epochs <= MAX_TICKS else {})),
        "yaxis": build_value_axis(objective.metric, values, objective.mode, shown),
        "hovermode": "closest",
    }
    return {"data": data, "layout": layout}


def _draw_curve_group(
    name: str,
    group: Sequence[TrialResult],
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
        points = list(_thin_out_points(each, place, n_points))
        x += [*(epoch for epoch, _ in points), None]
        y += [*(value if math.isfinite(value) else None for _, value in points), None]
        numbers += [*(each.number for _ in points), None]
    lonely = all(len(each.curve) == 1 for each in group)
    return build_line(
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


def _thin_out_points(trial: TrialResult, place: int, n_points: int) -> Iterator[tuple[int, float]]:
    """Yield epochs and values, evenly thinned out to ``n_points``; first, last and best epoch are among them."""
    epochs = sorted(trial.measures)
    step = max(1, math.ceil(len(epochs) / n_points))
    kept = {*epochs[::step], epochs[-1], trial.best_epoch}
    for epoch in epochs:
        if epoch in kept and place < len(trial.measures[epoch]):
            yield epoch, trial.measures[epoch][place]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSpan:
    """A trial on a worker."""

    trial: TrialResult
    worker: str
    """``host:pid``."""
    devices: str = ""
    """The GPUs that it had, as CUDA_VISIBLE_DEVICES names them; empty on the CPU."""
    start: float
    """Seconds since the epoch."""
    end: float
    """Seconds since the epoch; of a trial that runs, now."""


def list_runs(trials: Sequence[TrialResult], records: Mapping[int, TrialRecord], now: float) -> list[TrialSpan]:
    """Return when trials ran, by the records of their versions; a trial that went on counts from its last start."""
    found = []
    for trial in trials:
        record = records.get(trial.number)
        if record is None or trial.repeat_of is not None:
            continue
        ended = record.ended or trial.ended or (now if trial.state == "running" else record.started)
        worker = record.worker or f"{record.host}:{record.pid}"
        end = max(record.started, ended)
        found.append(TrialSpan(trial=trial, worker=worker, devices=record.devices or "", start=record.started, end=end))
    return sorted(found, key=lambda each: each.start)


def assign_lanes(runs: Sequence[TrialSpan]) -> dict[str, int]:
    """Return a lane for each worker, from 0; one that begins when another of its host has ended takes its lane."""
    last_seen = {each.worker: each.end for each in runs}
    for each in runs:
        last_seen[each.worker] = max(last_seen[each.worker], each.end)
    lane_of: dict[str, int] = {}
    holders: list[str] = []
    for each in runs:
        if each.worker in lane_of:
            continue
        host = each.worker.rpartition(":")[0]
        free = (
            lane
            for lane, worker in enumerate(holders)
            if worker.rpartition(":")[0] == host and last_seen[worker] <= each.start
        )
        lane = next(free, len(holders))
        holders[lane : lane + 1] = [each.worker]
        lane_of[each.worker] = lane
    return lane_of


def draw_timeline(runs: Sequence[TrialSpan], clock: SearchClock) -> Figure | None:
    """Return the figure; None where no trial is known to have run."""
    if not runs:
        return None
    lane_of = assign_lanes(runs)
    hosts = {worker.rpartition(":")[0] for worker in lane_of}
    names = name_lanes(runs, lane_of, several_hosts=len(hosts) > 1)
    unit, unit_name = clock.time_unit
    data = []
    for state, colour in STATE_COLOURS.items():
        group = [each for each in runs if each.trial.state == state]
        if not group:
            continue
        starts = [clock.elapsed_at(each.start) for each in group]
        lengths = [clock.elapsed_at(each.end) - start for each, start in zip(group, starts, strict=True)]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": state,
                "y": [names[lane_of[each.worker]] for each in group],
                "base": [start / unit for start in starts],
                "x": [length / unit for length in lengths],
                "text": [
                    f"{escape_html(each.trial.version)}<br>{format_duration(length)} on {escape_html(each.worker)}"
                    for each, length in zip(group, lengths, strict=True)
                ],
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
                "marker": {"color": colour, "line": {"color": "var(--card)", "width": 1}},
            }
        )
    layout = {
        "barmode": "overlay",
        "bargap": 0.25,
        "xaxis": build_axis(f"{unit_name} of searching", rangemode="tozero"),
        "yaxis": {
            "automargin": True,
            "autorange": "reversed",
            "categoryorder": "array",
            "categoryarray": list(dict.fromkeys(names[lane] for lane in sorted(names))),
        },
        "shapes": draw_pause_lines(clock),
    }
    return {"data": data, "layout": layout}


def name_lanes(runs: Sequence[TrialSpan], lane_of: Mapping[str, int], *, several_hosts: bool) -> dict[int, str]:
    """Return a name for each lane: its GPU's, where all that ran there had the same one, else a worker's number."""
    devices: dict[int, set[str]] = {}
    for each in runs:
        devices.setdefault(lane_of[each.worker], set()).add(each.devices)
    hosts = {lane: escape_html(worker.rpartition(":")[0]) for worker, lane in lane_of.items()}
    names: dict[int, str] = {}
    for lane, host in sorted(hosts.items()):
        (device, *others) = devices[lane]
        if not device or others:
            names[lane] = f"{host} {lane + 1}" if several_hosts else f"worker {lane + 1}"
            continue
        name = f"{host} GPU {escape_html(device)}" if several_hosts else f"GPU {escape_html(device)}"
        n_before = sum(known.partition(", place")[0] == name for known in names.values())
        names[lane] = f"{name}, place {n_before + 1}" if n_before else name
    return names

"""Timeline: which trial each worker ran when, and where workers were idle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tune.results.report.clock import Clock, pause_lines, spoken
from tune.results.report.plot import STATE_COLOURS, Figure, axis, safe
from tune.trial.outcome import Outcome
from tune.trial.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A trial on a worker."""

    trial: Outcome
    worker: str
    """``host:pid``."""
    devices: str = ""
    """The GPUs that it had, as CUDA_VISIBLE_DEVICES names them; empty on the CPU."""
    start: float
    """Seconds since the epoch."""
    end: float
    """Seconds since the epoch; of a trial that runs, now."""


def runs_of(trials: Sequence[Outcome], records: Mapping[int, Record], now: float) -> list[Ran]:
    """Return when trials ran, by the records of their versions; a trial that went on counts from its last start."""
    found = []
    for trial in trials:
        record = records.get(trial.number)
        if record is None or trial.repeat_of is not None:
            continue
        ended = record.ended or trial.ended or (now if trial.state == "running" else record.started)
        worker = record.worker or f"{record.host}:{record.pid}"
        end = max(record.started, ended)
        found.append(Ran(trial=trial, worker=worker, devices=record.devices or "", start=record.started, end=end))
    return sorted(found, key=lambda each: each.start)


def lanes(runs: Sequence[Ran]) -> dict[str, int]:
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


def timeline(runs: Sequence[Ran], clock: Clock) -> Figure | None:
    """Return the figure; None where no trial is known to have run."""
    if not runs:
        return None
    lane_of = lanes(runs)
    hosts = {worker.rpartition(":")[0] for worker in lane_of}
    names = name_lanes(runs, lane_of, several_hosts=len(hosts) > 1)
    unit, unit_name = clock.unit
    data = []
    for state, colour in STATE_COLOURS.items():
        group = [each for each in runs if each.trial.state == state]
        if not group:
            continue
        starts = [clock.at(each.start) for each in group]
        lengths = [clock.at(each.end) - start for each, start in zip(group, starts, strict=True)]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": state,
                "y": [names[lane_of[each.worker]] for each in group],
                "base": [start / unit for start in starts],
                "x": [length / unit for length in lengths],
                "text": [
                    f"{safe(each.trial.version)}<br>{spoken(length)} on {safe(each.worker)}"
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
        "xaxis": axis(f"{unit_name} of searching", rangemode="tozero"),
        "yaxis": {
            "automargin": True,
            "autorange": "reversed",
            "categoryorder": "array",
            "categoryarray": list(dict.fromkeys(names[lane] for lane in sorted(names))),
        },
        "shapes": pause_lines(clock),
    }
    return {"data": data, "layout": layout}


def name_lanes(runs: Sequence[Ran], lane_of: Mapping[str, int], *, several_hosts: bool) -> dict[int, str]:
    """Return a name for each lane: its GPU's, where all that ran there had the same one, else a worker's number."""
    devices: dict[int, set[str]] = {}
    for each in runs:
        devices.setdefault(lane_of[each.worker], set()).add(each.devices)
    hosts = {lane: safe(worker.rpartition(":")[0]) for worker, lane in lane_of.items()}
    names: dict[int, str] = {}
    for lane, host in sorted(hosts.items()):
        (device, *others) = devices[lane]
        if not device or others:
            names[lane] = f"{host} {lane + 1}" if several_hosts else f"worker {lane + 1}"
            continue
        name = f"{host} GPU {safe(device)}" if several_hosts else f"GPU {safe(device)}"
        n_before = sum(known.partition(", place")[0] == name for known in names.values())
        names[lane] = f"{name}, place {n_before + 1}" if n_before else name
    return names

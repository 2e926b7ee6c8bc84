"""Where the time of a search went, by worker, from what its trials recorded; and the same as a table."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tune.experiment.records import IDLE, PARTS, START, Lap, read_record
from tune.experiment.trial_result import TrialResult
from tune.paths import ExperimentPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Seconds by part, of each worker; one that replaced an actor that died goes on with its row of parts."""

    workers: tuple[dict[str, float], ...]
    n_trials: int
    """Trials that recorded where their time went."""

    @property
    def total_seconds(self) -> dict[str, float]:
        """Return the seconds of all workers together, in the order of a trial's parts; those that took time alone."""
        total = {part: sum(worker.get(part, 0.0) for worker in self.workers) for part in PARTS}
        return {part: seconds for part, seconds in total.items() if seconds > 0}

    @property
    def wall_s(self) -> tuple[float, ...]:
        """Return the seconds of each worker, from the command's beginning to the end of the last trial."""
        return tuple(sum(worker.values()) for worker in self.workers)


def read_profile(trials: Sequence[TrialResult], paths: ExperimentPaths) -> Breakdown | None:
    """Return the breakdown of an experiment; None where it was not profiled."""
    records = (read_record(paths.version(each.version)) for each in trials if each.repeat_of is None)
    laps = [record.laps for record in records if record is not None and record.laps]
    return sum_laps(lap for each in laps for lap in each) if laps else None


def sum_laps(laps: Iterable[Lap]) -> Breakdown:
    """Add up laps: those of one actor follow each other without a gap."""
    sessions: dict[float, list[Lap]] = defaultdict(list)
    for lap in laps:
        sessions[lap.session].append(lap)
    workers: list[dict[str, float]] = []
    for began, its_laps in sorted(sessions.items()):
        for place, lane in enumerate(_assign_lanes(its_laps)):
            workers[place : place + 1] = [
                _add_seconds(workers[place : place + 1], _sum_parts(lane, began, _last_end(its_laps)))
            ]
    return Breakdown(workers=tuple(workers), n_trials=sum(map(len, sessions.values())))


def _last_end(laps: Iterable[Lap]) -> float:
    return max(lap.ended for lap in laps)


def _assign_lanes(laps: Sequence[Lap]) -> list[list[list[Lap]]]:
    """Return for each worker the actors that it was, one after the other, and the laps of each."""
    processes: dict[str, list[Lap]] = defaultdict(list)
    for lap in sorted(laps, key=lambda lap: lap.began):
        processes[lap.worker].append(lap)
    lanes: list[list[list[Lap]]] = []
    for process in processes.values():
        free = (lane for lane in lanes if _last_end(lane[-1]) <= process[0].began)
        lane = next(free, None)
        if lane is None:
            lanes.append([process])
        else:
            lane.append(process)
    return lanes


def _sum_parts(lane: Sequence[Sequence[Lap]], began: float, ended: float) -> dict[str, float]:
    """Return a worker's seconds in one session: what its laps say, and what lies around them."""
    parts: dict[str, float] = defaultdict(float)
    free_since = began
    for process in lane:
        parts[START] += max(0.0, process[0].began - free_since)
        for lap in process:
            for part, seconds in lap.parts.items():
                parts[part] += seconds
        free_since = _last_end(process)
    parts[IDLE] += max(0.0, ended - free_since)
    return dict(parts)


def _add_seconds(before: Sequence[dict[str, float]], parts: dict[str, float]) -> dict[str, float]:
    total = dict(before[0]) if before else {}
    for part, seconds in parts.items():
        total[part] = total.get(part, 0.0) + seconds
    return total


MOST_WORKERS = 8
"""Columns: with more workers only their sum is shown."""


def time_columns(found: Breakdown) -> tuple[str, ...]:
    """Return the heads of the columns."""
    several = 1 < len(found.workers) <= MOST_WORKERS
    names = (f"worker {place}" for place, _ in enumerate(found.workers, 1)) if several else ()
    return ("time, s", "share", "all", *names, "what it is")


def time_rows(found: Breakdown) -> list[tuple[str, ...]]:
    """Return a row for each part, and the whole."""
    whole = sum(found.wall_s)
    rows = [
        (
            part,
            f"{seconds / whole:.1%}",
            *_format_seconds(seconds, [each.get(part, 0.0) for each in found.workers]),
            what,
        )
        for part, what in PARTS.items()
        if (seconds := found.total_seconds.get(part)) is not None
    ]
    return [
        *rows,
        ("whole", "100.0%", *_format_seconds(whole, found.wall_s), "from the command to the last trial's end"),
    ]


def _format_seconds(total: float, of_workers: Sequence[float]) -> tuple[str, ...]:
    several = 1 < len(of_workers) <= MOST_WORKERS
    return (f"{total:.2f}", *((f"{seconds:.2f}" for seconds in of_workers) if several else ()))

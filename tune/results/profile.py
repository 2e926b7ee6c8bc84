"""Where the time of trials went, and what they used of their GPUs: for the tables, for machines, and in the report."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tune.experiment.gpu_records import GpuUsage
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
            before = workers[place : place + 1]
            parts = _sum_parts(lane, began, _last_end(its_laps))
            total = dict(before[0]) if before else {}
            for part, seconds in parts.items():
                total[part] = total.get(part, 0.0) + seconds
            workers[place : place + 1] = [total]
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


GIB = 2**30
UNKNOWN = "-"
GPU_COLUMNS = ("GPU GiB", "GPU busy")
"""The heads of two columns: the most memory that torch reserved, and how busy the GPU was meanwhile."""


def uses_gpus(trials: Sequence[TrialResult]) -> bool:
    """Tell whether something is known of what a trial used of a GPU."""
    return any(_is_known(trial.gpu) for trial in trials)


def describe_gpu_usage(trial: TrialResult) -> tuple[str, str]:
    """Return the cells of the two columns."""
    usage = trial.gpu
    if usage is None:
        return UNKNOWN, UNKNOWN
    memory = f"{usage.peak_bytes / GIB:.2f}" if usage.peak_bytes else UNKNOWN
    return memory, UNKNOWN if usage.utilization is None else f"{usage.utilization:.0%}"


def summarize_gpu_usage(trials: Sequence[TrialResult]) -> str | None:
    """Return what all trials used, ``busy 23% of the time, at most 22.90 of 24.00 GiB``; None where that is unknown."""
    known = [trial.gpu for trial in trials if trial.gpu is not None and _is_known(trial.gpu)]
    busy = mean_utilization(trials)
    most = max(known, key=lambda each: each.peak_bytes, default=None)
    parts = [] if busy is None else [f"busy {busy:.0%} of the time"]
    if most is not None and most.peak_bytes:
        total = f" of {most.total_bytes / GIB:.2f}" if most.total_bytes else ""
        parts.append(f"at most {most.peak_bytes / GIB:.2f}{total} GiB")
    return ", ".join(parts) or None


def mean_utilization(trials: Sequence[TrialResult]) -> float | None:
    """Return the mean over trials of how busy their GPUs were, 0 to 1; None where it is known of none."""
    busy = [trial.gpu.utilization for trial in trials if trial.gpu is not None and trial.gpu.utilization is not None]
    return sum(busy) / len(busy) if busy else None


def gpu_usage_object(trial: TrialResult) -> dict[str, Any]:
    """Return what JSON says of a trial's GPU, under ``gpu``; nothing of a trial on the CPU."""
    return {} if trial.gpu is None else {"gpu": {**asdict(trial.gpu), "outgrown_shares": list(trial.outgrown_shares)}}


def _is_known(usage: GpuUsage | None) -> bool:
    return usage is not None and (usage.utilization is not None or usage.peak_bytes > 0)

"""What trials used of their GPUs, in words and figures: for the tables, for machines, and in the report."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tune.experiment.gpu_records import GpuUsage
from tune.experiment.trial_result import TrialResult

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

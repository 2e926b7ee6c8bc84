"""What trials take of GPUs, as ``trial.json`` holds it: what a pre-flight measured, and what each trial used."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tune.space.dimensions import is_number

CONTEXT_BYTES = 512 * 2**20
"""What CUDA itself keeps in each process, beside what torch counts; about that on the GPUs of the last years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFootprint:
    """What one configuration took in a batch or two of training and validation."""

    what: str
    """The configuration, in words."""
    peak_bytes: int
    """The most that torch had reserved."""
    failure: str | None = None
    """Why it did not come through; None: it did."""
    overflows: bool = False
    """Whether it failed for want of memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuMemoryReport:
    """What was measured on one GPU."""

    total_bytes: int
    """All that it has; 0 where nobody can tell."""
    free_bytes: int
    """What other programs had left of it."""
    context_bytes: int
    """What CUDA itself took, at least CONTEXT_BYTES."""
    footprints: tuple[MemoryFootprint, ...]
    """The hardcoded values first."""
    utilization: float | None = None
    """The part of the time, 0 to 1, in which the hardcoded values kept the GPU busy; None where nobody can tell."""

    def as_json(self) -> dict[str, Any]:
        """Return what ``read_gpu_memory`` reads."""
        return asdict(self)


def read_gpu_memory(data: Mapping[str, Any]) -> GpuMemoryReport | None:
    """Return the report that a record holds; None where it holds none, or what we did not write."""
    try:
        footprints = tuple(MemoryFootprint(**each) for each in data["footprints"])
        found = GpuMemoryReport(**{**data, "footprints": footprints})
    except (KeyError, TypeError):
        return None
    numbers = (found.total_bytes, found.free_bytes, found.context_bytes, *(each.peak_bytes for each in footprints))
    is_ours = footprints and all(map(is_number, numbers)) and all(isinstance(each.what, str) for each in footprints)
    return found if is_ours and (found.utilization is None or is_number(found.utilization)) else None


def read_context_bytes(data: Mapping[str, Any]) -> int:
    """Return what CUDA itself keeps in each process, as a record's report says; what is usual where it holds none."""
    found = read_gpu_memory(data)
    return CONTEXT_BYTES if found is None else found.context_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuUsage:
    """What a trial used of its GPU; of several that of which it took the most memory."""

    uuid: str = ""
    """``GPU-5ebe...``; empty where NVML does not tell."""
    name: str = ""
    """``NVIDIA H200``; likewise."""
    total_bytes: int = 0
    """Of the GPU's memory; 0 where that is not known."""
    peak_bytes: int = 0
    """The most that torch had reserved."""
    taken_bytes: int = 0
    """Of its memory, what other processes had as the trial ended: programs of others, and trials that share the GPU.

    0 where that is not known, and for a trial on several GPUs.
    """
    utilization: float | None = None
    """The part of the time, 0 to 1, in which the GPU was busy while the trial ran, with all that share it.

    The mean of several GPUs; None where nobody can tell.
    """


def read_gpu_usage(data: Mapping[str, Any] | None) -> GpuUsage | None:
    """Return the usage that a record holds; None where it holds none, or what we did not write."""
    try:
        found = GpuUsage(**data) if data else None
    except TypeError:
        return None
    if found is None:
        return None
    utilization = 0.0 if found.utilization is None else found.utilization
    numbers = (found.total_bytes, found.peak_bytes, found.taken_bytes, utilization)
    is_ours = isinstance(found.uuid, str) and isinstance(found.name, str) and all(map(is_number, numbers))
    return found if is_ours else None

"""What a trial's process reads of its GPU: how much memory there is, what it took of it, and how busy the GPU is."""

import contextlib
import os
from dataclasses import dataclass
from typing import Any

import torch

from tune.experiment.gpu_records import CONTEXT_BYTES
from tune.nvml import VISIBLE, slice_handles


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuReading:
    """What a process read of its GPU as a training in it ended."""

    total_bytes: int
    """In all; 0 where nobody can tell."""
    free_bytes: int
    """Before the training."""
    peak_bytes: int
    """The most that the training took."""
    context_bytes: int
    """What CUDA itself took."""
    utilization: float | None
    """The part of the time in which the GPU was busy; None where that was not measured."""


class GpuReader:
    """The GPU that Ray gave to this process: the first that it may see. It is made before the process uses it."""

    def __init__(self) -> None:
        found = _query_nvml_memory()
        if found is None and torch.cuda.is_available():
            free, total = torch.cuda.mem_get_info()
            found = int(total), int(free)
        self.total_bytes, self.free_bytes = found or (0, 0)
        """In all, and free ones before this process took any; 0 where nobody can tell."""

    def read_all(self, utilization: float | None) -> GpuReading:
        """Return what a training took that has ended, and how busy it kept the GPU, as that was measured."""
        return GpuReading(
            total_bytes=self.total_bytes,
            free_bytes=self.free_bytes,
            peak_bytes=self.read_peak(),
            context_bytes=self.read_context_bytes(),
            utilization=utilization,
        )

    def read_peak(self) -> int:
        """Return the most bytes that torch's allocator had in all; what it held in pieces counts, for it would again.

        Of a program that does not use CUDA by torch: what the GPU gave out since the start.
        """
        if _uses_cuda():
            return int(torch.cuda.max_memory_reserved())
        return self._read_growth()

    def read_context_bytes(self) -> int:
        """Return the bytes that this process holds beside what torch counts; others may take some meanwhile."""
        if not _uses_cuda():
            return CONTEXT_BYTES
        return max(CONTEXT_BYTES, self._read_growth() - int(torch.cuda.memory_reserved()))

    def _read_growth(self) -> int:
        found = _query_nvml_memory()
        return 0 if found is None else max(0, self.free_bytes - found[1])


def _uses_cuda() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def read_utilization() -> float | None:
    """Return the part of the last moments, a second at most, in which the GPU was busy; None where NVML cannot tell."""
    import pynvml

    with contextlib.suppress(pynvml.NVMLError, ValueError):
        pynvml.nvmlInit()
        try:
            return float(pynvml.nvmlDeviceGetUtilizationRates(_find_nvml_handle(pynvml)).gpu) / 100
        finally:
            pynvml.nvmlShutdown()
    return None


def _query_nvml_memory() -> tuple[int, int] | None:
    """Return the GPU's bytes in all, and those that are free; None where NVML does not tell."""
    import pynvml

    with contextlib.suppress(pynvml.NVMLError, ValueError):
        pynvml.nvmlInit()
        try:
            found = pynvml.nvmlDeviceGetMemoryInfo(_find_nvml_handle(pynvml))
            return int(found.total), int(found.free)
        finally:
            pynvml.nvmlShutdown()
    return None


def _find_nvml_handle(pynvml: Any) -> Any:
    """Return NVML's handle of the first GPU that this process may see; NVML counts all, whatever is visible.

    Of a sliced one that is its first slice: the GPU's own memory is that of all.
    """
    first = os.environ.get(VISIBLE, "0").split(",")[0].strip()
    if first.isdecimal():
        handle = pynvml.nvmlDeviceGetHandleByIndex(int(first))
        return (slice_handles(handle) or [handle])[0]
    return pynvml.nvmlDeviceGetHandleByUUID(first)

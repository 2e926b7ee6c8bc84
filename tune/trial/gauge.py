"""Reads a GPU's memory: what torch reserved of it at most, and what it gave out to whom."""

import contextlib
import os
from typing import Any, Protocol

import torch

from tune.trial.footprint import CONTEXT_BYTES
from tune.trial.nvml import VISIBLE, slice_handles


class Gauge(Protocol):
    """What is asked of a GPU."""

    def before(self) -> tuple[int, int]:
        """Return its bytes in all, and those that are free; nothing of this process is on it yet."""

    def reset(self) -> None:
        """Begin a measurement."""

    def peak(self) -> int:
        """Return the most bytes that torch had reserved since."""

    def context(self) -> int:
        """Return the bytes that this process holds beside what torch counts."""


class CudaGauge:
    """The GPU that Ray gave to this process: the first that it may see."""

    def __init__(self) -> None:
        self._used_before = 0

    def before(self) -> tuple[int, int]:
        """Return bytes in all and free ones, from NVML, which makes no context; else from CUDA, which does."""
        found = _memory()
        total, free = found if found is not None else _of_cuda()
        self._used_before = total - free
        return total, free

    def reset(self) -> None:
        """Begin with nothing kept from before; raise RuntimeError where there is no GPU."""
        torch.cuda.init()  # type: ignore[no-untyped-call] # before it torch has no statistics to reset
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def peak(self) -> int:
        """Return what the allocator had in all; what it held in pieces counts, for it would again."""
        return int(torch.cuda.max_memory_reserved())

    def context(self) -> int:
        """Return what the GPU gave out since the start, without what torch holds; others may take some meanwhile."""
        found = _memory()
        if found is None:
            return CONTEXT_BYTES
        total, free = found
        return max(CONTEXT_BYTES, total - free - self._used_before - int(torch.cuda.memory_reserved()))


def _of_cuda() -> tuple[int, int]:
    free, total = torch.cuda.mem_get_info()
    return int(total), int(free)


def _memory() -> tuple[int, int] | None:
    """Return the GPU's bytes in all, and those that are free; None where NVML does not tell."""
    import pynvml

    with contextlib.suppress(pynvml.NVMLError, ValueError):
        pynvml.nvmlInit()
        try:
            found = pynvml.nvmlDeviceGetMemoryInfo(_handle(pynvml))
            return int(found.total), int(found.free)
        finally:
            pynvml.nvmlShutdown()
    return None


def _handle(pynvml: Any) -> Any:
    """Return NVML's handle of the first GPU that this process may see; NVML counts all, whatever is visible.

    Of a sliced one that is its first slice: the GPU's own memory is that of all.
    """
    first = os.environ.get(VISIBLE, "0").split(",")[0].strip()
    if first.isdecimal():
        handle = pynvml.nvmlDeviceGetHandleByIndex(int(first))
        return (slice_handles(handle) or [handle])[0]
    return pynvml.nvmlDeviceGetHandleByUUID(first)

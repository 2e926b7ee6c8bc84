"""The GPUs of a trial: those that it keeps, what it may take of their memory, and what it took.

A trial keeps the GPUs that it was given, whatever its program writes into CUDA_VISIBLE_DEVICES.

With ``os.environ["CUDA_VISIBLE_DEVICES"] = "0"`` in their source all trials would train on one GPU, and the others be
idle. A program that asks for no GPU (``""``, ``"-1"``) gets none.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch

from tune.internals.patch import patch_attribute
from tune.nvml import VISIBLE, slice_handles
from tune.trial.messages import CONTEXT_BYTES


class MemoryReader(Protocol):
    """What is asked of a GPU."""

    def read_total_and_free(self) -> tuple[int, int]:
        """Return its bytes in all, and those that are free; nothing of this process is on it yet."""

    def reset_peak(self) -> None:
        """Begin a measurement."""

    def read_peak(self) -> int:
        """Return the most bytes that torch had reserved since."""

    def read_context_bytes(self) -> int:
        """Return the bytes that this process holds beside what torch counts."""


class CudaMemoryReader:
    """The GPU that Ray gave to this process: the first that it may see."""

    def __init__(self) -> None:
        self._used_before = 0

    def read_total_and_free(self) -> tuple[int, int]:
        """Return bytes in all and free ones, from NVML, which makes no context; else from CUDA, which does."""
        found = _query_nvml_memory()
        total, free = found if found is not None else _query_cuda_memory()
        self._used_before = total - free
        return total, free

    def reset_peak(self) -> None:
        """Begin with nothing kept from before; raise RuntimeError where there is no GPU."""
        torch.cuda.init()  # type: ignore[no-untyped-call] # before it torch has no statistics to reset
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def read_peak(self) -> int:
        """Return what the allocator had in all; what it held in pieces counts, for it would again."""
        return int(torch.cuda.max_memory_reserved())

    def read_context_bytes(self) -> int:
        """Return what the GPU gave out since the start, without what torch holds; others may take some meanwhile."""
        found = _query_nvml_memory()
        if found is None:
            return CONTEXT_BYTES
        total, free = found
        return max(CONTEXT_BYTES, total - free - self._used_before - int(torch.cuda.memory_reserved()))


def _query_cuda_memory() -> tuple[int, int]:
    free, total = torch.cuda.mem_get_info()
    return int(total), int(free)


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


def cap_gpu_memory(share: float, context_bytes: int) -> None:
    """Let torch have a trial's share of its GPU's memory: one that wants more fails alone, and not its neighbours.

    ``context_bytes``, what CUDA itself keeps, comes out of the share: torch does not count it, and the GPU gives it out
    once a process.
    """
    if 0 < share < 1 and torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(allocator_fraction(share, total, context_bytes))


def allocator_fraction(share: float, total_bytes: int, context_bytes: int) -> float:
    """Return what torch may reserve of a GPU; of a share that is all context, half."""
    return max(share / 2, share - context_bytes / total_bytes)


VARIABLES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
NO_GPU = frozenset({"", "-1", "NoDevFiles", "none", "void"})


@contextlib.contextmanager
def keep_given_devices() -> Iterator[None]:
    """Let the variables that name this trial's GPUs stay; nothing where it was given none."""
    kept = {name for name in VARIABLES if os.environ.get(name, "") not in NO_GPU}
    environment = type(os.environ)
    with contextlib.ExitStack() as patches:
        for owner, name in (
            (environment, "__setitem__"),
            (environment, "__delitem__"),
            (os, "putenv"),
            (os, "unsetenv"),
        ):
            if kept:
                patches.enter_context(patch_attribute(owner, name, _wrap_setter(getattr(owner, name), kept)))
        yield


def _wrap_setter(before: Callable[..., None], kept: set[str]) -> Callable[..., None]:
    def replacement(*words: Any) -> None:
        name, *value = [os.fsdecode(each) for each in words if isinstance(each, str | bytes)] or [""]
        if name not in kept or (value and value[0] in NO_GPU):
            before(*words)

    return replacement

"""Whether a worker can go on after a trial that failed. Most can; a broken CUDA context is broken for good."""

import contextlib
import gc

import torch

from tune.trial.footprint import CONTEXT_BYTES
from tune.trial.room import chain_of

HOST_MEMORY = "DefaultCPUAllocator: can't allocate memory"
"""What torch says where Python would raise MemoryError."""


def allocated_bytes() -> int:
    """Return what torch holds on the GPU."""
    return torch.cuda.memory_allocated() if _has_gpu() else 0


def took_host_memory(error: BaseException) -> bool:
    """Tell whether the host's memory was out: what is left of it is in pieces."""
    return any(isinstance(each, MemoryError) or HOST_MEMORY in str(each.args) for each in chain_of(error))


def gpu_is_sound(held_before: int) -> bool:
    """Tell whether the GPU still answers, and holds no more for us than before the trial; what is free is given back.

    After a device-side assert every call raises. Out of memory alone is nothing that stays.
    """
    if not _has_gpu():
        return True
    gc.collect()
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
    except RuntimeError:
        return False
    return allocated_bytes() <= held_before


def cap_gpu_memory(share: float) -> None:
    """Let torch have a trial's share of its GPU's memory: one that wants more fails alone, and not its neighbours.

    What CUDA itself keeps comes out of the share: torch does not count it, and the GPU gives it out once a process.
    """
    if 0 < share < 1 and torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(allocator_fraction(share, total))


def allocator_fraction(share: float, total_bytes: int) -> float:
    """Return what torch may reserve of a GPU; of a share that is all context, half."""
    return max(share / 2, share - CONTEXT_BYTES / total_bytes)


def give_back_gpu_memory() -> None:
    """Hand what torch keeps for a next time to whoever shares the GPU."""
    if _has_gpu():
        with contextlib.suppress(RuntimeError):  # a device that no longer answers is told of elsewhere
            torch.cuda.empty_cache()


def _has_gpu() -> bool:
    """Tell whether the trial used one; asking makes no CUDA context."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]

"""What a trial may take of a GPU's memory."""

import torch

from tune.trial.footprint import CONTEXT_BYTES


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

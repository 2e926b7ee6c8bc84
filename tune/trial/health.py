"""What a trial may take of a GPU's memory."""

import torch


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

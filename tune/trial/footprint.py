"""What trials take of a GPU's memory: as it was measured, and nothing that would have to import torch."""

import re
from dataclasses import dataclass

MEMORY_KINDS = frozenset({"OutOfMemoryError", "MemoryError"})
MEMORY_WORDS = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|bad_alloc"
    r"|CU(BLAS|DNN)_STATUS_ALLOC_FAILED|unable to find an engine",
    re.IGNORECASE,
)
"""What is said where memory is wanting, the GPU's or the host's; cuDNN finds no engine that has room to work in."""
CONTEXT_BYTES = 512 * 2**20
"""What CUDA itself keeps in each process, beside what torch counts; about that on the GPUs of the last years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
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
class Weighed:
    """What was measured on one GPU."""

    total_bytes: int
    """All that it has."""
    free_bytes: int
    """What other programs had left of it."""
    context_bytes: int
    """What CUDA itself took, at least CONTEXT_BYTES."""
    footprints: tuple[Footprint, ...]
    """The hardcoded values first."""


def is_out_of_memory(kind: str, text: str) -> bool:
    """Return whether a failure is one of memory, by its exception's type and what it says."""
    return kind in MEMORY_KINDS or MEMORY_WORDS.search(text) is not None

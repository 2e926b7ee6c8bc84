"""Which GPUs this machine has, and which of them a search uses. NVML is asked, not CUDA, which needs torch."""

import contextlib
import os

from tune.errors import OptionError

VISIBLE = "CUDA_VISIBLE_DEVICES"
LOGICAL = "PROMOTUNE_LOGICAL_GPUS"
"""For tests of how trials are shared out: so many GPUs are given out, and none of them need be there."""


def detect_gpus() -> tuple[str, ...]:
    """Return the GPUs that this process may use, by index or as CUDA_VISIBLE_DEVICES has them."""
    logical = os.environ.get(LOGICAL, "")
    n_there = int(logical) if logical.isdecimal() else _count_gpus()
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return tuple(str(index) for index in range(n_there))
    named = (entry.strip() for entry in visible.split(","))
    return tuple(entry for entry in named if entry and _is_there(entry, n_there))


def choose_gpus(there: tuple[str, ...], wanted: tuple[int, ...] | None) -> tuple[str, ...]:
    """Return those that ``--gpu`` names, in its order; raise OptionError where one of them is not there."""
    if wanted is None:
        return there
    missing = [index for index in wanted if not 0 <= index < len(there)]
    if missing:
        have = f"GPUs 0 to {len(there) - 1}" if there else "no GPU"
        raise OptionError("--gpu", f"no such GPU, got {missing[0]}", f"This machine has {have}.")
    return tuple(there[index] for index in dict.fromkeys(wanted))


def _is_there(entry: str, n_there: int) -> bool:
    """Tell whether a GPU that is named is one of them; what is no index (``GPU-5ebe``, ``MIG-...``) is believed."""
    return n_there > 0 and entry != "-1" and (not entry.isdecimal() or int(entry) < n_there)


def _count_gpus() -> int:
    import pynvml

    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        try:
            return int(pynvml.nvmlDeviceGetCount())
        finally:
            pynvml.nvmlShutdown()
    return 0

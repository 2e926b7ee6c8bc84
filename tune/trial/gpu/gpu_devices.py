"""The GPUs of a trial: those that it keeps, and what it may take of their memory.

A trial keeps the GPUs that it was given, whatever its program writes into CUDA_VISIBLE_DEVICES.

With ``os.environ["CUDA_VISIBLE_DEVICES"] = "0"`` in their source all trials would train on one GPU, and the others be
idle. A program that asks for no GPU (``""``, ``"-1"``) gets none.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tune.internals.private_apis import patch_attribute


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

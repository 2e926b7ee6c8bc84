"""A trial keeps the GPUs that it was given, whatever its program writes into CUDA_VISIBLE_DEVICES.

With ``os.environ["CUDA_VISIBLE_DEVICES"] = "0"`` in their source all trials would train on one GPU, and the others be
idle. A program that asks for no GPU (``""``, ``"-1"``) gets none.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from tune.trial.replaced import replaced

VARIABLES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
NO_GPU = frozenset({"", "-1", "NoDevFiles", "none", "void"})


@contextlib.contextmanager
def given_devices_kept() -> Iterator[None]:
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
                patches.enter_context(replaced(owner, name, _keeping(getattr(owner, name), kept)))
        yield


def _keeping(before: Callable[..., None], kept: set[str]) -> Callable[..., None]:
    def replacement(*words: Any) -> None:
        name, *value = [os.fsdecode(each) for each in words if isinstance(each, str | bytes)] or [""]
        if name not in kept or (value and value[0] in NO_GPU):
            before(*words)

    return replacement

"""Which GPUs this machine has, and which of them a search uses."""

import os

from tune.errors import OptionError
from tune.trial.nvml import VISIBLE, Gpu, list_gpus, list_names, select_visible

LOGICAL = "PROMOTUNE_LOGICAL_GPUS"
"""For tests of how trials are shared out: so many GPUs are given out, and none of them need be there."""


def detect_gpus() -> tuple[str, ...]:
    """Return the GPUs that this process may use, by index or as CUDA_VISIBLE_DEVICES has them."""
    gpus = (Gpu(),) * int(os.environ[LOGICAL]) if are_logical() else list_gpus()
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return list_names(gpus)
    return select_visible(visible, gpus)


def are_logical() -> bool:
    """Return whether GPUs need not be there."""
    return os.environ.get(LOGICAL, "").isdecimal()


def choose_gpus(there: tuple[str, ...], wanted: tuple[int, ...] | None) -> tuple[str, ...]:
    """Return those that ``--gpu`` names, in its order; raise OptionError where one of them is not there."""
    if wanted is None:
        return there
    missing = [index for index in wanted if not 0 <= index < len(there)]
    if missing:
        raise OptionError("--gpu", f"no such GPU, got {missing[0]}", _list_places(there))
    return tuple(there[index] for index in dict.fromkeys(wanted))


def _list_places(there: tuple[str, ...]) -> str:
    """Return what ``--gpu`` may name: it counts the GPUs that CUDA_VISIBLE_DEVICES leaves to this process."""
    places = tuple(map(str, range(len(there))))
    if not there:
        return "This machine has no GPU."
    if there == places:
        return f"This machine has GPUs 0 to {places[-1]}."
    named = ", ".join(f"{place} for GPU {name}" for place, name in zip(places, there, strict=True))
    return f"Of those that this process sees write {named}."

"""Which GPUs this machine has, and which of them a search uses."""

import os
from collections import Counter
from collections.abc import Sequence

from tune.errors import OptionError
from tune.nvml import VISIBLE, Gpu, find_gpu, list_gpus, list_names, select_visible

LOGICAL = "PROMOTUNE_LOGICAL_GPUS"
"""For tests of how trials are shared out: so many GPUs are given out, and none of them need be there."""
MOST_USED = 0.9
"""Of a GPU's memory that others may have taken: one with less left fails most trials, and is left out."""
LEAST_USED_BYTES = 2**30
"""What others have taken is told from here on: a driver keeps some hundred MiB for itself."""
GIB = 2**30


def list_machine_gpus() -> tuple[Gpu, ...]:
    """Return all GPUs of this machine."""
    return (Gpu(),) * int(os.environ[LOGICAL]) if are_logical() else list_gpus()


def detect_gpus(gpus: Sequence[Gpu] | None = None) -> tuple[str, ...]:
    """Return the GPUs that this process may use, by index or as CUDA_VISIBLE_DEVICES has them.

    ``gpus``: all of this machine, where they are known already.
    """
    gpus = list_machine_gpus() if gpus is None else gpus
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return list_names(gpus)
    return select_visible(visible, gpus)


def find_unusable(names: Sequence[str], gpus: Sequence[Gpu]) -> dict[str, str]:
    """Return why a trial would fail on some of the GPUs, by name: lost, or full of what others run there."""
    found = {}
    for name in names:
        gpu = find_gpu(name, gpus)
        if gpu is None or gpu.slices is not None:
            continue
        if gpu.fault is not None:
            found[name] = gpu.fault
        elif gpu.total_bytes and gpu.used_bytes > MOST_USED * gpu.total_bytes:
            found[name] = _describe_taken(gpu)
    return found


def find_others(names: Sequence[str], gpus: Sequence[Gpu]) -> dict[str, str]:
    """Return what others have taken of some GPUs, by name, where that is a GiB or more."""
    found = {}
    for name in names:
        gpu = find_gpu(name, gpus)
        if gpu is not None and gpu.slices is None and gpu.fault is None and gpu.used_bytes >= LEAST_USED_BYTES:
            found[name] = _describe_taken(gpu)
    return found


def find_least_memory(names: Sequence[str], gpus: Sequence[Gpu]) -> tuple[int, int] | None:
    """Return the bytes of the GPU with the least that is free, all and free; None where no memory is known.

    Of a slice NVML tells where a trial measures it.
    """
    found = [find_gpu(name, gpus) for name in names]
    sizes = [(gpu.total_bytes, gpu.total_bytes - gpu.used_bytes) for gpu in found if gpu and gpu.slices is None]
    return min((each for each in sizes if each[0]), key=lambda each: each[1], default=None)


def _describe_taken(gpu: Gpu) -> str:
    users = f" ({gpu.n_processes} process{'es' if gpu.n_processes != 1 else ''})" if gpu.n_processes else ""
    return f"{round(gpu.used_bytes / GIB)} of {round(gpu.total_bytes / GIB)} GiB are taken by others{users}"


def describe_models(names: Sequence[str], gpus: Sequence[Gpu]) -> str:
    """Return the models with their memory, ``2 x NVIDIA H200 with 140 GiB``; empty where they are not known."""
    known = [gpu for name in names if (gpu := find_gpu(name, gpus)) is not None and gpu.name]
    models = Counter(f"{gpu.name} with {round(gpu.total_bytes / GIB)} GiB" for gpu in known)
    return ", ".join(f"{n} x {model}" if n > 1 else model for model, n in models.items())


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

"""What a trial gets, and how many run at a time."""

import contextlib
import math
import os
from dataclasses import dataclass

from tune.errors import OptionError
from tune.space.settings import Settings

VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The share of this machine that one trial has."""

    n_cores: int
    """Cores that this process may use."""
    gpus: tuple[str, ...]
    """The GPUs that the search may use, as CUDA_VISIBLE_DEVICES names them."""
    cpus_per_trial: float
    gpus_per_trial: float
    concurrency: int
    """Trials at a time."""

    @property
    def n_threads(self) -> int:
        """Of torch, in a trial."""
        return max(1, int(self.cpus_per_trial))

    @property
    def logical_cpus(self) -> int:
        """What Ray is told: enough for every trial that is to run at a time, even where the user asked for too many."""
        return max(self.n_cores, math.ceil(self.concurrency * self.cpus_per_trial))


def plan_resources(settings: Settings, wanted: tuple[int, ...] | None) -> Resources:
    """Divide the machine: with GPUs one a trial, without by cores; never more trials at a time than there are.

    ``wanted``: indices of the GPUs to use, None for all. Raises OptionError when there is less than was asked for.
    """
    n_cores = len(os.sched_getaffinity(0))
    gpus = _chosen(detect_gpus(), wanted)
    share = settings.gpus_per_trial if settings.gpus_per_trial is not None else float(bool(gpus))
    _check_fits(settings, share, n_cores, len(gpus))
    fitting = _gpu_slots(share, len(gpus)) if share else int(n_cores / settings.cpus_per_trial)
    return Resources(
        n_cores=n_cores,
        gpus=gpus if share else (),
        cpus_per_trial=settings.cpus_per_trial,
        gpus_per_trial=share,
        concurrency=settings.concurrency or max(1, min(fitting, settings.trials)),
    )


def _check_fits(settings: Settings, share: float, n_cores: int, n_gpus: int) -> None:
    """Raise OptionError at what this machine can never meet: Ray would wait for it for ever."""
    if share > n_gpus:
        there = f"there {'is' if n_gpus == 1 else 'are'} {n_gpus}"
        raise OptionError("gpus_per_trial", f"a trial asks for {share:g} GPUs, {there}", "Ask for fewer.")
    if settings.cpus_per_trial > n_cores:
        there = f"there {'is' if n_cores == 1 else 'are'} {n_cores}"
        what = f"a trial asks for {settings.cpus_per_trial:g} CPU cores, {there}"
        raise OptionError("cpus_per_trial", what, "Ask for fewer.")
    slots = _gpu_slots(share, n_gpus) if share else None
    if slots is not None and settings.concurrency is not None and settings.concurrency > slots:
        what = f"{settings.concurrency} trials at a time with {share:g} GPU each do not fit on {n_gpus}: {slots} do"
        raise OptionError("concurrency", what, "Ask for fewer, or give each a smaller share of a GPU.")


def _gpu_slots(share: float, n_gpus: int) -> int:
    """Return how many trials fit: a share is one of a single GPU, so that of 0.6 each has one of its own."""
    return n_gpus * int(1 / share + 1e-9) if share <= 1 else int(n_gpus / share)


def detect_gpus() -> tuple[str, ...]:
    """Return the NVIDIA GPUs that this process may use, by index or as CUDA_VISIBLE_DEVICES has them."""
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        return tuple(entry.strip() for entry in visible.split(",") if entry.strip() not in ("", "-1"))
    return tuple(str(index) for index in range(_count_gpus()))


def _count_gpus() -> int:
    import pynvml  # not torch: it takes a second, and a process that asked CUDA cannot be forked

    with contextlib.suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        try:
            return int(pynvml.nvmlDeviceGetCount())
        finally:
            pynvml.nvmlShutdown()
    return 0


def _chosen(there: tuple[str, ...], wanted: tuple[int, ...] | None) -> tuple[str, ...]:
    if wanted is None:
        return there
    missing = [index for index in wanted if not 0 <= index < len(there)]
    if missing:
        have = f"GPUs 0 to {len(there) - 1}" if there else "no GPU"
        raise OptionError("--gpu", f"no such GPU, got {missing[0]}", f"This machine has {have}.")
    return tuple(there[index] for index in dict.fromkeys(wanted))

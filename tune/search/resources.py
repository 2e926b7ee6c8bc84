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
    if share > len(gpus):
        there = f"there {'is' if len(gpus) == 1 else 'are'} {len(gpus)}"
        raise OptionError("gpus_per_trial", f"a trial asks for {share:g} GPUs, {there}", "Ask for fewer.")
    fitting = len(gpus) / share if share else n_cores / settings.cpus_per_trial
    return Resources(
        n_cores=n_cores,
        gpus=gpus if share else (),
        cpus_per_trial=settings.cpus_per_trial,
        gpus_per_trial=share,
        concurrency=settings.concurrency or max(1, min(int(fitting), settings.trials)),
    )


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

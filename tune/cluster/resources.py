"""What a trial gets of a machine or of the nodes of a cluster, and how many run at a time."""

import contextlib
import importlib.metadata
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tune.cluster.gpus import (
    are_logical,
    choose_gpus,
    describe_models,
    detect_gpus,
    find_least_memory,
    find_others,
    find_unusable,
    list_machine_gpus,
)
from tune.cluster.strategies import add_process_defaults, count_processes
from tune.errors import OptionError
from tune.nvml import Gpu, explain_no_gpu, find_gpu
from tune.space.settings import AUTO, Settings
from tune.trial.process.linux import read_cpu_quota

RAY_PARTS = 10_000
"""Ray counts a GPU in so many parts."""
DEVICES = ("gpu", "cuda", "mps")
"""Accelerators of the Trainer of which a process takes its first device, unless it was given another one."""
CORES_OF_JOB = {
    "SLURM_CPUS_ON_NODE": "SLURM_CPUS_ON_NODE",
    "NCPUS": "PBS_JOBID",
    "NSLOTS": "JOB_ID",
    "LSB_DJOB_NUMPROC": "LSB_JOBID",
}
"""How many cores SLURM and PBS gave to the job on this node, and SGE and LSF on all of its nodes; then what each sets
in its jobs alone: anybody may set a variable such as NCPUS."""
NO_AUTO = "Leave `gpus_per_trial` out, and trials run on the CPU."


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
    """Trials at a time, as the search begins."""
    workers_per_trial: int = 1
    """Processes that train a trial together; they share its cores, and each has a GPU of its own where it has GPUs."""
    n_gpus_there: int = 0
    """GPUs that this process sees; ``gpus`` are those of them that the search uses."""
    models: str = ""
    """Of these GPUs, with their memory; empty where that is not known."""
    least_memory: tuple[int, int] | None = None
    """The bytes of that of ``gpus`` with the least that is free, all and free; None where that is not known."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Why GPUs are not used that could be, or will not do, and what others have of those that are used, by name."""
    why_no_gpu: str | None = None
    """Why there are none, where there seem to be some; None: there are, or nothing speaks for one."""
    is_measured: bool = False
    """Whether a pre-flight is to tell how many trials share a GPU; until then each has one of its own."""
    reached: "JoinedCluster | None" = None
    """The cluster that the trials run on; None: a Ray of our own, on this machine."""
    slots: Callable[[], int] | None = None
    """How many trials fit at this moment; None: always the same number."""

    @property
    def at_a_time(self) -> int:
        """How many trials are to run now."""
        return self.concurrency if self.slots is None else self.slots()

    @property
    def n_threads(self) -> int:
        """Of torch, in each process of a trial."""
        return max(1, int(self.cpus_per_trial / self.workers_per_trial))

    @property
    def summary_text(self) -> str:
        """What there is, and what of it is used, in words."""
        if self.reached is not None:
            return self.reached.summary_text
        cores = f"{self.n_cores} CPU core{'s' if self.n_cores != 1 else ''}"
        if not self.n_gpus_there:
            return f"{cores}, no GPU" + (f" ({self.why_no_gpu})" if self.why_no_gpu else "")
        gpus = f"{cores}, {self.n_gpus_there} GPU{'s' if self.n_gpus_there != 1 else ''}"
        gpus += f" ({self.models})" if self.models else ""
        if len(self.gpus) < self.n_gpus_there:
            gpus += f", of which {', '.join(self.gpus) or 'none'} {'is' if len(self.gpus) < 2 else 'are'} used"
        return "".join([gpus, *(f"\nGPU {name}: {why}" for name, why in self.left_out.items())])

    @property
    def logical_cpus(self) -> int:
        """What Ray is told: enough for every trial that is to run at a time, even where the user asked for too many."""
        return max(self.n_cores, math.ceil(self.concurrency * self.cpus_per_trial))


def plan_resources(settings: Settings, wanted: tuple[int, ...] | None, n_workers: int = 0) -> Resources:
    """Divide the machine: with GPUs one a trial, without by cores; never more trials at a time than there are.

    A share of a GPU becomes larger where fewer trials run at a time than fit, so that none leaves a GPU idle.
    ``wanted``: indices of the GPUs to use, None for all. ``n_workers``: of the program's DataLoaders; cores are divided
    so that each has one. Raises OptionError when there is less than was asked for.
    """
    n_cores = count_cores()
    known = list_machine_gpus()
    there = detect_gpus(known)
    unusable = find_unusable(there, known)
    gpus = choose_gpus(there, wanted)
    if wanted is None:
        gpus = _choose_usable(gpus, unusable, settings)
    _check_exclusive(settings, gpus, known)
    are_cores_given = settings.cpus_per_trial is not None
    settings = add_process_defaults(settings, len(gpus))
    share = _gpu_share(settings, len(gpus), is_wanted=wanted is not None)
    is_measured = settings.gpus_per_trial == AUTO or _may_pack(settings, gpus, known)
    slots = count_gpu_slots(share, len(gpus)) if share else None
    cpus = settings.cpus_per_trial or _cores_per_trial(n_workers, n_cores, settings.concurrency or slots or 1)
    _check_capacity(settings, share, n_cores, len(gpus), None if is_measured else slots)
    if slots is not None and not is_measured and not are_cores_given:
        cpus = max(cpus, n_cores // (settings.concurrency or slots))
    at_a_time = settings.concurrency or (slots if slots is not None else int(n_cores / cpus))
    at_a_time = max(1, min(at_a_time, settings.trials))
    _check_device(settings, share, at_a_time, len(there))
    if 0 < share < 1:
        at_a_time, larger = spread_trials(at_a_time, len(gpus), is_fixed=settings.concurrency is not None)
        share = max(share, larger)
    return Resources(
        n_cores=n_cores,
        gpus=gpus if share else (),
        cpus_per_trial=cpus,
        gpus_per_trial=share,
        concurrency=at_a_time,
        workers_per_trial=count_processes(settings),
        n_gpus_there=len(there),
        models=describe_models(there, known),
        least_memory=find_least_memory(gpus, known),
        left_out=_list_remarks(gpus, known, unusable, wanted=wanted) if share else {},
        why_no_gpu=None if there or are_logical() else explain_no_gpu(),
        is_measured=is_measured,
    )


def _list_remarks(
    gpus: Sequence[str], known: Sequence[Gpu], unusable: Mapping[str, str], *, wanted: tuple[int, ...] | None
) -> dict[str, str]:
    """Return what is to be told of GPUs that are used, and of those that are not for a reason."""
    told = {name: why for name, why in unusable.items() if wanted is None or name in gpus}
    return {**told, **{name: what for name, what in find_others(gpus, known).items() if name not in told}}


def _may_pack(settings: Settings, gpus: Sequence[str], known: Sequence[Gpu]) -> bool:
    """Return whether trials may come to share GPUs though nobody said so: there are more of them than GPUs.

    Of a GPU whose memory NVML does not tell, nothing can be measured; one that a process has for itself has no room.
    """
    if settings.gpus_per_trial is not None or settings.trainer.get("accelerator") == "cpu":
        return False
    used = [gpu for name in gpus if (gpu := find_gpu(name, known)) is not None]
    sizes = [0 if gpu.is_exclusive else gpu.total_bytes for gpu in used]
    return bool(gpus) and all(sizes) and min(settings.trials, settings.concurrency or settings.trials) > len(gpus)


def _check_exclusive(settings: Settings, gpus: Sequence[str], known: Sequence[Gpu]) -> None:
    """Raise OptionError where trials are to share a GPU that one process at a time may use."""
    share = settings.gpus_per_trial
    is_shared = share == AUTO or (isinstance(share, int | float) and 0 < share < 1)
    if not is_shared or settings.trainer.get("accelerator") == "cpu":
        return
    for name in gpus:
        gpu = find_gpu(name, known)
        if gpu is not None and gpu.is_exclusive:
            what = f"the compute mode of GPU {name} (Exclusive_Process) lets one process at a time use it, got {share}"
            hint = "Write `gpus_per_trial: 1`, or let an administrator type `nvidia-smi -c DEFAULT`."
            raise OptionError("gpus_per_trial", what, hint)


def _choose_usable(gpus: tuple[str, ...], unusable: Mapping[str, str], settings: Settings) -> tuple[str, ...]:
    """Return the GPUs on which trials can run; raise OptionError where that is none of them."""
    usable = tuple(name for name in gpus if name not in unusable)
    if gpus and not usable and settings.trainer.get("accelerator") != "cpu":
        what = "no GPU can be used: " + "; ".join(f"GPU {name}: {why}" for name, why in unusable.items())
        raise OptionError("--gpu", what, "Wait, name one with `--gpu`, or write `trainer: {accelerator: cpu}`.")
    return usable


def leave_out_gpu(resources: Resources, name: str) -> Resources:
    """Return the resources without one of the GPUs; as many trials run at a time on each of the others."""
    gpus = tuple(each for each in resources.gpus if each != name)
    at_a_time = max(1, resources.concurrency * len(gpus) // len(resources.gpus))
    return replace(resources, gpus=gpus, concurrency=at_a_time)


def count_cores() -> int:
    """Return the cores that this process may use; on macOS, where none are set apart for a process, all.

    A container may have the time of fewer cores than it sees. A part of a core counts as one. A batch system may give a
    job some cores of a node and tie its processes to none; what SLURM counts for each task may be less than what the
    job has. The least counts.
    """
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for name, in_job in CORES_OF_JOB.items():
        of_job = os.environ.get(name, "")
        if of_job.isdecimal() and os.environ.get(in_job):
            n_cores = min(n_cores, max(1, int(of_job)))
    quota = read_cpu_quota()
    return n_cores if quota is None else min(n_cores, max(1, math.ceil(quota)))


def _gpu_share(settings: Settings, n_gpus: int, *, is_wanted: bool) -> float:
    """Return how much of a GPU a trial gets; what is to be measured has a whole one until then."""
    on_cpu = settings.trainer.get("accelerator") == "cpu"
    match settings.gpus_per_trial:
        case None:
            return float(n_gpus > 0 and (is_wanted or not on_cpu))
        case str():
            if not n_gpus or on_cpu:
                why = "there is none" if not n_gpus else "the Trainer's accelerator is 'cpu'"
                raise OptionError("gpus_per_trial", f"auto is measured on a GPU, and {why}", NO_AUTO)
            return 1.0
        case share:
            return share


def _cores_per_trial(n_workers: int, n_cores: int, at_a_time: int) -> float:
    """Return the cores that a trial gets: one for each DataLoader worker, as far as they go round."""
    return max(1, min(n_workers, n_cores // at_a_time))


def _check_capacity(settings: Settings, share: float, n_cores: int, n_gpus: int, slots: int | None) -> None:
    """Raise OptionError at what this machine can never meet: Ray would wait for it for ever."""
    if share > n_gpus:
        there = f"there {'is' if n_gpus == 1 else 'are'} {n_gpus}"
        raise OptionError("gpus_per_trial", f"a trial asks for {share:g} GPUs, {there}", "Ask for fewer.")
    if settings.cpus_per_trial is not None and settings.cpus_per_trial > n_cores:
        there = f"there {'is' if n_cores == 1 else 'are'} {n_cores}"
        what = f"a trial asks for {settings.cpus_per_trial:g} CPU cores, {there}"
        raise OptionError("cpus_per_trial", what, "Ask for fewer.")
    wanted = settings.concurrency
    if slots is not None and wanted is not None and wanted > slots:
        what = f"{wanted} trials at a time with {share:g} GPU each do not fit on {n_gpus}: {slots} do"
        raise OptionError("concurrency", what, "Ask for fewer, or give each a smaller share of a GPU.")


def _check_device(settings: Settings, share: float, at_a_time: int, n_gpus_there: int) -> None:
    """Raise OptionError where trials would all take one device, or have a GPU that torch cannot use."""
    accelerator = settings.trainer.get("accelerator", "gpu" if share else "cpu")
    if accelerator not in DEVICES:
        return
    if not share and n_gpus_there:
        what = f"trainer.accelerator is {accelerator!r}, got {settings.gpus_per_trial or 0:g}"
        raise OptionError("gpus_per_trial", what, "Leave `gpus_per_trial` out, or write `trainer: {accelerator: cpu}`.")
    if not share and at_a_time > 1:
        why = f"trainer.accelerator is {accelerator!r}, and no GPU is counted"
        what = f"{at_a_time} trials at a time would train on one device: {why}"
        raise OptionError("concurrency", what, "Write `concurrency: 1`, or `trainer: {accelerator: cpu}`.")
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        version = importlib.metadata.version("torch")
        if share and version.endswith("+cpu") and not are_logical():
            what = f"a trial would have {share:g} GPU, and torch {version} can use none"
            hint = "Install a build of torch for CUDA, or write `trainer: {accelerator: cpu}`."
            raise OptionError("gpus_per_trial", what, hint)


def count_gpu_slots(share: float, n_gpus: int) -> int:
    """Return how many trials fit: a share is one of a single GPU, so that of 0.6 each has one of its own."""
    return n_gpus * int(1 / share + 1e-9) if share <= 1 else int(n_gpus / share)


def spread_trials(at_a_time: int, n_gpus: int, *, is_fixed: bool) -> tuple[int, float]:
    """Return how many trials run at a time, and the largest share of a GPU with which they fit.

    Ray fills a GPU before it takes the next: 20 trials with a third each would leave one of 8 GPUs idle. Where their
    number is not fixed, only as many run as fill all GPUs alike: 16 with a half.
    """
    on_each = math.ceil(at_a_time / n_gpus)
    if not is_fixed and on_each > 1 and at_a_time <= on_each * (n_gpus - 1):
        on_each -= 1
        at_a_time = on_each * n_gpus
    return at_a_time, RAY_PARTS // on_each / RAY_PARTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine, or one of a kind that the cluster's autoscaler may start."""

    name: str
    """Its address; of a kind its name in the cluster's file."""
    identity: str = ""
    """Ray's own name of a machine."""
    cpus: float
    gpus: float
    count: int = 1
    """How many of a kind may be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedCluster:
    """A cluster that was joined."""

    address: str
    """As the user gave it."""
    dashboard: str | None
    """``10.0.0.1:8265``; None where there is none."""
    nodes: tuple[Node, ...]
    """As they were then."""
    startable: tuple[Node, ...]
    """All that there is once its autoscaler has started what it may, the head too; empty where there is none."""
    travels: bool
    """Whether the project came to the nodes with Ray; False where they all see its folder."""
    living: Callable[[], Sequence[Node]]
    """Returns the nodes as they are now."""

    @property
    def summary_text(self) -> str:
        """What there is, in words."""
        cpus, gpus = sum(node.cpus for node in self.nodes), sum(node.gpus for node in self.nodes)
        counts = [(len(self.nodes), "node"), (cpus, "CPU core"), (gpus, "GPU")]
        return ", ".join(f"{n:g} {what}{'s' if n != 1 else ''}" if n else f"no {what}" for n, what in counts)

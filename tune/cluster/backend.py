"""Where trials run: on this machine, or on a Ray cluster that is joined."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tune.cluster.connection import (
    DRIVER_ENVIRONMENT,
    check_reachable,
    parse_address,
    read_start_limit,
    set_environment,
)
from tune.cluster.process_server import run_server
from tune.cluster.resources import Resources, plan_resources
from tune.errors import OptionError
from tune.promotion.program import Program
from tune.space.settings import Settings

LAUNCHERS = {
    "srun": ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "with `srun --ntasks=1`"),
    "jsrun": ("JSM_NAMESPACE_RANK", "JSM_NAMESPACE_SIZE", "with `jsrun --np 1`"),
    "flux": ("FLUX_TASK_RANK", "FLUX_JOB_SIZE", "with `flux run -n 1`"),
    "mpirun": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "without mpirun"),
    "mpirun_rsh": ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "without mpirun_rsh"),
    "mpiexec": ("PMI_RANK", "PMI_SIZE", "without mpiexec"),
    "mpiexec (PALS)": ("PALS_RANKID", "PALS_LOCAL_SIZE", "without mpiexec"),
    "prterun": ("PMIX_RANK", "", "without prterun"),
    "horovodrun": ("HOROVOD_RANK", "HOROVOD_SIZE", "without horovodrun"),
    "a TrainJob or PyTorchJob": (
        "PET_NODE_RANK",
        "PET_NNODES",
        "in a job of one node; where nothing starts it on the other nodes, unset PET_NODE_RANK and RANK",
    ),
    "torchrun": ("RANK", "WORLD_SIZE", "without torchrun; where nothing like it starts it, unset RANK and WORLD_SIZE"),
}
"""What starts a command several times: the variables that number its processes and count them; how to start it once.

Those of batch systems come first: they set the variables of an MPI, too. Kubeflow's jobs set those that torchrun reads,
and a PyTorchJob also those that torchrun sets.
"""
WITHOUT_SIZE = ("mpiexec (PALS)", "prterun")
"""Do not count all processes: PALS those of a node, PMIx none. A rank above 0 tells that it is not the only one."""
SHELL_OF_SRUN = "SLURM_PTY_PORT"
"""Set in a shell that ``srun --pty`` opened, which is task 0 alone, however many tasks the step has."""
SET_BY_SRUN = ("srun", "mpiexec")
"""Whose variables are in such a shell: with ``--mpi=pmi2`` those of MPICH, too."""


class Backend(Protocol):
    """Gives each trial its share."""

    def allocate_resources(self, settings: Settings, program: Program, storage: Path, n_workers: int) -> Resources:
        """Divide it; raise OptionError when there is less than was asked for.

        ``n_workers``: of the program's DataLoaders.
        """


@dataclass(frozen=True, slots=True)
class LocalBackend:
    """The one that the command runs on."""

    gpus: tuple[int, ...] | None
    """Indices of those to use; None: all."""

    def allocate_resources(self, settings: Settings, program: Program, storage: Path, n_workers: int) -> Resources:
        """Divide it."""
        return plan_resources(settings, self.gpus, n_workers)


@dataclass(frozen=True, slots=True)
class ClusterBackend:
    """A cluster, which is joined when it is asked for its resources: what can be told without it was told by then."""

    address: str
    until: contextlib.ExitStack
    """When the cluster is left."""
    tell: Callable[[str], None]

    def allocate_resources(self, settings: Settings, program: Program, storage: Path, n_workers: int) -> Resources:
        """Join the cluster and divide it; raise OptionError too where its nodes cannot do what is asked."""
        door = parse_address(self.address)
        if door is not None:
            check_reachable(door)
        from tune.cluster.remote_ray import join_cluster  # imports Ray

        self.tell(f"joining {self.address}")
        resources = self.until.enter_context(join_cluster(self.address, settings, program, storage, n_workers))
        if resources.reached is not None:
            travels = resources.reached.travels
            self.tell("the project travels to the nodes" if travels else "all nodes see the project's folder")
        return resources


@contextlib.contextmanager
def open_backend(address: str | None, gpus: tuple[int, ...] | None, tell: Callable[[str], None]) -> Iterator[Backend]:
    """Give the machine that is meant; a cluster is left at the end. Raise OptionError at what cannot be meant."""
    check_started_once(os.environ, on_cluster=address is not None)
    read_start_limit()  # a mistake in it is told before anything is made
    if address is None:
        if gpus is not None and "ray" in sys.modules and sys.modules["ray"].is_initialized():
            what = "Ray runs already in this process, and has its GPUs"
            hint = "Call `ray.shutdown()` first, or start Ray with CUDA_VISIBLE_DEVICES set, and leave `gpus` out."
            raise OptionError("--gpu", what, hint)
        yield LocalBackend(gpus)
        return
    if gpus is not None:
        what = "GPUs are named by their place in one machine, and --address means a cluster"
        raise OptionError("--gpu", what, "Say with --gpus-per-trial how many a trial takes; Ray chooses them.")
    parse_address(address)
    with contextlib.ExitStack() as until:
        yield ClusterBackend(address, until, tell)


def check_started_once(variables: Mapping[str, str], *, on_cluster: bool) -> None:
    """Raise OptionError where a launcher starts this command several times: each would take the whole machine.

    One process with rank 0 may be the only one: ``ray symmetric-run`` starts its command on one node of a step that has
    a task on each, and a shell of ``srun --pty`` is one of the step's tasks.
    """
    for launcher, (rank, size, once) in LAUNCHERS.items():
        number, count = variables.get(rank, ""), variables.get(size, "")
        if not number.isdecimal():
            continue
        has_size = count.isdecimal() and int(count) > 1
        if not has_size and not (launcher in WITHOUT_SIZE and int(number) > 0):
            continue
        alone = on_cluster or (launcher in SET_BY_SRUN and SHELL_OF_SRUN in variables)
        if int(number) == 0 and alone:
            continue
        times = f"{count} times" if launcher not in WITHOUT_SIZE else "several times"
        got = f"{size}={count}" if has_size else f"{rank}={number}"
        raise OptionError(
            None,
            f"{launcher} starts this command {times}, and each would search on its own, got {got}",
            f"Start it once, {once}. `--workers-per-trial N` gives a trial several processes.",
        )


@contextlib.contextmanager
def local_cluster(
    resources: Resources,
    on_dashboard: Callable[[str], None] = lambda address: None,
    on_stuck: Callable[[str], None] = lambda how: None,
    on_interrupt: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Start Ray on this machine, and end it; a Ray that runs already in this process is used, and left running.

    ``on_dashboard`` hears the address of its dashboard, ``127.0.0.1:8265``, once it is up: from another thread.
    ``on_stuck`` is called in another thread where Ray died as it started, with how, and this will not return.
    ``on_interrupt`` is called with a Ctrl-C while Ray starts, from the signal's handler; the search ends as it begins.
    """
    if is_ray_running():
        if resources.reached is not None and resources.reached.dashboard is not None:
            on_dashboard(resources.reached.dashboard)
        with set_environment(DRIVER_ENVIRONMENT):
            yield
        return
    with set_environment({**DRIVER_ENVIRONMENT, **_device_variables(resources)}), run_server():
        from tune.cluster.local_ray import run_own_ray  # a quarter of a second, while the template imports

        with run_own_ray(resources, on_dashboard, on_stuck, on_interrupt):
            yield


def is_ray_running() -> bool:
    """Tell whether a Ray runs in this process."""
    return "ray" in sys.modules and sys.modules["ray"].is_initialized()


def _device_variables(resources: Resources) -> Mapping[str, str]:
    return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, resources.gpus))} if resources.gpus else {}

"""What a trial's process is told first."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tune.trial.nvml import NVML_ORDER
from tune.trial.stopwatch import State

OF_LAUNCHERS = re.compile(
    r"RANK|LOCAL_RANK|NODE_RANK|GROUP_RANK|ROLE_RANK|WORLD_SIZE|LOCAL_WORLD_SIZE|GROUP_WORLD_SIZE|ROLE_WORLD_SIZE"
    r"|MASTER_(ADDR|PORT)|TORCHELASTIC_.*|OMPI_.*|PMI_.*|PMIX_.*|MPI_.*"
    r"|SLURM_(PROCID|LOCALID|NODEID|NTASKS.*|NPROCS|STEP_.*|TASKS_PER_NODE|GTIDS|JOB_NAME)"
    r"|JSM_NAMESPACE_.*|FLUX_TASK_(RANK|LOCAL_ID)|PALS_(RANKID|LOCAL_RANKID)"
)
"""Variables of torchrun, Kubernetes' PyTorchJob, MPI, SLURM, jsrun, Flux and PALS: which of several processes one is.

Lightning reads them as it is imported, too: a process whose rank is not 0 writes no event files (``rank_zero_only``).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first message of an actor to a process of the same user: it is pickled."""

    environment: dict[str, str]
    niceness: int
    temporary: str | None
    """A folder for temporary files, which is removed behind the trial; None: that of all."""
    job: str
    """The file of the job."""
    task: str
    """The task as a literal."""
    counted: Mapping[str, Any] | None
    """The fits that the score comes from, as JSON has them; None where no pre-flight has found them."""
    before: float | None
    """When the last epoch of the actor's trial before ended, by the monotonic clock; None: there was none."""
    worker: str
    """``host:pid`` of the actor."""
    stopwatch: State


def drop_launcher_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return an environment as one process has it that no launcher started."""
    return {name: text for name, text in variables.items() if OF_LAUNCHERS.fullmatch(name) is None}


def trial_environment(of_actor: Mapping[str, str], n_threads: int, *, sees_gpus: bool) -> dict[str, str]:
    """Return a trial's environment: that of its actor, as one process that nobody launched.

    Ray leaves CUDA_VISIBLE_DEVICES as it is for an actor without a GPU: such a trial would see those of all others.
    """
    hidden = {} if sees_gpus else {"CUDA_VISIBLE_DEVICES": ""}
    return {**NVML_ORDER, **drop_launcher_variables(of_actor), "OMP_NUM_THREADS": str(n_threads), **hidden}

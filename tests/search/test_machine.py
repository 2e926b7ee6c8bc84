"""A search that a launcher starts several times is refused; one that is alone in its step is not."""

import pytest

from tune.cluster.backend import check_started_once
from tune.errors import OptionError

SRUN = {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "4"}
OPEN_MPI = {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}
STARTED_SEVERAL_TIMES = {
    "srun, task 0": (
        SRUN,
        (
            "srun starts this command 4 times, and each would search on its own, got SLURM_STEP_NUM_TASKS=4\n"
            "  Start it once, with `srun --ntasks=1`. `--workers-per-trial N` gives a trial several processes."
        ),
    ),
    "srun, task 3 of a shell's": (
        {**SRUN, "SLURM_PROCID": "3", "SLURM_PTY_PORT": "34889"},
        (
            "srun starts this command 4 times, and each would search on its own, got SLURM_STEP_NUM_TASKS=4\n"
            "  Start it once, with `srun --ntasks=1`. `--workers-per-trial N` gives a trial several processes."
        ),
    ),
    "mpirun": (
        OPEN_MPI,
        (
            "mpirun starts this command 2 times, and each would search on its own, got OMPI_COMM_WORLD_SIZE=2\n"
            "  Start it once, without mpirun. `--workers-per-trial N` gives a trial several processes."
        ),
    ),
    "mpiexec": (
        {"PMI_RANK": "0", "PMI_SIZE": "2", "PMI_FD": "9"},
        (
            "mpiexec starts this command 2 times, and each would search on its own, got PMI_SIZE=2\n"
            "  Start it once, without mpiexec. `--workers-per-trial N` gives a trial several processes."
        ),
    ),
    "jsrun": (
        {"JSM_NAMESPACE_RANK": "5", "JSM_NAMESPACE_SIZE": "6", **OPEN_MPI},
        (
            "jsrun starts this command 6 times, and each would search on its own, got JSM_NAMESPACE_SIZE=6\n"
            "  Start it once, with `jsrun --np 1`. `--workers-per-trial N` gives a trial several processes."
        ),
    ),
    "flux": (
        {"FLUX_TASK_RANK": "1", "FLUX_JOB_SIZE": "2", "PMI_RANK": "1", "PMI_SIZE": "2"},
        (
            "flux starts this command 2 times, and each would search on its own, got FLUX_JOB_SIZE=2\n"
            "  Start it once, with `flux run -n 1`. `--workers-per-trial N` gives a trial several processes."
        ),
    ),
    "horovodrun": (
        {"HOROVOD_RANK": "0", "HOROVOD_SIZE": "2", "HOROVOD_LOCAL_RANK": "0"},
        (
            "horovodrun starts this command 2 times, and each would search on its own, got HOROVOD_SIZE=2\n"
            "  Start it once, without horovodrun. `--workers-per-trial N` gives a trial several processes."
        ),
    ),
    "mpiexec of PALS": (
        {"PALS_RANKID": "0", "PALS_LOCAL_SIZE": "12", "PALS_APID": "a"},
        (
            "mpiexec (PALS) starts this command several times, and each would search on its own, "
            "got PALS_LOCAL_SIZE=12\n"
            "  Start it once, without mpiexec. `--workers-per-trial N` gives a trial several processes."
        ),
    ),
    "mpiexec of PALS, one on each node": (
        {"PALS_RANKID": "1", "PALS_LOCAL_SIZE": "1"},
        (
            "mpiexec (PALS) starts this command several times, and each would search on its own, got PALS_RANKID=1\n"
            "  Start it once, without mpiexec. `--workers-per-trial N` gives a trial several processes."
        ),
    ),
    "prterun": (
        {"PMIX_RANK": "3", "PMIX_NAMESPACE": "prterun-node-1@1"},
        (
            "prterun starts this command several times, and each would search on its own, got PMIX_RANK=3\n"
            "  Start it once, without prterun. `--workers-per-trial N` gives a trial several processes."
        ),
    ),
    "a TrainJob": (
        {"PET_NODE_RANK": "1", "PET_NNODES": "2", "PET_NPROC_PER_NODE": "auto", "PET_MASTER_PORT": "29400"},
        (
            "a TrainJob or PyTorchJob starts this command 2 times, and each would search on its own, got PET_NNODES=2\n"
            "  Start it once, in a job of one node; where nothing starts it on the other nodes, unset PET_NODE_RANK "
            "and RANK. `--workers-per-trial N` gives a trial several processes."
        ),
    ),
    "torchrun": (
        {"RANK": "0", "WORLD_SIZE": "8"},
        (
            "torchrun starts this command 8 times, and each would search on its own, got WORLD_SIZE=8\n"
            "  Start it once, without torchrun; where nothing like it starts it, unset RANK and WORLD_SIZE. "
            "`--workers-per-trial N` gives a trial several processes."
        ),
    ),
}
STARTED_ONCE = {
    "no launcher": {},
    "a batch script with four tasks": {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"},
    "srun --ntasks=1": {**SRUN, "SLURM_STEP_NUM_TASKS": "1"},
    "a shell of srun --ntasks=4 --pty": {**SRUN, "SLURM_PTY_PORT": "34889"},
    "a shell of srun --mpi=pmi2 --pty": {**SRUN, "SLURM_PTY_PORT": "34889", "PMI_RANK": "0", "PMI_SIZE": "4"},
    "torchrun with one process": {"RANK": "0", "WORLD_SIZE": "1"},
    "a TrainJob of one node": {"PET_NODE_RANK": "0", "PET_NNODES": "1", "PET_NPROC_PER_NODE": "1"},
    "torchrun in an elastic PyTorchJob": {"PET_NNODES": "1:3", "RANK": "0", "WORLD_SIZE": "1"},
    "a size without a rank": {"WORLD_SIZE": "8"},
    "horovodrun with one process": {"HOROVOD_RANK": "0", "HOROVOD_SIZE": "1"},
    "the only one of PALS on the first node": {"PALS_RANKID": "0", "PALS_LOCAL_SIZE": "1"},
    "rank 0 of prterun, which may be the only one": {"PMIX_RANK": "0"},
    "a rank without a size, which a program may mean otherwise": {"RANK": "16"},
}


@pytest.mark.parametrize(("variables", "message"), STARTED_SEVERAL_TIMES.values(), ids=STARTED_SEVERAL_TIMES)
def test_a_command_that_a_launcher_starts_several_times_is_refused(variables, message):
    with pytest.raises(OptionError) as caught:
        check_started_once(variables, on_cluster=False)
    assert str(caught.value) == message


@pytest.mark.parametrize("variables", STARTED_ONCE.values(), ids=STARTED_ONCE)
def test_a_command_that_is_started_once_is_not_refused(variables):
    check_started_once(variables, on_cluster=False)


def test_on_a_cluster_rank_0_is_not_refused_as_ray_symmetric_run_starts_it_alone():
    check_started_once(SRUN, on_cluster=True)
    with pytest.raises(OptionError):
        check_started_once({**SRUN, "SLURM_PROCID": "1"}, on_cluster=True)

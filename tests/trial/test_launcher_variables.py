"""Which variables of a launcher's do not reach a trial, and which of a user's do that look like them."""

import pytest

from tune.trial.process.channel import drop_launcher_variables

OF_LAUNCHERS = [
    *("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
    *(
        "TORCHELASTIC_RUN_ID",
        "PET_NNODES",
        "PET_NPROC_PER_NODE",
        "PET_NODE_RANK",
        "PET_RDZV_ENDPOINT",
        "PET_MASTER_ADDR",
    ),
    *("OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "PMI_RANK", "PMIX_RANK", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
    *("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_STEP_NUM_TASKS"),
    *("JSM_NAMESPACE_RANK", "FLUX_TASK_RANK", "PALS_RANKID", "PALS_LOCAL_RANKID", "PALS_LOCAL_SIZE"),
    *("HOROVOD_RANK", "HOROVOD_SIZE", "HOROVOD_LOCAL_RANK", "HOROVOD_CROSS_SIZE"),
]
OF_USERS = [
    *("PET_ROOT", "PET_DATA_DIR", "MPI_HOME", "MPI_ROOT", "RANKING", "MODEL_RANK", "SLURM_JOB_ID", "SLURM_JOB_NAME"),
    *("SLURM_ARRAY_TASK_ID", "SLURM_TMPDIR", "SLURM_CPUS_PER_TASK", "HOROVOD_FUSION_THRESHOLD", "PL_GLOBAL_SEED"),
    *("ACCELERATE_MIXED_PRECISION", "NCCL_DEBUG", "CUDA_VISIBLE_DEVICES"),
]


@pytest.mark.parametrize("name", OF_LAUNCHERS)
def test_what_numbers_processes_does_not_reach_a_trial(name):
    assert drop_launcher_variables({name: "1", "HOME": "/root"}) == {"HOME": "/root"}


@pytest.mark.parametrize("name", OF_USERS)
def test_what_only_looks_so_reaches_a_trial(name):
    assert drop_launcher_variables({name: "1"}) == {name: "1"}

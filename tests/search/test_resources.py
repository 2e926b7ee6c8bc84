"""What a trial gets of this machine, and what is refused."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.nvml import fake_nvml
from tests.projects import write_program
from tune.cluster.gpus import detect_gpus
from tune.cluster.resources import count_cores, plan_resources
from tune.errors import OptionError, SpaceError
from tune.space.settings import Settings, check_setting

ROOT = Path(__file__).parents[2]
N_CORES = count_cores()
SPACE = """
system: paced.py
metric: Score/Val
mode: max
constants:
  LR: {loguniform: [1e-3, 1]}
trials: 8
scheduler: none
"""
TELLS = """
import os
print("threads", torch.get_num_threads(), os.environ["OMP_NUM_THREADS"])
"""


@pytest.fixture(autouse=True)
def four_gpus(monkeypatch):
    monkeypatch.setenv("PROMOTUNE_LOGICAL_GPUS", "4")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr("tune.cluster.resources.read_cpu_quota", lambda: None)
    for name in ("SLURM_CPUS_ON_NODE", "NCPUS", "PBS_JOBID", "NSLOTS", "JOB_ID", "LSB_DJOB_NUMPROC", "LSB_JOBID"):
        monkeypatch.delenv(name, raising=False)


VISIBLE = {
    None: ("0", "1", "2", "3"),
    "": (),
    "-1": (),
    "2,0": ("2", "0"),
    "3, 4, 9": ("3",),
    "9,3": (),
    "0,0": (),
    "1,GPU-5ebe": ("1",),
    "+1gpu,2": ("1", "2"),
    "NoDevFiles": (),
    "none": (),
    "void": (),
    "all": (),
    "9" * 5000: (),
    "GPU-5ebe,GPU-77": ("GPU-5ebe", "GPU-77"),
    "GPU-5ebe,0": ("GPU-5ebe",),
    "MIG-7": ("MIG-7",),
}


@pytest.mark.parametrize(("visible", "there"), VISIBLE.items())
def test_gpus_that_are_not_there_are_not_seen_whatever_the_environment_names(monkeypatch, visible, there):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert detect_gpus() == there
    monkeypatch.setenv("PROMOTUNE_LOGICAL_GPUS", "0")
    assert detect_gpus() == ()


def test_without_the_variable_those_of_the_machine_are_seen(monkeypatch):
    monkeypatch.delenv("PROMOTUNE_LOGICAL_GPUS")
    fake_nvml(monkeypatch, [{"uuid": "GPU-5ebe"}, {}])  # the second one is lost, and CUDA counts it

    assert detect_gpus() == ("0", "1")


FULL = {"uuid": "GPU-2", "name": "NVIDIA A100", "gib": 80, "used": 75}
FREE = {"uuid": "GPU-1", "name": "NVIDIA A100", "gib": 80, "used": 0.5}
LOST = {}


def plan_with(monkeypatch, gpus, wanted=None, **asked):
    monkeypatch.delenv("PROMOTUNE_LOGICAL_GPUS")
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.13.0")
    fake_nvml(monkeypatch, gpus)
    return plan_resources(Settings(**asked), wanted)


def test_a_gpu_that_others_have_filled_or_that_is_lost_is_left_out(monkeypatch):
    found = plan_with(monkeypatch, [FREE, FULL, LOST, {**FREE, "uuid": "GPU-4"}])

    assert found.gpus == ("0", "3")
    assert found.summary_text == (
        "8 CPU cores, 4 GPUs (3 x NVIDIA A100 with 80 GiB), of which 0, 3 are used\n"
        "GPU 1: 75 of 80 GiB are taken by others\n"
        "GPU 2: GPU is lost"
    )


EXCLUSIVE = {**FREE, "mode": 3}


@pytest.mark.parametrize("share", [0.5, "auto"])
def test_sharing_a_gpu_that_one_process_at_a_time_may_use_is_refused(monkeypatch, share):
    with pytest.raises(OptionError) as refused:
        plan_with(monkeypatch, [FREE, EXCLUSIVE], gpus_per_trial=share)
    assert str(refused.value) == (
        "gpus_per_trial: the compute mode of GPU 1 (Exclusive_Process) lets one process at a time use it, "
        f"got {share}\n"
        "  Write `gpus_per_trial: 1`, or let an administrator type `nvidia-smi -c DEFAULT`."
    )


def test_a_gpu_that_one_process_at_a_time_may_use_has_one_trial(monkeypatch):
    found = plan_with(monkeypatch, [EXCLUSIVE], trials=8)

    assert (found.gpus_per_trial, found.concurrency, found.is_measured) == (1, 1, False)


def test_a_gpu_that_no_process_may_use_is_left_out(monkeypatch):
    found = plan_with(monkeypatch, [FREE, {**FREE, "mode": 2}])

    assert found.gpus == ("0",)
    assert found.left_out == {"1": "its compute mode is Prohibited"}


def test_a_full_gpu_that_is_asked_for_is_used_and_told(monkeypatch):
    found = plan_with(monkeypatch, [FREE, FULL], (1,))

    assert found.gpus == ("1",)
    assert found.summary_text.endswith(", of which 1 is used\nGPU 1: 75 of 80 GiB are taken by others")


def test_what_others_have_taken_of_a_gpu_that_is_used_is_told(monkeypatch):
    found = plan_with(monkeypatch, [{**FREE, "used": 30, "processes": 2}, {**FREE, "uuid": "GPU-2"}])

    assert found.gpus == ("0", "1")
    assert found.summary_text == (
        "8 CPU cores, 2 GPUs (2 x NVIDIA A100 with 80 GiB)\nGPU 0: 30 of 80 GiB are taken by others (2 processes)"
    )


def test_of_gpus_of_several_sizes_the_one_with_the_least_free_memory_is_known(monkeypatch):
    found = plan_with(monkeypatch, [{**FREE, "used": 60}, {**FREE, "gib": 24}, FULL, LOST])

    assert found.gpus == ("0", "1")
    assert found.least_memory == (80 * 2**30, 20 * 2**30)


def test_a_driver_that_does_not_count_processes_is_no_error(monkeypatch):
    found = plan_with(monkeypatch, [{**FREE, "used": 30, "processes": "unknown"}])

    assert found.left_out == {"0": "30 of 80 GiB are taken by others"}


def test_where_no_gpu_can_be_used_the_search_is_refused(monkeypatch):
    with pytest.raises(OptionError) as refused:
        plan_with(monkeypatch, [FULL])
    assert str(refused.value) == (
        "--gpu: no GPU can be used: GPU 0: 75 of 80 GiB are taken by others\n"
        "  Wait, name one with `--gpu`, or write `trainer: {accelerator: cpu}`."
    )


def test_a_full_gpu_does_not_matter_on_the_cpu(monkeypatch):
    found = plan_with(monkeypatch, [FULL], trainer={"accelerator": "cpu"})

    assert found.summary_text == "8 CPU cores, 1 GPU (NVIDIA A100 with 80 GiB), of which none is used"


NAMED = {
    "GPU-5e": ("GPU-5ebe",),
    "GPU-77aa,GPU-5": ("GPU-77aa", "GPU-5ebe"),
    "GPU-7": (),
    "GPU-5ebe,GPU-9,GPU-77aa": ("GPU-5ebe",),
    "GPU-5ebe,GPU-5": (),
}


@pytest.mark.parametrize(("visible", "there"), NAMED.items())
def test_a_gpu_is_named_by_the_start_of_its_uuid_where_no_other_starts_so(monkeypatch, visible, there):
    monkeypatch.delenv("PROMOTUNE_LOGICAL_GPUS")
    fake_nvml(monkeypatch, [{"uuid": "GPU-5ebe"}, {"uuid": "GPU-77aa"}, {"uuid": "GPU-77bb"}])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert detect_gpus() == there


SLICED = [
    {"uuid": "GPU-5ebe", "slices": [{"uuid": "MIG-a1"}, {}, {"uuid": "MIG-a2"}]},  # places of NVML may be free
    {"uuid": "GPU-77aa"},
    {"uuid": "GPU-77bb", "slices": []},
    {"uuid": "GPU-9c", "slices": None},  # MIG is off there
    {},  # lost
]
SLICES = {
    None: ("MIG-a1", "MIG-a2", "GPU-77aa", "GPU-9c"),
    "0": ("MIG-a1", "MIG-a2"),
    "1,0": ("GPU-77aa", "MIG-a1", "MIG-a2"),
    "2": (),
    "GPU-5": ("MIG-a1", "MIG-a2"),
    "MIG-a2": ("MIG-a2",),
    "MIG-a": (),
    "MIG-a1,GPU-77aa": ("MIG-a1",),
    "MIG-GPU-5ebe/1/0": ("MIG-GPU-5ebe/1/0",),  # as drivers before 470 call them
}


@pytest.mark.parametrize(("visible", "there"), SLICES.items())
def test_each_slice_of_a_gpu_is_one_to_give_out(monkeypatch, visible, there):
    monkeypatch.delenv("PROMOTUNE_LOGICAL_GPUS")
    fake_nvml(monkeypatch, SLICED)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert detect_gpus() == there


FOUND = [
    (None, None, "8 CPU cores, 4 GPUs"),
    (None, (1, 3), "8 CPU cores, 4 GPUs, of which 1, 3 are used"),
    (None, (2,), "8 CPU cores, 4 GPUs, of which 2 is used"),
    (0, None, "8 CPU cores, 4 GPUs, of which none is used"),
]


@pytest.mark.parametrize(("share", "wanted", "told"), FOUND)
def test_what_was_found_is_told(share, wanted, told):
    assert plan_resources(Settings(gpus_per_trial=share), wanted).summary_text == told


def test_a_machine_without_gpus_says_so(monkeypatch):
    monkeypatch.setenv("PROMOTUNE_LOGICAL_GPUS", "0")
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})

    assert plan_resources(Settings(), None).summary_text == "1 CPU core, no GPU"


def test_where_a_process_is_tied_to_no_cores_all_are_its_own(monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity")  # as on macOS
    monkeypatch.setattr("os.cpu_count", lambda: 6)

    assert plan_resources(Settings(), None).n_cores == 6


JOBS = {  # what a batch system says to a job that sees eight cores; how many of them are its own
    "four of the node's cores, to which nothing ties it": ({"SLURM_CPUS_ON_NODE": "4"}, 4),
    "a batch script with four tasks, which has the cores of all": (
        {"SLURM_CPUS_ON_NODE": "8", "SLURM_CPUS_PER_TASK": "2", "SLURM_NTASKS": "4"},
        8,
    ),
    "a step that is tied to one task's part of the job's cores": ({"SLURM_CPUS_ON_NODE": "16"}, 8),
    "salloc, whose command runs where it was typed": ({"SLURM_JOB_CPUS_PER_NODE": "4", "SLURM_CPUS_PER_TASK": "4"}, 8),
    "nothing that is a number": ({"SLURM_CPUS_ON_NODE": "4(x2)"}, 8),
    "none": ({"SLURM_CPUS_ON_NODE": "0"}, 1),
    "PBS": ({"NCPUS": "3", "PBS_JOBID": "12.server"}, 3),
    "SGE": ({"NSLOTS": "3", "JOB_ID": "12"}, 3),
    "LSF": ({"LSB_DJOB_NUMPROC": "3", "LSB_JOBID": "12"}, 3),
    "more than the process may use": ({"NSLOTS": "64", "JOB_ID": "12"}, 8),
    "the least of two": ({"SLURM_CPUS_ON_NODE": "5", "NCPUS": "2", "PBS_JOBID": "12.server"}, 2),
    "a variable outside of a job of PBS": ({"NCPUS": "3"}, 8),
    "slots outside of a job of SGE": ({"NSLOTS": "3", "JOB_ID": ""}, 8),
    "a variable outside of a job of LSF": ({"LSB_DJOB_NUMPROC": "3", "PBS_JOBID": "12.server"}, 8),
}


@pytest.mark.parametrize(("variables", "n_cores"), JOBS.values(), ids=JOBS)
def test_in_a_job_of_a_batch_system_no_more_cores_are_used_than_it_has(monkeypatch, variables, n_cores):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert plan_resources(Settings(), None).n_cores == n_cores


UNLISTED = [
    ("Driver/library version mismatch", None, "8 CPU cores, no GPU (NVML: Driver/library version mismatch)"),
    ("NVML Shared Library Not Found", None, "8 CPU cores, no GPU"),
    ("NVML Shared Library Not Found", "nvidiactl", "8 CPU cores, no GPU (NVML: NVML Shared Library Not Found)"),
    (
        "NVML Shared Library Not Found",
        "kfd",
        "8 CPU cores, no GPU (AMD's is not counted: `--trainer.accelerator gpu --concurrency 1` trains on it)",
    ),
    ([], "kfd", "8 CPU cores, no GPU"),
]


@pytest.mark.parametrize(("nvml", "device", "told"), UNLISTED)
def test_why_a_machine_that_seems_to_have_gpus_has_none_is_told(monkeypatch, tmp_path, nvml, device, told):
    monkeypatch.delenv("PROMOTUNE_LOGICAL_GPUS")
    monkeypatch.setattr("tune.nvml.NVIDIA", tmp_path / "nvidiactl")
    monkeypatch.setattr("tune.nvml.AMD", tmp_path / "kfd")
    if device is not None:
        (tmp_path / device).touch()
    fake_nvml(monkeypatch, nvml)

    assert plan_resources(Settings(), None).summary_text == told


def test_on_a_mac_it_is_told_how_a_trial_trains_on_its_gpu(monkeypatch):
    monkeypatch.setenv("PROMOTUNE_LOGICAL_GPUS", "no")
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    fake_nvml(monkeypatch, "NVML Shared Library Not Found")

    assert plan_resources(Settings(), None).summary_text == (
        "8 CPU cores, no GPU (Apple's is not counted: `--trainer.accelerator mps --concurrency 1` trains on it)"
    )


ON_ONE_DEVICE = (
    "concurrency: 8 trials at a time would train on one device: trainer.accelerator is 'mps', and no GPU is counted\n"
    "  Write `concurrency: 1`, or `trainer: {accelerator: cpu}`."
)


def test_trials_that_would_all_train_on_a_device_that_is_not_counted_are_refused(monkeypatch):
    monkeypatch.setenv("PROMOTUNE_LOGICAL_GPUS", "0")
    with pytest.raises(OptionError) as refused:
        plan_resources(Settings(trainer={"accelerator": "mps"}), None)

    assert str(refused.value) == ON_ONE_DEVICE
    assert plan_resources(Settings(trainer={"accelerator": "mps"}, concurrency=1), None).concurrency == 1
    assert plan_resources(Settings(trainer={"accelerator": "mps"}, trials=1), None).concurrency == 1


CPU_BUILD = (
    "gpus_per_trial: a trial would have 1 GPU, and torch 9.9.0+cpu can use none\n"
    "  Install a build of torch for CUDA, or write `trainer: {accelerator: cpu}`."
)


@pytest.mark.parametrize("trainer", [{}, {"accelerator": "gpu"}, {"accelerator": "cuda"}])
def test_a_build_of_torch_for_the_cpu_is_refused_where_trials_would_have_gpus(monkeypatch, tmp_path, trainer):
    monkeypatch.delenv("PROMOTUNE_LOGICAL_GPUS")
    fake_nvml(monkeypatch, [{"uuid": "GPU-5ebe"}])
    (tmp_path / "torch-9.9.0.dist-info").mkdir()
    (tmp_path / "torch-9.9.0.dist-info" / "METADATA").write_text("Name: torch\nVersion: 9.9.0+cpu\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OptionError) as refused:
        plan_resources(Settings(trainer=trainer), None)

    assert str(refused.value) == CPU_BUILD
    assert plan_resources(Settings(trainer={"accelerator": "cpu"}), None).gpus_per_trial == 0
    assert plan_resources(Settings(trainer={"accelerator": "auto"}), None).gpus_per_trial == 1


DIVIDED = [  # GPUs, settings, DataLoader workers; cores of a trial, trials at a time
    ("0", {}, 0, 1, 8),
    ("0", {}, 1, 1, 8),
    ("0", {}, 3, 3, 2),
    ("0", {}, 20, 8, 1),
    ("0", {"concurrency": 4}, 3, 2, 4),
    ("0", {"cpus_per_trial": 1}, 3, 1, 8),
    ("4", {}, 0, 2, 4),  # with GPUs no core is left idle: what a trial does on the CPU would take all of a machine's
    ("4", {}, 6, 2, 4),
    ("4", {"gpus_per_trial": 0.5}, 6, 1, 8),
    ("4", {"gpus_per_trial": 0.5, "concurrency": 4}, 0, 2, 4),
    ("4", {"cpus_per_trial": 1}, 0, 1, 4),
    ("4", {"trials": 1}, 0, 2, 1),  # `retrain` of one trial has the threads that it had
    ("1", {}, 6, 8, 1),
    ("1", {}, 0, 8, 1),
    ("4", {"trainer": {"accelerator": "cpu"}}, 0, 1, 8),
]


@pytest.mark.parametrize(("n_gpus", "asked", "n_workers", "cpus", "at_a_time"), DIVIDED)
def test_cores_are_divided_so_that_the_workers_of_the_loaders_fit(
    monkeypatch, n_gpus, asked, n_workers, cpus, at_a_time
):
    monkeypatch.setenv("PROMOTUNE_LOGICAL_GPUS", n_gpus)
    resources = plan_resources(Settings(**asked), None, n_workers)

    assert (resources.cpus_per_trial, resources.n_threads, resources.concurrency) == (cpus, cpus, at_a_time)


SLOTS = [(None, 4), (1, 4), (2, 2), (3, 1), (4, 1), (0.5, 8), (0.6, 4), (0.1, 20), (1 / 3, 12), (0, 8)]


@pytest.mark.parametrize(("share", "slots"), SLOTS)
def test_as_many_trials_run_at_a_time_as_fit_on_whole_gpus(share, slots):
    assert plan_resources(Settings(gpus_per_trial=share), None).concurrency == slots


def pack(resources):
    """Return how many trials are on each GPU when Ray places them: on that which they fill best."""
    free = [1.0] * len(resources.gpus)
    for _ in range(resources.concurrency):
        best = min((i for i, left in enumerate(free) if left > resources.gpus_per_trial - 1e-9), key=free.__getitem__)
        free[best] -= resources.gpus_per_trial
    return [round((1 - left) / resources.gpus_per_trial) for left in free]


SPREAD = [  # GPUs, settings; the share of a trial, trials on each GPU
    ("4", {"gpus_per_trial": 0.5, "concurrency": 4}, 1.0, [1, 1, 1, 1]),
    ("4", {"gpus_per_trial": 0.25, "concurrency": 7}, 0.5, [2, 2, 2, 1]),
    ("8", {"gpus_per_trial": 0.25}, 0.5, [2] * 8),  # 20 trials: thirds would leave a GPU idle
    ("8", {"gpus_per_trial": 0.25, "trials": 22}, 0.3333, [3] * 7 + [1]),
    ("8", {"gpus_per_trial": 0.25, "trials": 100}, 0.25, [4] * 8),
    ("8", {"gpus_per_trial": 0.25, "trials": 5}, 1.0, [1] * 5 + [0] * 3),
    ("8", {"gpus_per_trial": 0.25, "concurrency": 20}, 0.3333, [3] * 6 + [2, 0]),  # as many as the user asked for
    ("1", {"gpus_per_trial": 0.4}, 0.5, [2]),
]


@pytest.mark.parametrize(("n_gpus", "asked", "share", "on_each"), SPREAD)
def test_shares_of_fewer_trials_than_fit_become_larger_so_that_every_gpu_has_some(
    monkeypatch, n_gpus, asked, share, on_each
):
    monkeypatch.setenv("PROMOTUNE_LOGICAL_GPUS", n_gpus)
    resources = plan_resources(Settings(**asked), None)

    assert (resources.gpus_per_trial, pack(resources)) == (share, on_each)


REFUSED = [
    ({"gpus_per_trial": 5}, "gpus_per_trial: a trial asks for 5 GPUs, there are 4\n  Ask for fewer."),
    ({"cpus_per_trial": 9}, "cpus_per_trial: a trial asks for 9 CPU cores, there are 8\n  Ask for fewer."),
    (
        {"gpus_per_trial": 0.6, "concurrency": 5},
        (
            "concurrency: 5 trials at a time with 0.6 GPU each do not fit on 4: 4 do\n"
            "  Ask for fewer, or give each a smaller share of a GPU."
        ),
    ),
]


@pytest.mark.parametrize(("asked", "message"), REFUSED)
def test_what_can_never_be_met_is_refused(asked, message):
    with pytest.raises(OptionError) as refused:
        plan_resources(replace(Settings(), **asked), None)
    assert str(refused.value) == message


def test_trials_without_a_gpu_that_would_all_train_on_the_first_one_are_refused():
    with pytest.raises(OptionError) as refused:
        plan_resources(Settings(gpus_per_trial=0, trials=1, trainer={"accelerator": "gpu"}), None)

    assert str(refused.value) == (
        "gpus_per_trial: trainer.accelerator is 'gpu', got 0\n"
        "  Leave `gpus_per_trial` out, or write `trainer: {accelerator: cpu}`."
    )


MISSING = [
    (None, "This machine has GPUs 0 to 3."),
    ("2,3", "Of those that this process sees write 0 for GPU 2, 1 for GPU 3."),
    ("", "This machine has no GPU."),
]


@pytest.mark.parametrize(("visible", "hint"), MISSING)
def test_a_gpu_that_is_not_there_is_refused_with_those_that_are(monkeypatch, visible, hint):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(OptionError) as refused:
        plan_resources(Settings(), (4,))

    assert str(refused.value) == f"--gpu: no such GPU, got 4\n  {hint}"


NUMBERS = st.floats(1e-5, 1e6) | st.integers(1, 10**9)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    n_gpus=st.integers(0, 16),
    asked=st.fixed_dictionaries(
        {},
        optional={
            "cpus_per_trial": NUMBERS,
            "gpus_per_trial": NUMBERS | st.just(0),
            "concurrency": st.integers(1, 10**9),
            "trials": st.integers(1, 10**6),
        },
    ),
    n_workers=st.integers(-5, 10**6),
)
def test_whatever_is_asked_for_is_given_or_refused(monkeypatch, n_gpus, asked, n_workers):
    monkeypatch.setenv("PROMOTUNE_LOGICAL_GPUS", str(n_gpus))
    try:
        wanted = Settings(**{name: check_setting(name, value, None) for name, value in asked.items()})
        resources = plan_resources(wanted, None, n_workers)
    except (OptionError, SpaceError):
        return
    assert 1 <= resources.concurrency <= wanted.trials
    assert resources.cpus_per_trial > 0
    assert resources.logical_cpus >= resources.concurrency * resources.cpus_per_trial
    if resources.gpus_per_trial:
        assert resources.gpus_per_trial >= asked.get("gpus_per_trial", 0)
        on_each = -(-resources.concurrency // n_gpus) if resources.gpus_per_trial <= 1 else 1
        assert on_each * resources.gpus_per_trial <= max(1, resources.gpus_per_trial) + 1e-6
        assert resources.gpus_per_trial <= n_gpus


def searched(folder, *words, **variables):
    """Search with four logical GPUs on the CPU; return what was told, and the records."""
    program = write_program(folder / "project", "paced")
    program.write_text(program.read_text() + TELLS)
    program.with_name("s.yaml").write_text(SPACE)
    ran = subprocess.run(
        [
            sys.executable,
            ROOT / "run_search.py",
            "--space",
            "s.yaml",
            "--storage",
            str(folder / "storage"),
            "--trainer.accelerator",
            "cpu",
            *words,
        ],
        cwd=program.parent,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout, [json.loads(file.read_text()) for file in sorted(folder.glob("storage/s/*/trial.json"))]


@pytest.mark.slow
def test_a_search_needs_nothing_that_macos_lacks(tmp_path):
    path = os.pathsep.join([str(ROOT / "tests" / "macos"), str(ROOT)])
    _, records = searched(tmp_path, "--trials", "2", PYTHONPATH=path, PROMOTUNE_LOGICAL_GPUS="0")

    assert [each["stage"] for each in records] == ["complete"] * 2


AUTO = [
    ({}, "0", "auto is measured on a GPU, and there is none"),
    ({"trainer": {"accelerator": "cpu"}}, "4", "auto is measured on a GPU, and the Trainer's accelerator is 'cpu'"),
]


@pytest.mark.parametrize(("asked", "n_gpus", "why"), AUTO)
def test_auto_without_a_gpu_to_measure_on_is_refused(monkeypatch, asked, n_gpus, why):
    monkeypatch.setenv("PROMOTUNE_LOGICAL_GPUS", n_gpus)
    with pytest.raises(OptionError) as refused:
        plan_resources(Settings(gpus_per_trial="auto", **asked), None)
    assert str(refused.value) == (f"gpus_per_trial: {why}\n  Leave `gpus_per_trial` out, and trials run on the CPU.")


def at_a_time(records):
    """Return how many trials ran at the same time, at the most."""
    return max(sum(each["started"] <= at["started"] < each["ended"] for each in records) for at in records)


@pytest.mark.slow
def test_eight_trials_of_half_a_gpu_run_at_a_time_and_see_the_device_that_they_were_given(tmp_path):
    told, records = searched(tmp_path, "--gpus-per-trial", "0.5", "--trainer.max_epochs", "20")

    assert "8 trials, 8 at a time with 0.5 GPU and 50% of its memory each; " in told
    assert at_a_time(records) == 8
    assert sorted(each["devices"] for each in records) == ["0", "0", "1", "1", "2", "2", "3", "3"]


@pytest.mark.slow
def test_trials_on_the_cpu_of_a_machine_with_gpus_see_none_of_them(tmp_path):
    _, records = searched(tmp_path, "--trials", "2", PROMOTUNE_LOGICAL_GPUS="4", CUDA_VISIBLE_DEVICES="0,1")

    assert [each["devices"] for each in records] == ["", ""]


@pytest.mark.slow
def test_four_trials_of_half_a_gpu_are_on_four_gpus(tmp_path):
    words = "--gpus-per-trial 0.5 --concurrency 4 --trainer.max_epochs 20 --cpus-per-trial 0.25"
    told, records = searched(tmp_path, *words.split())

    assert "8 trials, 4 at a time with 1 GPU each; " in told
    assert {each["devices"] for each in records} == {"0", "1", "2", "3"}


@pytest.mark.slow
def test_the_gpus_that_are_named_are_used_and_no_others(tmp_path):
    told, records = searched(tmp_path, "--gpu", "1", "3", "--trials", "4", "--cpus-per-trial", "2", OMP_NUM_THREADS="7")

    assert {each["devices"] for each in records} == {"1", "3"}
    assert at_a_time(records) == 2
    assert f"{N_CORES} CPU cores, 4 GPUs, of which 1, 3 are used\n4 trials, 2 at a time with 1 GPU each; " in told
    logs = [file.read_text().splitlines() for file in tmp_path.glob("storage/s/*/log.txt")]
    assert len(logs) == 4
    assert all("threads 2 2" in log for log in logs)

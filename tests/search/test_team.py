"""Trials of several processes: what they get, and what no several processes can have."""

import pytest

from tune.cluster.resources import plan_resources
from tune.errors import OptionError
from tune.space.settings import Settings


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr("tune.cluster.resources.read_cpu_quota", lambda: None)


def planned(n_gpus, **settings):
    """Return workers, cores, GPUs and threads of a process, and how many trials run at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMOTUNE_LOGICAL_GPUS", str(n_gpus))
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        plan = plan_resources(Settings(**settings), None)
    return plan.workers_per_trial, plan.cpus_per_trial, plan.gpus_per_trial, plan.n_threads, plan.concurrency


PLANS = [
    (0, {}, (1, 1, 0, 1, 8)),
    (0, {"workers_per_trial": 2}, (2, 2, 0, 1, 4)),
    (0, {"workers_per_trial": 2, "cpus_per_trial": 8}, (2, 8, 0, 4, 1)),
    (4, {"gpus_per_trial": 2}, (2, 4, 2, 2, 2)),
    (4, {"gpus_per_trial": 2, "cpus_per_trial": 1}, (2, 2, 2, 1, 2)),
    (4, {"workers_per_trial": 4}, (4, 8, 4, 2, 1)),
    (4, {"gpus_per_trial": 2, "workers_per_trial": 1}, (1, 4, 2, 4, 2)),
    (4, {"workers_per_trial": 2, "trainer": {"accelerator": "cpu"}}, (2, 2, 0, 1, 4)),
    (4, {"gpus_per_trial": 2, "trainer": {"strategy": "fsdp"}}, (2, 4, 2, 2, 2)),
    (4, {"trainer": {"devices": [0]}}, (1, 2, 1, 2, 4)),
    (4, {"gpus_per_trial": 2, "trainer": {"devices": -1}}, (2, 4, 2, 2, 2)),
    (
        0,
        {"workers_per_trial": 2, "trainer": {"strategy": "ddp_static_graph", "devices": 2}},
        (2, 2, 0, 1, 4),
    ),
]


@pytest.mark.parametrize(("n_gpus", "settings", "plan"), PLANS)
def test_each_process_has_a_core_and_where_there_are_gpus_one_of_its_own(n_gpus, settings, plan):
    assert planned(n_gpus, **settings) == plan


REFUSED = [
    (0, {"gpus_per_trial": 2}, "gpus_per_trial: a trial asks for 2 GPUs, there are 0\n  Ask for fewer."),
    (1, {"workers_per_trial": 2}, "gpus_per_trial: a trial asks for 2 GPUs, there is 1\n  Ask for fewer."),
    (0, {"workers_per_trial": 9}, "cpus_per_trial: a trial asks for 9 CPU cores, there are 8\n  Ask for fewer."),
    (
        4,
        {"workers_per_trial": 2, "gpus_per_trial": 1},
        "gpus_per_trial: 2 workers need 2 GPUs, or none, got 1\n  Write `gpus_per_trial: 2`, or leave it out.",
    ),
    (
        0,
        {"workers_per_trial": 2, "trainer": {"strategy": "fsdp"}},
        (
            "trainer.strategy: Lightning has 'fsdp' for GPUs alone, and these trials run on the CPU\n"
            "  Leave it out: then the workers train with `ddp`."
        ),
    ),
    (
        0,
        {"workers_per_trial": 2, "trainer": {"strategy": "ddp_spawn"}},
        (
            "trainer.strategy: the workers of a trial cannot train by it together, got 'ddp_spawn'\n"
            "  Write `ddp`, `ddp_find_unused_parameters_true`, or `fsdp` with GPUs."
        ),
    ),
    (
        4,
        {"trainer": {"devices": 2}},
        (
            "trainer.devices: the processes of a trial are the search's to start, got 2\n"
            "  Write `workers_per_trial: 2`, or `gpus_per_trial: 2`."
        ),
    ),
    (
        4,
        {"trainer": {"devices": [1]}},
        (
            "trainer.devices: a trial sees the GPU that it is given, as device 0, and no other one, got [1]\n"
            "  Leave it out, and write `--gpu 1`."
        ),
    ),
    (
        4,
        {"gpus_per_trial": 2, "workers_per_trial": 1, "trainer": {"devices": -1}},
        (
            "trainer.devices: the processes of a trial are the search's to start, got -1\n"
            "  Leave `workers_per_trial` out for one on each GPU, or `devices` for one alone."
        ),
    ),
    (
        0,
        {"trainer": {"num_nodes": 2}},
        (
            "trainer.num_nodes: the processes of a trial are the search's to start, got 2\n"
            "  Write `workers_per_trial: 2`, or `gpus_per_trial: 2`."
        ),
    ),
]


@pytest.mark.parametrize(("n_gpus", "settings", "message"), REFUSED)
def test_what_several_processes_cannot_have_is_refused(n_gpus, settings, message):
    with pytest.raises(OptionError) as refused:
        planned(n_gpus, **settings)
    assert str(refused.value) == message

"""One process of several: what its Trainer is told, and what the program's own says is worth."""

import os

import pytest
import pytorch_lightning
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment
from pytorch_lightning.strategies import DDPStrategy
from torch import distributed

from tune.trial.distributed.process_group import ALONE, DistributedContext, join_process_group, open_store_socket

STRATEGIES = [
    (None, "ddp"),
    ("auto", "ddp"),
    ("dp", "ddp"),
    ("ddp_spawn", "ddp"),
    ("ddp_notebook_find_unused_parameters_true", "ddp_find_unused_parameters_true"),
    ("fsdp", "fsdp"),
]


@pytest.mark.parametrize(("said", "taken"), STRATEGIES)
def test_a_strategy_is_one_of_processes_that_run_already(said, taken):
    given = {} if said is None else {"strategy": said}
    assert (
        DistributedContext(rank=1, n_ranks=2).build_distributed_arguments(given, pytorch_lightning)["strategy"] == taken
    )


def test_a_strategy_of_the_programs_own_is_kept_and_its_cluster_is_not():
    strategy, other = DDPStrategy(find_unused_parameters=True), object()
    given = {"strategy": strategy, "plugins": [SLURMEnvironment(), other], "devices": 8, "num_nodes": 4}

    arguments = DistributedContext(n_ranks=2).build_distributed_arguments(given, pytorch_lightning)
    assert arguments["strategy"] is strategy
    kept, environment = arguments["plugins"]
    assert kept is other
    assert type(environment) is LightningEnvironment
    assert (arguments["devices"], arguments["num_nodes"]) == (2, 1)


def test_a_trial_of_one_process_is_told_nothing():
    assert ALONE.build_distributed_arguments({"strategy": "ddp_spawn"}, pytorch_lightning) == {}


def test_a_trial_on_the_cpu_of_a_machine_with_gpus_talks_over_gloo_alone(monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # this machine has no GPU
    listener, port = open_store_socket()

    with join_process_group(DistributedContext(), port, listener, on_cpu=True):
        assert distributed.get_backend() == "gloo"  # by this name Lightning knows what gloo cannot do

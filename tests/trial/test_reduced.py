"""What is logged for an epoch is reduced over all processes, whether the program says so or not."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest
import pytorch_lightning

from tune.internals.lightning_internals import sync_epoch_logs

ROOT = Path(__file__).parents[2]

CASES = [
    ("training_step", {}, False),  # by step alone, unless it says otherwise
    ("training_step", {"on_epoch": True}, True),
    ("training_step", {"on_step": True, "on_epoch": True}, True),
    ("validation_step", {}, True),
    ("validation_step", {"sync_dist": False}, True),
    ("validation_step", {"on_epoch": False, "on_step": True}, False),
    ("on_validation_epoch_end", {}, True),
    ("validation_step", {"rank_zero_only": True}, False),
    ("training_step", {"sync_dist": True}, True),
]


@dataclass
class Module:
    """Logs as Lightning's does, and remembers with what."""

    _current_fx_name: str
    reduced: list = field(default_factory=list)

    def log(self, name, value, on_step=None, on_epoch=None, sync_dist=False, rank_zero_only=False):
        self.reduced.append(sync_dist)


@pytest.mark.parametrize(("hook", "given", "reduced"), CASES)
def test_a_metric_is_reduced_where_it_is_kept_for_an_epoch(hook, given, reduced):
    package = ModuleType("pytorch_lightning")
    package.LightningModule = Module
    assert pytorch_lightning.__name__ == package.__name__  # whose hooks' defaults are looked up

    module, before = Module(hook), Module.log
    with sync_epoch_logs(package):
        module.log("Score/Val", 0.5, **given)

    assert module.reduced == [reduced]
    assert Module.log is before


AVERAGES = """
import sys

import pytorch_lightning
import torch
from torch import distributed
from lightning_fabric.utilities.distributed import _sync_ddp_if_available

from tune.trial.process.child_processes import ForkedChild
from tune.internals.lightning_internals import sync_epoch_logs


def average(rank):
    store = distributed.FileStore(sys.argv[1], 2)
    # stands for "cpu:gloo,cuda:nccl", for a CPU build of torch has no NCCL: neither is called "gloo"
    distributed.init_process_group("cpu:gloo", store=store, rank=rank, world_size=2)
    with sync_epoch_logs(pytorch_lightning):
        logged = (torch.tensor(3.0 + rank), torch.tensor(4 + 2 * rank), torch.tensor(1.0))
        ops = ("mean", "mean", "sum")
        return [_sync_ddp_if_available(value, reduce_op=op).item() for value, op in zip(logged, ops, strict=True)]


ranks = [ForkedChild(lambda rank=rank: average(rank)) for rank in range(2)]
assert all(each.poll(60) for each in ranks)
print([each.result for each in ranks])
"""


def test_values_on_the_cpu_are_averaged_in_a_group_for_both_devices(tmp_path):
    words = [sys.executable, "-c", AVERAGES, str(tmp_path / "store")]  # the processes of tests have threads
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)

    assert ran.stdout == f"{[[3.5, 5, 2.0]] * 2}\n", ran.stderr

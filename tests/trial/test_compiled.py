"""A program that compiles its model: each trial compiles anew, whatever trials compiled before it on its worker."""

import pytest
from torch._inductor.runtime.cache_dir_utils import default_cache_dir

from tune.trial.process.trial_process import find_compiler_cache

PROGRAM = """
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

HIDDEN = 4
MAX_EPOCHS = 1


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        body = nn.Sequential(nn.Linear(2, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
        self.net = torch.compile(body, fullgraph=True, backend="eager")

    def training_step(self, batch, idx):
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, idx):
        self.log("Loss/Val", self.net(batch[0]).mean())

    def on_fit_end(self):
        print("GRAPHS", torch._dynamo.utils.counters["stats"]["unique_graphs"])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloaders():
    data = TensorDataset(torch.arange(16.0).reshape(8, 2) / 16)
    return DataLoader(data, batch_size=4), DataLoader(data, batch_size=4)
"""


@pytest.mark.slow
def test_each_trial_compiles_anew_however_many_did_before(worker):
    place = worker("net", PROGRAM, metric="Loss/Val", mode="min")
    place.run(preflight=True)

    trials = [place.run(HIDDEN=hidden) for hidden in range(5, 16)]  # torch compiles one function 8 times at most

    assert [trial.record.stage for trial in trials] == ["complete"] * 11
    graphs = {line for trial in trials for line in trial.log.splitlines() if line.startswith("GRAPHS")}
    assert len(graphs) == 1
    assert graphs != {"GRAPHS 0"}


@pytest.mark.parametrize("name", ["somebody", None])
def test_compiled_code_is_kept_where_torch_keeps_it_also_for_a_user_without_a_name(monkeypatch, name):
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    if name is not None:
        monkeypatch.setenv("LOGNAME", name)

    assert find_compiler_cache() == default_cache_dir()

"""Programs import Lightning by either of its names, in any form, or leave it to a library; each is searched alike."""

import sys

import pytest
import pytorch_lightning

from tests.searched import Worker
from tune.trial.lightning.packages import patch_lightning_packages

PROGRAM = """
import torch
from torch.utils.data import DataLoader, TensorDataset
{imports}

LR = 0.1


class Net({module}):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(1, 1)

    def training_step(self, batch, index):
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, index):
        self.log("score", self.current_epoch + 1.0)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)


loader = DataLoader(TensorDataset(torch.ones(4, 1)), batch_size=2)
{trainer}(max_epochs=2, accelerator="cpu").fit(Net(), loader, loader)
"""
FORMS = {
    "import lightning as L": ("import lightning as L", "L.LightningModule", "L.Trainer"),
    "in one line with others": ("import json, lightning as L", "L.LightningModule", "L.Trainer"),
    "from lightning import": ("from lightning import LightningModule, Trainer", "LightningModule", "Trainer"),
    "from lightning import pytorch": ("from lightning import pytorch as pl", "pl.LightningModule", "pl.Trainer"),
    "import lightning.pytorch": ("import lightning.pytorch as pl", "pl.LightningModule", "pl.Trainer"),
    "by its name": (
        "import importlib\npl = importlib.import_module('lightning' + '.pytorch')",
        "pl.LightningModule",
        "pl.Trainer",
    ),
    "pytorch_lightning": ("import pytorch_lightning as pl", "pl.LightningModule", "pl.Trainer"),
    "in a module of the project": ("from base import Base, Trainer", "Base", "Trainer"),
}


@pytest.mark.parametrize(("imports", "module", "trainer"), FORMS.values(), ids=FORMS)
def test_trial_when_lightning_is_imported_in_any_form_then_its_trainer_reports(
    tmp_path, server, imports, module, trainer
):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "base.py").write_text("from lightning import LightningModule as Base, Trainer\n")
    (folder / "program.py").write_text(PROGRAM.format(imports=imports, module=module, trainer=trainer))
    space = folder / "space.yaml"
    space.write_text("script: program.py\nmetric: score\nmode: max\nconstants:\n  LR: {uniform: [0.0, 1.0]}\n")
    worker = Worker(space, tmp_path / "experiment", server)

    for trial in (worker.run(preflight=True), worker.run({"LR": 0.5})):
        assert trial.failure is None, trial.log
        assert trial.reports == [(1, 1.0), (2, 2.0)]
    assert not (folder / "lightning_logs").exists()


def test_patch_when_a_package_is_imported_meanwhile_then_it_is_entered_and_left(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "lightning"]:
        monkeypatch.delitem(sys.modules, name)
    seen = []

    class Patch:
        def __init__(self, package):
            self.name = package.__name__

        def __enter__(self):
            seen.append(self.name)

        def __exit__(self, *_):
            seen.append(f"left {self.name}")

    before = list(sys.meta_path)
    with patch_lightning_packages(Patch):
        assert seen == [pytorch_lightning.__name__]
        import lightning

        assert lightning.Trainer is lightning.pytorch.Trainer
        assert seen == ["pytorch_lightning", "lightning.pytorch"]
    assert seen[2:] == ["left lightning.pytorch", "left pytorch_lightning"]
    assert sys.meta_path == before

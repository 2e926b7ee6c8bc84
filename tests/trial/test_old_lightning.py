"""Programs written for Lightning 1 are told what stands today for what they ask for, at their own line."""

import inspect

import pytest
import pytorch_lightning as pl
from pytorch_lightning.cli import LightningCLI

from tests.searched import Worker
from tune.trial.lightning.legacy_api import TODAY

PROGRAM = """\
from argparse import ArgumentParser
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader
{above}

class LitModel(pl.LightningModule):
    def __init__(self):
        super().__init__()
        {init}
        self.net = torch.nn.Linear(2, 1)
    def training_step(self, batch, idx):
        return self.net(batch).mean()
    {method}
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-2)

dl = DataLoader(torch.ones(4, 2))
{before}
trainer = pl.Trainer({arguments})
trainer.fit(LitModel(), dl)
{after}
"""

CASES = {
    "add_argparse_args": ({"before": "parser = pl.Trainer.add_argparse_args(ArgumentParser())"}, "options of your own"),
    "from_argparse_args": ({"before": "trainer = pl.Trainer.from_argparse_args(None)"}, "options of your own"),
    ".add_argparse_args": (
        {"before": "parser = type('Data', (pl.LightningDataModule,), {}).add_argparse_args(ArgumentParser())"},
        "options of your own",
    ),
    "gpus": ({"arguments": "gpus=1, max_epochs=1"}, "accelerator='gpu', devices=..."),
    "accelerator='ddp'": ({"arguments": "accelerator='ddp', max_epochs=1"}, "strategy='ddp'"),
    "training_epoch_end": ({"method": "def training_epoch_end(self, outputs): pass"}, "`on_train_epoch_end(self)`"),
    "validation_epoch_end": ({"method": "def validation_epoch_end(self, outputs): pass"}, "`on_validation_epoch_end"),
    "load_from_checkpoint_path": ({"after": "LitModel.load_from_checkpoint_path('x')"}, "`load_from_checkpoint(...)`"),
    "progress_bar_refresh_rate": ({"arguments": "progress_bar_refresh_rate=20"}, "`callbacks=[TQDMProgressBar("),
    "resume_from_checkpoint": ({"arguments": "resume_from_checkpoint='x'"}, "`trainer.fit(model, ckpt_path=...)`"),
    "auto_lr_find": ({"arguments": "auto_lr_find=True"}, "`pytorch_lightning.tuner.Tuner(trainer)`"),
    "checkpoint_callback": ({"arguments": "checkpoint_callback=False"}, "enable_checkpointing=True"),
    "tune": ({"after": "trainer.tune(LitModel())"}, "`pytorch_lightning.tuner.Tuner(trainer)`"),
    "filepath": ({"before": "pl.callbacks.ModelCheckpoint(filepath='x')"}, "`dirpath` and `filename`"),
    "hparams": ({"init": "self.hparams = {'lr': 1}"}, "`self.save_hyperparameters(hparams)`"),
    "pytorch_lightning.loops.base": (
        {"above": "from pytorch_lightning.loops.base import Loop"},
        "a loop of your own around `trainer.fit`, with a new Trainer and module for each fold",
    ),
    "Loop": (
        {"above": "from pytorch_lightning.loops import Loop"},
        "a loop of your own around `trainer.fit`, with a new Trainer and module for each fold",
    ),
    "pytorch_lightning.metrics": (
        {"above": "from pytorch_lightning.metrics import Accuracy"},
        "the package `torchmetrics`",
    ),
    "pytorch_lightning.metrics.functional": (
        {"above": "from pytorch_lightning.metrics.functional import accuracy"},
        "the package `torchmetrics`",
    ),
    "metrics": ({"above": "accuracy = pl.metrics.Accuracy()"}, "the package `torchmetrics`"),
    "pytorch_lightning.utilities.seed": (
        {"above": "from pytorch_lightning.utilities.seed import seed_everything"},
        "`pytorch_lightning.seed_everything`",
    ),
    "NeptuneLogger": (
        {"above": "from lightning.pytorch.loggers import NeptuneLogger"},
        "LitLogger, TensorBoardLogger or CSVLogger",
    ),
    "DDPPlugin": ({"above": "from pytorch_lightning.plugins import DDPPlugin"}, "`pytorch_lightning.strategies.DDPStr"),
    "save_config_overwrite": (
        {"before": "import pytorch_lightning.cli as c; c.LightningCLI(LitModel, save_config_overwrite=True)"},
        "save_config_kwargs={'overwrite': ...}",
    ),
    "optimizer_step": (
        {"method": "def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_idx, closure, on_tpu): closure()"},
        "`optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None)`",
    ),
    "on_train_epoch_end": (
        {"method": "def on_train_epoch_end(self, outputs): pass"},
        "`on_train_epoch_end(self)`, of a callback `(self, trainer, pl_module)`",
    ),
    "transfer_batch_to_device": (
        {"method": "def transfer_batch_to_device(self, batch, device): return batch"},
        "`transfer_batch_to_device(self, batch, device, dataloader_idx)`",
    ),
    "DataLoader": ({"before": "torch.nn.DataLoader(dl)"}, "`torch.utils.data.DataLoader`"),
}
"""By what stands in the line that is shown: what the program does, and how the hint goes on."""


def run(tmp_path, monkeypatch, server, text, shape="script"):
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").touch()
    (root / "train.py").write_text(text)
    (root / "s.yaml").write_text(
        f"{shape}: train.py\nmetric: val\nmode: min\nconstants:\n  Linear.in_features: {{choice: [2, 3]}}\n"
        "trainer: {max_epochs: 1}\n"
    )
    monkeypatch.chdir(root)
    return Worker(root / "s.yaml", tmp_path / "experiment", server).run(preflight=True).failure


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "parts", "today"), [(name, *case) for name, case in CASES.items()], ids=CASES)
def test_a_program_for_lightning_1_is_told_what_to_write(tmp_path, monkeypatch, server, name, parts, today):
    empty = dict.fromkeys(("above", "init", "method", "before", "arguments", "after"), "")
    text = PROGRAM.format(**{**empty, "arguments": "max_epochs=1", **parts})
    failure = run(tmp_path, monkeypatch, server, text)

    line = next(number for number, line in enumerate(text.splitlines(), 1) if next(iter(parts.values())) in line)
    assert (failure.place, name in failure.code) == (f"train.py:{line}", True)
    assert failure.hint.startswith("It is written for an older Lightning: instead of `")
    assert f"` write {today}" in failure.hint


OLD_METRICS = {
    "Accuracy()": ({"init": "self.accuracy = torchmetrics.Accuracy()"}, "Accuracy", "Accuracy(task="),
    "F1Score of classes": ({"init": "self.f1 = torchmetrics.F1Score(num_classes=3)"}, "F1Score", "F1Score(task="),
    "accuracy of a step": (
        {"init": "torchmetrics.functional.accuracy(torch.ones(2), torch.ones(2))"},
        "accuracy",
        "accuracy(..., task=",
    ),
    "F1": ({"init": "self.f1 = torchmetrics.F1()"}, "F1", "torchmetrics.F1Score(task="),
    "IoU": ({"above": "from torchmetrics import IoU"}, "IoU", "torchmetrics.JaccardIndex(task="),
}
"""By its kind: what the program does, how it names it, and how what stands for it begins."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("parts", "name", "today"), OLD_METRICS.values(), ids=OLD_METRICS)
def test_a_program_for_torchmetrics_before_0_11_is_told_what_to_write(
    tmp_path, monkeypatch, server, parts, name, today
):
    empty = dict.fromkeys(("above", "init", "method", "before", "arguments", "after"), "")
    text = PROGRAM.replace("import torch\n", "import torch\nimport torchmetrics\n")
    text = text.format(**{**empty, "arguments": "max_epochs=1", **parts})
    failure = run(tmp_path, monkeypatch, server, text)

    line = next(number for number, line in enumerate(text.splitlines(), 1) if next(iter(parts.values())) in line)
    assert failure.place == f"train.py:{line}"
    assert failure.hint.startswith(f"It is written for an older torchmetrics: instead of `{name}` write `{today}")


def test_a_missing_task_of_the_programs_own_is_not_explained(tmp_path, monkeypatch, server):
    text = PROGRAM.format(
        above="def accuracy_of(task): pass", init="accuracy_of()", method="", before="", arguments="", after=""
    )
    failure = run(tmp_path, monkeypatch, server, text)

    assert failure.hint is None


def test_a_hook_of_a_system_is_shown_at_its_own_line(tmp_path, monkeypatch, server):
    text = PROGRAM.format(
        above="", init="", method="def training_epoch_end(self, outputs): pass", before="", arguments="", after=""
    )
    text = text.partition("dl = ")[0] + "def dataloaders():\n    return DataLoader(torch.ones(4, 2))\n"
    failure = run(tmp_path, monkeypatch, server, text, "system")

    assert (failure.place, failure.code) == ("train.py:14", "def training_epoch_end(self, outputs): pass")


@pytest.mark.parametrize("raised", ["AttributeError(\"'Mine' object has no attribute 'tune'\")", "ValueError('gpus')"])
def test_an_error_of_the_programs_own_is_not_explained(tmp_path, monkeypatch, server, raised):
    text = PROGRAM.format(above="", init="", method="", before=f"raise {raised}", arguments="", after="")

    assert run(tmp_path, monkeypatch, server, text).hint is None


def test_the_table_holds_nothing_that_lightning_has():
    for owner in (pl.Trainer, LightningCLI):
        taken = inspect.signature(owner).parameters

        assert [name for name in taken if f"{owner.__name__}.{name}" in TODAY] == []

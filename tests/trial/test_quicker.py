"""What Lightning does for nothing is left out, and what it logs is the same to the last bit."""

import importlib
import sys
from types import ModuleType

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.connectors.logger_connector import result
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MeanMetric

from tests.events import scalars
from tune.internals.lightning_internals import skip_redundant_moves, skip_redundant_work

N_STEPS, N_EPOCHS = 6, 3


class Logs(pl.LightningModule):
    """Logs in all the ways that there are."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.mean = MeanMetric()

    def training_step(self, batch, index):
        loss = self.layer(batch[0]).square().mean()
        self.log("loss", loss, on_step=True, on_epoch=True)
        self.log("index", index, reduce_fx="max")
        self.log_dict({"least": loss, "half": loss.half()}, reduce_fx="min", on_step=False, on_epoch=True)
        self.mean(loss)
        self.log("mean", self.mean, on_step=True, on_epoch=True)
        return loss

    def on_train_epoch_end(self):
        self.log("epoch", float(self.current_epoch))

    def validation_step(self, batch, index, dataloader_idx=0):
        self.log("val", batch[0].mean())
        self.log("sum", batch[0].double().mean(), reduce_fx="sum", batch_size=3)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trained(folder, **more):
    """Train twice with one Trainer each, as a worker would, and return all that was logged."""
    pl.seed_everything(0, verbose=False)
    for _ in range(2):
        train, one, two = (DataLoader(TensorDataset(torch.randn(N_STEPS, 1))) for _ in range(3))
        logger = pl.loggers.TensorBoardLogger(folder)
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=N_EPOCHS,
            logger=logger,
            log_every_n_steps=1,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            **more,
        )
        trainer.fit(Logs(), train, [one, two])
    return scalars(folder), trainer


@pytest.fixture
def walks(monkeypatch):
    """Return the walks through all that Lightning keeps of a value, one entry each."""
    taken = []
    walk = result.apply_to_collection

    def counted(data, *args, **given):
        taken.append(data)
        return walk(data, *args, **given)

    monkeypatch.setattr(result, "apply_to_collection", counted)
    return taken


@pytest.mark.filterwarnings("ignore")
def test_what_is_logged_is_the_same_and_each_value_is_moved_once(tmp_path, walks):
    plain, _ = trained(tmp_path / "plain")
    n_plain = len(walks)
    walks.clear()
    with skip_redundant_work(pl):
        quick, _ = trained(tmp_path / "quick")

    assert quick == plain
    assert {"loss_step", "loss_epoch", "index", "least", "half", "mean_step", "epoch"} <= {*quick}
    assert {"val/dataloader_idx_0", "sum/dataloader_idx_1"} <= {*quick}
    assert n_plain > 4 * len(walks)


def test_a_value_on_another_device_is_moved():
    meta, cpu = torch.device("meta"), torch.device("cpu")
    moves = []

    class Kept:
        def to(self, device):
            moves.append(device)
            self.value = torch.zeros((), device=device)
            return self

    Kept.to = skip_redundant_moves(Kept.to)
    kept = Kept()
    for device in (cpu, cpu, meta, meta, cpu):
        assert kept.to(device).value.device == device
    assert moves == [cpu, meta, cpu]
    kept.value = torch.zeros((), device=meta)  # by somebody else
    assert kept.to(cpu).value.device == cpu
    assert moves == [cpu, meta, cpu, cpu]


def test_callbacks_of_installed_packages_are_looked_for_once_and_made_for_each_trainer(tmp_path, monkeypatch):
    (tmp_path / "plugin.py").write_text(
        "import pytorch_lightning as pl\nclass Mine(pl.Callback):\n    pass\ndef callbacks():\n    return [Mine()]\n"
    )
    info = tmp_path / "plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pytorch_lightning.callbacks_factory]\nmine = plugin:callbacks\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = importlib.import_module("lightning_fabric.utilities.registry")
    looks = []
    look = registry.entry_points

    def counted(**given):
        looks.append(given)
        return look(**given)

    monkeypatch.setattr(registry, "entry_points", counted)
    found = []
    for _ in range(2):
        with skip_redundant_work(pl):
            trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, max_epochs=1)
        found += [each for each in trainer.callbacks if type(each).__name__ == "Mine"]
    sys.modules.pop("plugin")

    assert len(looks) == 1
    assert len({id(each) for each in found}) == 2


def test_nothing_stays_and_a_lightning_without_such_functions_is_left_alone():
    before = result._ResultMetric.to
    with skip_redundant_work(pl):
        assert result._ResultMetric.to is not before
    assert result._ResultMetric.to is before

    with skip_redundant_work(ModuleType("lightning.other")):
        assert result._ResultMetric.to is before

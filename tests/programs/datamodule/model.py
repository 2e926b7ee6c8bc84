import pytorch_lightning as pl
import torch
from datamodule import ToyDataModule

MAX_EPOCHS = 2


class LinearModel(pl.LightningModule):
    def __init__(self, lr: float = 1e-2, momentum: float = 0.9, nesterov: bool = False):
        super().__init__()
        self.save_hyperparameters()
        self.w = torch.nn.Linear(3, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.log("batch", float(len(x)), on_step=False, on_epoch=True, reduce_fx="max")
        return (self.w(x).squeeze(1) - y).square().mean()

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", (self.w(x).squeeze(1) - y).square().mean())

    def configure_optimizers(self):
        hp = self.hparams
        return torch.optim.SGD(self.parameters(), lr=hp.lr, momentum=hp.momentum, nesterov=hp.nesterov)

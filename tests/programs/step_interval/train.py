"""Train by steps: epochs mean nothing to us."""

import pytorch_lightning as pl
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

cfg = {
    "lr": 0.1,
    "momentum": 0.5,
    "max_steps": 20,
    "val_every": 5,  # steps
}


class LM(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def training_step(self, batch, _):
        x, y = batch
        loss = nn.functional.cross_entropy(self.layer(x), y)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, _):
        x, y = batch
        out = self.layer(x)
        self.log_dict({"val/ce": nn.functional.cross_entropy(out, y), "val/acc": (out.argmax(1) == y).float().mean()})

    def configure_optimizers(self):
        return optim.SGD(self.parameters(), lr=cfg["lr"], momentum=cfg["momentum"])


pl.seed_everything(3)
x = torch.randn(40, 4)
dataset = TensorDataset(x, x[:, :3].argmax(1))
trainer = pl.Trainer(
    max_steps=cfg["max_steps"],
    val_check_interval=cfg["val_every"],
    check_val_every_n_epoch=None,
    log_every_n_steps=1,
)
trainer.fit(LM(), DataLoader(dataset, batch_size=6, shuffle=True), DataLoader(dataset, batch_size=20))

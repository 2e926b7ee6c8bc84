"""Trials that can be looked at in each state: STAGE says how one goes; `running` waits until it may end."""

import time
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

STAGE = "steady"
LR = 0.1
MAX_EPOCHS = 3
GO_ON = Path(__file__).with_name("go_on")  # once it is there

SCORES = {"steady": 0.5, "weak": 0.1}


class Stages(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 1)
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def on_train_epoch_start(self):
        if self.current_epoch == 1 and STAGE == "raises":
            raise RuntimeError("no second epoch")
        while self.current_epoch == 1 and STAGE == "running" and not GO_ON.exists():
            time.sleep(0.05)

    def training_step(self, batch, idx):
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, idx):
        self.log("Score/Val", SCORES.get(STAGE, 0.7) + 0.01 * self.current_epoch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)


def dataloaders():
    data = TensorDataset(torch.zeros(8, 2))
    return DataLoader(data, batch_size=4), DataLoader(data, batch_size=4)

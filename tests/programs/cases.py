"""One trial of each kind: CASE says how it goes."""

import os
import time
from functools import partial

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CASE = "steady"
TWICE = CASE + CASE
MAX_EPOCHS = 3
PACE_S = 0.2  # of an epoch
TEARDOWN_S = 5

SCORES = {"steady": 0.5, "weak": 0.1, "slow end": 0.1}


class Cases(pl.LightningModule):
    def __init__(self):
        super().__init__()
        if CASE == "never built":
            raise ValueError("this cannot be built")
        self.net = nn.Linear(2, 1)
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def on_fit_start(self):
        print("twice:", TWICE, flush=True)

    def on_train_epoch_start(self):
        time.sleep(PACE_S if CASE == "steady" else 2 * PACE_S)  # the baseline reports first
        if self.current_epoch == 1:
            if CASE == "dies":
                os._exit(3)
            if CASE == "raises":
                raise RuntimeError("no second epoch")

    def training_step(self, batch, idx):
        loss = self.net(batch[0]).square().mean()
        self.log("Loss/Train", loss)
        return loss

    def validation_step(self, batch, idx):
        self.log("Loss/Val", self.net(batch[0]).square().mean())
        self.log("Score/Val", self.score())

    def score(self):
        if CASE == "nan" and self.current_epoch == 1:
            return float("nan")
        return SCORES.get(CASE, 0.7) + 0.01 * self.current_epoch

    def on_train_end(self):
        if CASE == "slow end":
            time.sleep(TEARDOWN_S)
        print("the end")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-2)


def dataloaders():
    data = TensorDataset(torch.zeros(8, 2))
    return DataLoader(data, batch_size=4), DataLoader(data, batch_size=4)

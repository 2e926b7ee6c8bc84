"""Scores what its constants say, in milliseconds: what is best, and what is on the front, can be told by hand."""

from functools import partial

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

X = 0.5
KIND = "flat"
STEEP = 1.0
D = 4
N = 2
OFFSET = 0.0
MAX_EPOCHS = 2


class Known(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(1, 1)
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def training_step(self, batch, idx):
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, idx):
        gain = 0.5 * STEEP if KIND == "steep" else 0.0
        self.log("Score", 8 * X + gain + D / 16 + OFFSET + self.current_epoch / 64)
        self.log("Cost", float(D * N))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloaders():
    loader = DataLoader(TensorDataset(torch.rand(4, 1)), batch_size=4)
    return loader, loader

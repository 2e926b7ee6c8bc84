"""The program of the golden experiment: two constants, validation each epoch."""

from functools import partial

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR = 0.01
HIDDEN = 4


class Net(pl.LightningModule):
    """A batch is ``x`` (B, 2) and ``y`` (B, 1), both float32."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def step(self, batch):
        """Return the mean squared error of a batch."""
        x, y = batch
        return nn.functional.mse_loss(self.net(x), y)

    def training_step(self, batch, index):
        """Return the loss of a batch."""
        loss = self.step(batch)
        self.log("Loss/Train", loss)
        return loss

    def validation_step(self, batch, index):
        """Log the loss of a batch."""
        self.log("Loss/Val", self.step(batch))

    def configure_optimizers(self):
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), lr=LR)


def dataloaders():
    """Return the loaders of training and validation: 64 points of a plane."""
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(x, x.sum(1, keepdim=True))
    return DataLoader(data, batch_size=16, shuffle=True), DataLoader(data, batch_size=16)

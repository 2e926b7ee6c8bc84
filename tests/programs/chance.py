"""A score that is drawn: EFFECT, and noise of standard deviation 1 from the global generator, which SHIFT seeds."""

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

SHIFT = 0
EFFECT = 0.0
MAX_EPOCHS = 2

torch.manual_seed(SHIFT)


class Chance(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, idx):
        return self.weight.sum()

    def validation_step(self, batch, idx):
        self.log("Score/Val", EFFECT + torch.randn(()).item())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def dataloaders():
    return DataLoader([0.0, 1.0], batch_size=2), DataLoader([0.0], batch_size=1)

"""Two nets, two optimizers, two schedulers: manual optimization, as a GAN has it."""

from functools import partial

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR_A = 1e-2
LR_B = 1e-3
GAMMA = 0.5
MAX_EPOCHS = 2


class Pair(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 1)
        self.b = nn.Linear(2, 1)
        self.automatic_optimization = False
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def step(self, x, y):
        return self.a(x).squeeze(1) - y, self.b(x).squeeze(1) + y

    def training_step(self, batch, idx):
        for name, error, optimizer in zip("AB", self.step(*batch), self.optimizers()):
            loss = error.square().mean()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            self.log(f"{name}/Train", loss)

    def on_train_epoch_end(self):
        for scheduler in self.lr_schedulers():
            scheduler.step()

    def validation_step(self, batch, idx):
        for name, error in zip("AB", self.step(*batch)):
            self.log(f"{name}/Val", error.square().mean())

    def configure_optimizers(self):
        opt1 = torch.optim.Adam(self.a.parameters(), lr=LR_A)
        opt2 = torch.optim.SGD(self.b.parameters(), lr=LR_B)
        sch1 = torch.optim.lr_scheduler.ExponentialLR(opt1, GAMMA)
        sch2 = torch.optim.lr_scheduler.StepLR(opt2, 1, GAMMA)
        return [opt1, opt2], [sch1, sch2]


def dataloaders():
    x = torch.linspace(-1, 1, 64).reshape(32, 2)
    dl = partial(DataLoader, batch_size=8)
    return dl(TensorDataset(x, x.sum(1))), dl(TensorDataset(x, x.sum(1)))

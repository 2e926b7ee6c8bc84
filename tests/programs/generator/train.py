"""Reproducible, as https://pytorch.org/docs/stable/notes/randomness.html has it."""

import random

import numpy
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

LR = 0.05
NOISE = 0.1


class Noisy(Dataset):
    def __init__(self, n):
        self.x = torch.linspace(-1, 1, n)[:, None]
        self.rng = numpy.random.default_rng(n)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        jitter = NOISE * numpy.random.randn() + 0.01 * random.random()
        return self.x[i] + float(jitter) + 0.1 * self.rng.random(), self.x[i].square()


def seed_worker(worker_id):
    worker_seed = torch.initial_seed() % 2**32
    numpy.random.seed(worker_seed)
    random.seed(worker_seed)


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        if random.random() < 0.5:
            x = x + 0.01 * numpy.random.randn()
        loss = nn.functional.mse_loss(self.net(x.float()), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", nn.functional.mse_loss(self.net(x.float()), y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=LR)


if __name__ == "__main__":
    pl.seed_everything(0)
    g = torch.Generator()
    g.manual_seed(0)
    train = DataLoader(Noisy(24), batch_size=6, shuffle=True, worker_init_fn=seed_worker, generator=g)
    val = DataLoader(Noisy(12), batch_size=12)
    pl.Trainer(max_epochs=4, log_every_n_steps=1).fit(Net(), train, val)

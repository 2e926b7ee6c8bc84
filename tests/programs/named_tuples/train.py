from collections import namedtuple
from typing import NamedTuple

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Hyper(NamedTuple):
    lr: float = 1e-2
    hidden: int = 8
    epochs: int = 2


Data = namedtuple("Data", ["batch_size", "n_samples"], defaults=[4, 16])

HP = Hyper()
DATA = Data()


class Net(LightningModule):
    def __init__(self, hp=HP):
        super().__init__()
        self.hp = hp
        self.f = nn.Sequential(nn.Linear(1, hp.hidden), nn.Linear(hp.hidden, 1))

    def training_step(self, batch, i):
        return self.f(batch[0]).square().mean()

    def validation_step(self, batch, i):
        self.log("val_loss", self.f(batch[0]).square().mean())
        self.log("batch", float(len(batch[0])))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hp.lr)


if __name__ == "__main__":
    dl = DataLoader(TensorDataset(torch.ones(DATA.n_samples, 1)), batch_size=DATA.batch_size)
    Trainer(max_epochs=HP.epochs).fit(Net(), dl, dl)

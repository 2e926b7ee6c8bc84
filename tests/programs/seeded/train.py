import sys

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 42
pl.seed_everything(SEED, workers=True)
torch.manual_seed(7)

params = {"lr": 0.01, "depth": 1}
for word in sys.argv[1:]:
    key, value = word.split("=")
    params[key] = type(params[key])(value)


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(*[nn.Linear(2, 2) for _ in range(params["depth"])])

    def training_step(self, batch, i):
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, i):
        self.log("val", self.net(batch[0]).square().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=params["lr"])


np.random.seed(0)
dl = DataLoader(TensorDataset(torch.randn(8, 2)), batch_size=4)
pl.Trainer(max_epochs=2).fit(Net(), dl, dl)

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import StochasticWeightAveraging
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SWA_LR = 1e-2
SWA_START = 0.5
LR = 0.05


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 1))

    def training_step(self, batch, i):
        loss = (self.net(batch[0]).squeeze(1) - batch[1]).square().mean()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, i):
        self.log("val/loss", (self.net(batch[0]).squeeze(1) - batch[1]).square().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)


if __name__ == "__main__":
    pl.seed_everything(2)
    x = torch.randn(32, 2)
    loader = DataLoader(TensorDataset(x, x.prod(1)), batch_size=8, shuffle=True)
    val = DataLoader(TensorDataset(x, x.prod(1)), batch_size=16)
    averaging = StochasticWeightAveraging(swa_lrs=SWA_LR, swa_epoch_start=SWA_START, annealing_epochs=2)
    pl.Trainer(max_epochs=6, callbacks=[averaging], log_every_n_steps=1).fit(Net(), loader, val)

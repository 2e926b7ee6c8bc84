import pytorch_lightning as pl
import torch
from hparams import BATCH_SIZE, DROPOUT, HIDDEN, LR
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class LitMLP(pl.LightningModule):
    def __init__(self, hidden=HIDDEN, lr=LR, dropout=DROPOUT):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.mse_loss(self.net(x), y)
        self.log("loss/train", loss, on_step=False, on_epoch=True)
        self.log("batch", float(len(x)), on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("loss/val", nn.functional.mse_loss(self.net(x), y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


def loader(n, batch_size=BATCH_SIZE):
    x = torch.linspace(-1, 1, 2 * n).reshape(n, 2)
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=batch_size)


def dataloaders():
    return loader(20), loader(10)

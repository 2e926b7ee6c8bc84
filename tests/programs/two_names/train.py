import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "src"))

import pytorch_lightning as pl
import torch
from src import config as cfg
from src.model import build
from torch.utils.data import DataLoader, TensorDataset


class Regressor(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = build()
        self.width = self.net[0].out_features
        self.expected = cfg.hidden_dim

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = nn_loss(self.net(x).squeeze(1), y)
        self.log("train-loss : ", loss, on_epoch=True, on_step=False)
        self.log("width", float(self.width), on_epoch=True, on_step=False)
        self.log("expected", float(self.expected), on_epoch=True, on_step=False)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=cfg.lr)


nn_loss = torch.nn.MSELoss()


def main():
    x = torch.randn(24, cfg.n_features)
    trainer = pl.Trainer(max_epochs=2, logger=False, enable_checkpointing=False)
    trainer.fit(Regressor(), DataLoader(TensorDataset(x, x.mean(1)), batch_size=6))


if __name__ == "__main__":
    main()

from dataclasses import asdict, dataclass, field

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Config:
    lr: float = 1e-3
    hidden: int = 16
    batch_size: int = 8
    betas: tuple = (0.9, 0.999)
    sizes: list = field(default_factory=lambda: [4, 4])
    max_epochs: int = 2


CFG = Config()


class Model(pl.LightningModule):
    def __init__(self, cfg: Config = CFG):
        super().__init__()
        self.cfg = cfg
        self.save_hyperparameters(asdict(cfg))
        self.body = nn.Sequential(nn.Linear(4, cfg.hidden), nn.ReLU(), nn.Linear(cfg.hidden, 1))

    def training_step(self, batch, batch_idx):
        loss = self.body(batch[0]).square().mean()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.body(batch[0]).square().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.cfg.lr, betas=self.cfg.betas)


if __name__ == "__main__":
    data = DataLoader(TensorDataset(torch.randn(32, 4)), batch_size=CFG.batch_size)
    trainer = pl.Trainer(max_epochs=CFG.max_epochs, log_every_n_steps=1)
    trainer.fit(Model(), data, data)

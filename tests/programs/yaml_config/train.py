"""Configuration as hydra has it, without hydra: conf/config.yaml and `a.b=c` on the command line."""

import sys
from pathlib import Path

import pytorch_lightning as pl
import torch
import yaml
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load_config(words):
    config = yaml.safe_load((Path(__file__).parent / "conf" / "config.yaml").read_text())
    for word in words:
        path, _, value = word.partition("=")
        *parents, last = path.split(".")
        node = config
        for key in parents:
            node = node[key]
        node[last] = yaml.safe_load(value)
    return config


class Module(pl.LightningModule):
    def __init__(self, cfg):
        super().__init__()
        self.save_hyperparameters(cfg)
        self.cfg = cfg
        self.net = nn.Sequential(nn.Linear(2, cfg["model"]["width"]), nn.ReLU(), nn.Linear(cfg["model"]["width"], 1))

    def training_step(self, batch, batch_idx):
        loss = self.net(batch[0]).sub(batch[1]).square().mean()
        self.log("train/loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.net(batch[0]).sub(batch[1]).square().mean())

    def configure_optimizers(self):
        return getattr(torch.optim, self.cfg["optimizer"]["name"])(self.parameters(), lr=self.cfg["optimizer"]["lr"])


def main(cfg):
    pl.seed_everything(cfg["seed"], workers=True)
    x = torch.rand(30, 2)
    data = TensorDataset(x, x.prod(1, keepdim=True))
    train = DataLoader(data, batch_size=cfg["data"]["batch_size"], shuffle=True)
    trainer = pl.Trainer(**cfg["trainer"])
    trainer.fit(Module(cfg), train, DataLoader(data, batch_size=30))
    return trainer.callback_metrics["val/loss"]


if __name__ == "__main__":
    main(load_config(sys.argv[1:]))

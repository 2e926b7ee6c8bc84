from argparse import ArgumentParser

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import LearningRateMonitor
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, TensorDataset


class CycleModel(pl.LightningModule):
    def __init__(self, max_lr=0.1, pct_start=0.3, **kwargs):
        super().__init__()
        self.save_hyperparameters()
        self.mlp = nn.Sequential(nn.Linear(3, 12), nn.GELU(), nn.Dropout(0.1), nn.Linear(12, 1))

    def forward(self, x):
        return self.mlp(x).squeeze(-1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.smooth_l1_loss(self(x), y)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.smooth_l1_loss(self(x), y)
        self.log("val_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.max_lr)
        scheduler = OneCycleLR(
            optimizer,
            max_lr=self.hparams.max_lr,
            total_steps=self.trainer.estimated_stepping_batches,
            pct_start=self.hparams.pct_start,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def cli():
    parser = ArgumentParser()
    parser.add_argument("--max_lr", type=float, default=0.1)
    parser.add_argument("--pct_start", type=float, default=0.3)
    parser.add_argument("--max_epochs", type=int, default=4)
    parser.add_argument("--accumulate", type=int, default=2)
    hparams = parser.parse_args()
    pl.seed_everything(1234)
    x = torch.rand(50, 3)
    ds = TensorDataset(x, x.pow(2).sum(1))
    trainer = pl.Trainer(
        max_epochs=hparams.max_epochs,
        accumulate_grad_batches=hparams.accumulate,
        callbacks=[LearningRateMonitor(logging_interval="step")],
        log_every_n_steps=1,
    )
    trainer.fit(CycleModel(**vars(hparams)), DataLoader(ds, 5, shuffle=True), DataLoader(ds, 25))


if __name__ == "__main__":
    cli()

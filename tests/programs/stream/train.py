import argparse

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, IterableDataset


class Stream(IterableDataset):
    """An endless stream of points."""

    def __init__(self, n=None, seed=0):
        self.n, self.seed = n, seed

    def __iter__(self):
        i = 0
        rng = torch.Generator().manual_seed(self.seed)
        while self.n is None or i < self.n:
            x = torch.randn(3, generator=rng)
            yield x, x.sum()
            i += 1


class Linear(pl.LightningModule):
    def __init__(self, lr):
        super().__init__()
        self.save_hyperparameters()
        self.w = torch.nn.Linear(3, 1)

    def loss(self, batch):
        x, y = batch
        noise = torch.randn_like(x) * 0.1 if self.training else 0.0
        return (self.w(x + noise).squeeze(1) - y).square().mean()

    def training_step(self, batch, batch_idx):
        loss = self.loss(batch)
        self.log("train/mse", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val/mse", self.loss(batch), batch_size=len(batch[0]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--max-steps", type=int, default=24)
    args = parser.parse_args()
    pl.seed_everything(5)
    trainer = pl.Trainer(max_steps=args.max_steps, val_check_interval=6, log_every_n_steps=3)
    trainer.fit(
        Linear(args.lr),
        DataLoader(Stream(), batch_size=args.batch_size),
        DataLoader(Stream(n=20, seed=1), batch_size=10),
    )

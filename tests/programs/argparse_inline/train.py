#!/usr/bin/env python
from argparse import ArgumentParser

import pytorch_lightning as pl
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class LitClassifier(pl.LightningModule):
    def __init__(self, hidden_dim: int = 128, learning_rate: float = 1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.l1 = torch.nn.Linear(5, self.hparams.hidden_dim)
        self.l2 = torch.nn.Linear(self.hparams.hidden_dim, 2)

    def forward(self, x):
        return self.l2(torch.relu(self.l1(x)))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("batch", float(len(x)), on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("valid_loss", F.cross_entropy(self(x), y))

    def test_step(self, batch, batch_idx):
        x, y = batch
        self.log("test_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.learning_rate)

    @staticmethod
    def add_model_specific_args(parent_parser):
        parser = ArgumentParser(parents=[parent_parser], add_help=False)
        parser.add_argument("--hidden_dim", type=int, default=16)
        parser.add_argument("--learning_rate", "--lr", type=float, default=0.001)
        return parser


def cli_main():
    parser = ArgumentParser()
    parser.add_argument("--batch_size", default=8, type=int)
    parser.add_argument("--max-epochs", default=2, type=int)
    parser.add_argument("--name", required=True)
    parser = LitClassifier.add_model_specific_args(parser)
    args = parser.parse_args()

    x = torch.randn(32, 5)
    ds = TensorDataset(x, (x.sum(1) > 0).long())
    train, val, test = (DataLoader(ds, batch_size=args.batch_size) for _ in range(3))
    model = LitClassifier(args.hidden_dim, args.learning_rate)
    trainer = pl.Trainer(max_epochs=args.max_epochs, default_root_dir="runs/" + args.name)
    trainer.fit(model, train, val)
    print(trainer.test(dataloaders=test, ckpt_path=None, model=model))


if __name__ == "__main__":
    cli_main()

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

from . import LR
from .nets import MLP


class System(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mlp = MLP()

    def training_step(self, batch, i):
        loss = self.mlp(batch[0]).square().mean()
        self.log("train/loss", loss, on_epoch=True, on_step=False)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)


def main():
    pl.Trainer(max_epochs=2).fit(System(), DataLoader(TensorDataset(torch.ones(8, 2)), batch_size=4))


if __name__ == "__main__":
    main()

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset, random_split


class ToyDataModule(pl.LightningDataModule):
    def __init__(self, batch_size: int = 8, n: int = 40, num_workers: int = 0):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage=None):
        x = torch.randn(self.hparams.n, 3)
        self.train, self.val = random_split(TensorDataset(x, x @ torch.tensor([1.0, -2.0, 3.0])), [0.8, 0.2])

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=self.hparams.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, batch_size=self.hparams.batch_size)

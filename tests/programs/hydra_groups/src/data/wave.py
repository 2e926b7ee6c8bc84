import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset


class WaveData(LightningDataModule):
    def __init__(self, batch_size: int = 64, n: int = 512, num_workers: int = 0):
        super().__init__()
        self.save_hyperparameters(logger=False)

    def setup(self, stage=None):
        g = torch.Generator().manual_seed(3)
        x = torch.randn(self.hparams.n, 4, generator=g)
        y = torch.sin(x.sum(1, keepdim=True))
        k = 3 * self.hparams.n // 4
        self.parts = TensorDataset(x[:k], y[:k]), TensorDataset(x[k:], y[k:])

    def train_dataloader(self):
        return DataLoader(self.parts[0], self.hparams.batch_size, shuffle=True, num_workers=self.hparams.num_workers)

    def val_dataloader(self):
        return DataLoader(self.parts[1], 128)

    test_dataloader = val_dataloader

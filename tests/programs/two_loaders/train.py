import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Data(pl.LightningDataModule):
    def __init__(self, batch_size: int = 8):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage):
        rng = torch.Generator().manual_seed(0)
        x = torch.randn(60, 4, generator=rng)
        y = (x[:, 0] > x[:, 1]).long()
        self.train = TensorDataset(x[:32], y[:32])
        self.seen = TensorDataset(x[32:44], y[32:44])
        self.shifted = TensorDataset(x[44:] + 0.5, y[44:])

    def train_dataloader(self):
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self):
        return [DataLoader(each, self.batch_size) for each in (self.seen, self.shifted)]


class Classifier(pl.LightningModule):
    def __init__(self, width: int = 8, lr: float = 1e-2):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, 2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.cross_entropy(self.net(x), y)

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        x, y = batch
        self.log("val_loss", nn.functional.cross_entropy(self.net(x), y), prog_bar=True)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=self.hparams.lr)


def main():
    pl.seed_everything(42)
    pl.Trainer(max_epochs=4, log_every_n_steps=1).fit(Classifier(), datamodule=Data())


if __name__ == "__main__":
    main()

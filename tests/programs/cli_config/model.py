import torch
from pytorch_lightning import LightningModule
from torch import nn


class Net(LightningModule):
    def __init__(self, width: int = 4, batch_size: int = 4, dropout: float = 0.0):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1))

    def loss(self, batch):
        return nn.functional.l1_loss(self.net(batch[0]).squeeze(1), batch[1])

    def training_step(self, batch, batch_idx):
        loss = self.loss(batch)
        self.log("train_l1", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_l1", self.loss(batch))

    def test_step(self, batch, batch_idx):
        self.log("test_l1", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)

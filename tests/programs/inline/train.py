from functools import partial

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class LitMNIST(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Dropout(0.2), nn.Linear(10, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.cross_entropy(self.net(x), y)
        self.log("train_loss", loss)
        self.log("seen", float(len(x)))
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", nn.functional.cross_entropy(self.net(x), y))

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10, 0.5)
        return [optimizer], [scheduler]


x = torch.randn(32, 6)
ds = TensorDataset(x, x[:, :3].argmax(1))
dl = partial(DataLoader, batch_size=8, num_workers=0)
trainer = pl.Trainer(max_epochs=3, log_every_n_steps=2)
trainer.fit(LitMNIST(), dl(ds, shuffle=True), dl(ds))

from functools import partial

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR = 1e-2  # of Adam
ACCUMULATE = 3  # batches in a step
CLIP = 1.0  # norm of the gradients


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        self.loss_fn = nn.CrossEntropyLoss()
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def training_step(self, batch, idx):
        x, y = batch
        loss = self.loss_fn(self.net(x), y)
        self.log("CE/Train", loss)
        return loss

    def validation_step(self, batch, idx):
        x, y = batch
        logits = self.net(x)
        self.log("CE/Val", self.loss_fn(logits, y))
        self.log("Accuracy/Val", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=LR)
        return {"optimizer": opt, "lr_scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(opt, 5)}


if __name__ == "__main__":
    pl.seed_everything(11, workers=True)
    points = torch.randn(60, 2)
    data = TensorDataset(points, (points.prod(1) > 0).long())
    trainer = pl.Trainer(max_epochs=5, accumulate_grad_batches=ACCUMULATE, gradient_clip_val=CLIP, log_every_n_steps=1)
    trainer.fit(Net(), DataLoader(data, 6, shuffle=True), DataLoader(data, 30))

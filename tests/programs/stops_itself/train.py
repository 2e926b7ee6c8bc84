import math

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

LR = 0.05
TARGET = 0.2


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(2, 1)
        self.lowest = math.inf

    def forward(self, x):
        return self.fc(x).squeeze(1)

    def training_step(self, batch, batch_idx):
        return (self(batch[0]) - batch[1]).square().mean()

    def on_validation_epoch_start(self):
        self.errors = []

    def validation_step(self, batch, batch_idx):
        self.errors.append((self(batch[0]) - batch[1]).abs())

    def on_validation_epoch_end(self):
        error = torch.cat(self.errors).median()
        self.log_dict({"median": error, "lr": self.optimizers().param_groups[0]["lr"]})
        if error < TARGET:
            self.trainer.should_stop = True

    def configure_optimizers(self):
        opt = torch.optim.SGD(self.parameters(), lr=LR)
        return [opt], [{"scheduler": torch.optim.lr_scheduler.LinearLR(opt, 1.0, 0.1, 10), "interval": "step"}]


if __name__ == "__main__":
    pl.seed_everything(23)
    x = torch.randn(40, 2)
    ds = TensorDataset(x, x.sum(1))
    trainer = pl.Trainer(max_epochs=-1, max_time={"minutes": 5}, logger=False, enable_checkpointing=False)
    trainer.fit(Model(), DataLoader(ds, 8, shuffle=True), DataLoader(ds, 20))

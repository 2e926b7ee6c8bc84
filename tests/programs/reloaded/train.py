import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import GradientAccumulationScheduler
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

LR = 0.1
SPREAD = 1.0


class CurriculumModule(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Linear(2, 1)
        self.best = float("inf")

    def train_dataloader(self):
        difficulty = 1 + self.current_epoch
        x = torch.from_numpy(np.random.normal(0, SPREAD * difficulty, (24, 2))).float()
        weights = torch.linspace(0.1, 1, 24)
        return DataLoader(TensorDataset(x, x.sum(1)), 6, sampler=WeightedRandomSampler(weights, 24))

    def val_dataloader(self):
        x = torch.linspace(-2, 2, 20).reshape(10, 2)
        return DataLoader(TensorDataset(x, x.sum(1)), 5)

    def training_step(self, batch, batch_idx):
        loss = (self.w(batch[0]).squeeze(1) - batch[1]).square().mean()
        self.log("train", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val", (self.w(batch[0]).squeeze(1) - batch[1]).square().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=LR)


pl.seed_everything(20)
trainer = pl.Trainer(
    max_epochs=4,
    reload_dataloaders_every_n_epochs=1,
    callbacks=[GradientAccumulationScheduler({0: 1, 2: 2})],
    log_every_n_steps=1,
)
trainer.fit(CurriculumModule())

import pytorch_lightning as pl
import torch
from torch import nn


class AE(pl.LightningModule):
    def __init__(self, code_size=2):
        super().__init__()
        self.save_hyperparameters()
        self.enc = nn.Sequential(nn.Linear(5, code_size), nn.Tanh())
        self.dec = nn.Linear(code_size, 5)

    def training_step(self, batch, batch_idx):
        loss = nn.functional.mse_loss(self.dec(self.enc(batch[0])), batch[0])
        self.log("ae/train", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", nn.functional.mse_loss(self.dec(self.enc(batch[0])), batch[0]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=AE_LR)


AE_LR = 1e-2

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LEARNING_RATE = 1e-2
WEIGHT_DECAY = 1e-3


class LitNet(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))

    def shared_step(self, batch, stage):
        x, y = batch
        loss = nn.functional.mse_loss(self.net(x), y)
        self.log(f"{stage}_loss", loss, on_step=True, on_epoch=True, prog_bar=True, logger=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self.shared_step(batch, "train")

    def validation_step(self, batch, batch_idx):
        return self.shared_step(batch, "val")

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)


if __name__ == "__main__":
    pl.seed_everything(33)
    x = torch.randn(40, 3)
    ds = TensorDataset(x, x.cos().sum(1, keepdim=True))
    trainer = pl.Trainer(max_epochs=4, log_every_n_steps=1)
    trainer.fit(LitNet(), DataLoader(ds, batch_size=10, shuffle=True), DataLoader(ds, batch_size=16))

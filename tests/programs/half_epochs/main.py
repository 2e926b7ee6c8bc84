import torch
from pytorch_lightning import LightningModule, Trainer, seed_everything
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

BATCH_SIZE = 8
LEARNING_RATE = 0.05


class Regressor(LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 1))

    def _mse(self, batch):
        x, y = batch
        return nn.functional.mse_loss(self.net(x).squeeze(1), y)

    def training_step(self, batch, batch_idx):
        loss = self._mse(batch)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self._mse(batch))

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=LEARNING_RATE)


if __name__ == "__main__":
    seed_everything(1, workers=True)
    x = torch.randn(64, 3)
    train, val = random_split(TensorDataset(x, x.sin().sum(1)), [0.75, 0.25])
    trainer = Trainer(max_epochs=3, val_check_interval=0.5, log_every_n_steps=1)
    trainer.fit(Regressor(), DataLoader(train, BATCH_SIZE, shuffle=True), DataLoader(val, BATCH_SIZE))

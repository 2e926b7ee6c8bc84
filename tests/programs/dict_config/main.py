import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

config = {
    "model": {"hidden": 8, "dropout": 0.1},
    "optim": {"lr": 1e-2, "name": "Adam"},
    "epochs": 2,
    "batch_size": 8,
}
MODEL_CONFIG = config["model"]
BATCHES = 32 // config["batch_size"]


class LitModel(pl.LightningModule):
    def __init__(self, hidden, dropout):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(3, hidden), nn.Dropout(dropout), nn.Linear(hidden, 1))

    def training_step(self, batch, batch_idx):
        loss = self.net(batch[0]).abs().mean()
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_mae", self.net(batch[0]).abs().mean())

    def configure_optimizers(self):
        return getattr(torch.optim, config["optim"]["name"])(self.parameters(), lr=config["optim"]["lr"])


def main(config):
    x = torch.rand(32, 3)
    dl = DataLoader(TensorDataset(x), batch_size=config["batch_size"])
    trainer = pl.Trainer(max_epochs=config["epochs"], limit_train_batches=BATCHES)
    trainer.fit(LitModel(**MODEL_CONFIG), dl, dl)


if __name__ == "__main__":
    main(config)

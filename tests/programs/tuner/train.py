import pytorch_lightning as pl
import torch
from pytorch_lightning.tuner import Tuner
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WEIGHT_DECAY = 1e-2
HIDDEN = 8


class Net(pl.LightningModule):
    def __init__(self, learning_rate=1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(2, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))

    def training_step(self, batch, batch_idx):
        loss = (self.net(batch[0]) - batch[1]).square().mean()
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("loss/val", (self.net(batch[0]) - batch[1]).square().mean())

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.hparams.learning_rate, weight_decay=WEIGHT_DECAY)


def main():
    pl.seed_everything(16)
    x = torch.randn(40, 2)
    ds = TensorDataset(x, x.sum(1, keepdim=True))
    train, val = DataLoader(ds, 5, shuffle=True), DataLoader(ds, 20)
    model = Net()
    trainer = pl.Trainer(max_epochs=3, log_every_n_steps=1)
    found = Tuner(trainer).lr_find(model, train, val, num_training=15, update_attr=False)
    model.hparams.learning_rate = min(found.suggestion() or 1e-3, 0.1)
    trainer.fit(model, train, val)


if __name__ == "__main__":
    main()

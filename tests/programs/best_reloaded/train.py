import os

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR = 0.3
HIDDEN = 4


class Model(pl.LightningModule):
    def __init__(self, hidden=HIDDEN):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def loss(self, batch):
        return nn.functional.binary_cross_entropy_with_logits(self.net(batch[0]).squeeze(1), batch[1])

    def training_step(self, batch, batch_idx):
        loss = self.loss(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.loss(batch))

    def test_step(self, batch, batch_idx):
        self.log("test_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR, momentum=0.9)


def main():
    pl.seed_everything(3)
    x = torch.randn(48, 2)
    y = (x.prod(1) > 0).float()
    train, val, test = (DataLoader(TensorDataset(x[i::3], y[i::3]), batch_size=8, shuffle=i == 0) for i in range(3))
    checkpoint = ModelCheckpoint(dirpath="checkpoints", filename="best", monitor="val_loss", mode="min")
    trainer = pl.Trainer(max_epochs=5, callbacks=[checkpoint], log_every_n_steps=1)
    trainer.fit(Model(), train, val)

    path = os.path.join("checkpoints", "best.ckpt")
    assert os.path.exists(path)
    best = Model.load_from_checkpoint(path)
    assert abs(trainer.validate(best, val)[0]["val_loss"] - checkpoint.best_model_score.item()) < 1e-6
    trainer.test(best, test)
    trainer.test(ckpt_path="best", dataloaders=test)


if __name__ == "__main__":
    main()

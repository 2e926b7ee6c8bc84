import numpy as np
import pytorch_lightning as pl
import torch
from sklearn.model_selection import KFold
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

N_FOLDS = 3
LR = 0.05
HIDDEN = 6


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))

    def step(self, batch, name):
        x, y = batch
        logits = self.net(x)
        loss = nn.functional.cross_entropy(logits, y)
        self.log(f"{name}_loss", loss, on_epoch=True, on_step=False)
        self.log(f"{name}_acc", (logits.argmax(1) == y).float().mean(), on_epoch=True, on_step=False)
        return loss

    def training_step(self, batch, i):
        return self.step(batch, "train")

    def validation_step(self, batch, i):
        self.step(batch, "val")

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), LR)


def main():
    pl.seed_everything(0)
    x = torch.randn(45, 3)
    dataset = TensorDataset(x, (x.sum(1) > 0.3).long())
    results = []
    for fold, (train, val) in enumerate(KFold(N_FOLDS, shuffle=True, random_state=0).split(x)):
        trainer = pl.Trainer(max_epochs=3, log_every_n_steps=1)
        model = Model()
        trainer.fit(
            model,
            DataLoader(Subset(dataset, train), batch_size=10, shuffle=True),
            DataLoader(Subset(dataset, val), batch_size=15),
        )
        results.append(trainer.callback_metrics["val_loss"].item())
        print("fold", fold, results[-1])
    print("mean", np.mean(results))


if __name__ == "__main__":
    main()

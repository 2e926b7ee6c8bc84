import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import LearningRateFinder
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

MIN_LR = 1e-4
WIDTH = 8


class Net(pl.LightningModule):
    def __init__(self, lr=1e-3):
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(nn.Linear(2, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))

    def training_step(self, batch, batch_idx):
        loss = (self.net(batch[0]) - batch[1]).square().mean()
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", (self.net(batch[0]) - batch[1]).square().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)


if __name__ == "__main__":
    pl.seed_everything(6)
    x = torch.randn(40, 2)
    ds = TensorDataset(x, x.sum(1, keepdim=True))
    finder = LearningRateFinder(min_lr=MIN_LR, max_lr=0.5, num_training_steps=20)
    trainer = pl.Trainer(max_epochs=3, callbacks=[finder], log_every_n_steps=1)
    model = Net()
    trainer.fit(model, DataLoader(ds, 5, shuffle=True), DataLoader(ds, 20))
    print("lr", model.lr)

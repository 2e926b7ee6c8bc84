import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR = 1e-1
P = 0.5  # of dropout


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(P), nn.Linear(16, 1))

    def step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.mse_loss(self.net(x).squeeze(1), y)
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    training_step = step
    validation_step = step

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=LR)


if __name__ == "__main__":
    pl.seed_everything(17)
    x = torch.randn(40, 2)
    ds = TensorDataset(x, x.sum(1))
    pl.Trainer(max_epochs=4).fit(Net(), DataLoader(ds, 8, shuffle=True), DataLoader(ds, 20))

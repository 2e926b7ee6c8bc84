import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset


class hp:
    lr = 0.05
    batch = 6
    epochs = 7


class Reg(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.f = torch.nn.Linear(2, 1)

    def training_step(self, b, i):
        loss = (self.f(b[0]) - b[1]).pow(2).mean()
        self.log("train", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, b, i):
        self.log("val", (self.f(b[0]) - b[1]).pow(2).mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=hp.lr)


pl.seed_everything(99)
x = torch.randn(30, 2)
d = TensorDataset(x, x.sum(1, keepdim=True))
t = pl.Trainer(max_epochs=hp.epochs, check_val_every_n_epoch=2)
t.fit(Reg(), DataLoader(d, hp.batch, shuffle=True), DataLoader(d, 15))

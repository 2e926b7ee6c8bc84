import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

EPOCHS = 20
LR = 0.1
WARMUP = EPOCHS // 10
DECAY_STEPS = EPOCHS - WARMUP
MILESTONES = [EPOCHS // 2, EPOCHS * 3 // 4]

warmup = lambda epoch, n=WARMUP: min(1.0, (epoch + 1) / (n + 1))


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        loss = self.fc(x).pow(2).mean()
        self.log("rate", self.optimizers().param_groups[0]["lr"], on_epoch=True, on_step=False)
        self.log("warmup", float(WARMUP), on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.fc(batch[0]).pow(2).mean())

    def configure_optimizers(self):
        opt = torch.optim.SGD(self.parameters(), lr=LR)
        return [opt], [torch.optim.lr_scheduler.LambdaLR(opt, warmup)]


def dataloaders():
    ds = TensorDataset(torch.ones(12, 3))
    return DataLoader(ds, batch_size=4), DataLoader(ds, batch_size=4)


if __name__ == "__main__":
    pl.Trainer(max_epochs=EPOCHS).fit(Net(), *dataloaders())

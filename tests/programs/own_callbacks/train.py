import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, Timer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR = 0.5
MIN_DELTA = 0.0


class GradientNorm(Callback):
    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        norms = [p.grad.norm() for p in pl_module.parameters() if p.grad is not None]
        pl_module.log("grad_norm", torch.stack(norms).norm())


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self.fc(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        out = self.fc(batch[0])
        self.log("val_loss", nn.functional.cross_entropy(out, batch[1]))
        self.log("val_acc", (out.argmax(1) == batch[1]).float().mean())

    def configure_callbacks(self):
        stopping = EarlyStopping("val_loss", min_delta=MIN_DELTA, patience=2)
        return [stopping, ModelCheckpoint(monitor="val_acc", mode="max"), GradientNorm()]

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)


if __name__ == "__main__":
    pl.seed_everything(14)
    x = torch.randn(36, 3)
    ds = TensorDataset(x, (x[:, 0] > 0.2).long())
    trainer = pl.Trainer(max_epochs=8, callbacks=[Timer()], log_every_n_steps=1)
    trainer.fit(Net(), DataLoader(ds, 6, shuffle=True), DataLoader(ds, 18))

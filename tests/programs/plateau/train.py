import torch
from pytorch_lightning import LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import LearningRateMonitor
from pytorch_lightning.loggers import TensorBoardLogger
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

FACTOR = 0.5
LR = 0.8


class M(LightningModule):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        loss = (self.w(batch[0]).squeeze(1) - batch[1]).abs().mean()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", (self.w(batch[0]).squeeze(1) - batch[1]).abs().mean())

    def configure_optimizers(self):
        opt = torch.optim.SGD(self.parameters(), lr=LR)
        return {
            "optimizer": opt,
            "lr_scheduler": {"scheduler": ReduceLROnPlateau(opt, factor=FACTOR, patience=0), "monitor": "val/loss"},
        }


if __name__ == "__main__":
    seed_everything(5)
    x = torch.randn(24, 2)
    ds = TensorDataset(x, x[:, 0] - x[:, 1])
    trainer = Trainer(
        max_epochs=6,
        logger=TensorBoardLogger("runs", name="plateau"),
        callbacks=[LearningRateMonitor()],
        log_every_n_steps=1,
    )
    trainer.fit(M(), DataLoader(ds, 6, shuffle=True), DataLoader(ds, 12))

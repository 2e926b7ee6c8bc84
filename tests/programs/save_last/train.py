from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

LR = 0.1
BETA = 0.9


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        loss = (self.fc(batch[0]) - batch[1]).square().mean()
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", (self.fc(batch[0]) - batch[1]).square().mean(), on_epoch=True)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=LR, betas=(BETA, 0.99))


if __name__ == "__main__":
    pl.seed_everything(10)
    x = torch.randn(32, 2)
    ds = TensorDataset(x, x.sum(1, keepdim=True))
    saver = ModelCheckpoint("ckpt", "{epoch}-{val_loss:.3f}", monitor="val_loss", save_last=True, save_top_k=2)
    trainer = pl.Trainer(max_epochs=4, callbacks=[saver], log_every_n_steps=1)
    last = Path("ckpt/last.ckpt")
    trainer.fit(
        Net(), DataLoader(ds, 8, shuffle=True), DataLoader(ds, 16), ckpt_path=str(last) if last.exists() else None
    )
    assert last.exists()
    assert len(list(Path("ckpt").glob("epoch*.ckpt"))) == 2

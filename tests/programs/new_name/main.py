import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BATCH_SIZE = 8
LEARNING_RATE = 0.05
PATIENCE = 2


class LitClassifier(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.net(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        self.log_dict({"val_loss": F.cross_entropy(logits, y), "val_acc": (logits.argmax(1) == y).float().mean()})

    def test_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_acc", (self.net(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=LEARNING_RATE)


if __name__ == "__main__":
    pl.seed_everything(41)
    x = torch.randn(60, 2)
    y = (x.norm(dim=1) > 1.1).long()
    train, val, test = (DataLoader(TensorDataset(x[i::3], y[i::3]), BATCH_SIZE, shuffle=i == 0) for i in range(3))
    best = ModelCheckpoint(monitor="val_acc", mode="max")
    trainer = pl.Trainer(
        max_epochs=8,
        callbacks=[best, EarlyStopping("val_loss", patience=PATIENCE)],
        logger=[TensorBoardLogger("tb"), CSVLogger("csv")],
        log_every_n_steps=1,
    )
    trainer.fit(LitClassifier(), train, val)
    trainer.test(dataloaders=test, ckpt_path="best")

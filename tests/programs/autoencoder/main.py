import pytorch_lightning as pl
import torch
from pretrain import AE
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import TensorBoardLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR = 1e-2
PRETRAIN_EPOCHS = 2
EPOCHS = 4


class Head(pl.LightningModule):
    def __init__(self, ae):
        super().__init__()
        self.ae = ae.freeze() or ae
        self.fc = nn.Linear(ae.hparams.code_size, 2)

    def loss(self, batch):
        x, y = batch
        return nn.functional.cross_entropy(self.fc(self.ae.enc(x)), y)

    def training_step(self, batch, batch_idx):
        loss = self.loss(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.fc.parameters(), lr=LR)


def main():
    pl.seed_everything(9, workers=True)
    x = torch.randn(40, 5)
    ds = TensorDataset(x, (x[:, 0] > 0).long())
    train, val = DataLoader(ds, 8, shuffle=True), DataLoader(ds, 20)

    checkpoint = ModelCheckpoint(dirpath="ae", filename="ae", monitor="val_loss")
    trainer = pl.Trainer(
        max_epochs=PRETRAIN_EPOCHS, callbacks=[checkpoint], logger=TensorBoardLogger("logs", "ae"), log_every_n_steps=1
    )
    trainer.fit(AE(), train, val)
    ae = AE.load_from_checkpoint(checkpoint.best_model_path)

    trainer = pl.Trainer(max_epochs=EPOCHS, logger=TensorBoardLogger("logs", "head"), log_every_n_steps=1)
    trainer.fit(Head(ae), train, val)


if __name__ == "__main__":
    main()

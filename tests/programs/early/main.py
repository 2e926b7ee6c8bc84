import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lr = 0.4
patience = 1


class LitModel(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = (self.linear(x).squeeze(1) - y).abs().mean()
        self.log("train_mae", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_mae", (self.linear(x).squeeze(1) - y).abs().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=lr)


pl.seed_everything(0)
x = torch.randn(40, 2)
data = TensorDataset(x, x @ torch.tensor([1.0, -1.0]))
trainer = pl.Trainer(
    min_epochs=4,
    max_epochs=12,
    callbacks=EarlyStopping(monitor="val_mae", patience=patience, mode="min"),
    logger=CSVLogger("."),
    enable_progress_bar=False,
)
trainer.fit(LitModel(), DataLoader(data, batch_size=8, shuffle=True), DataLoader(data, batch_size=40))

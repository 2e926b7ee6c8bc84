import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

PRETRAIN_EPOCHS = 2
FINETUNE_EPOCHS = 3
PRETRAIN_LR = 1e-2
FINETUNE_LR = 1e-3
HIDDEN = 8


class AutoEncoder(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(4, HIDDEN)
        self.decoder = nn.Linear(HIDDEN, 4)

    def training_step(self, batch, batch_idx):
        x = batch[0]
        loss = nn.functional.mse_loss(self.decoder(self.encoder(x)), x)
        self.log("pretrain/loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=PRETRAIN_LR)


class Classifier(pl.LightningModule):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(HIDDEN, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.cross_entropy(self.head(self.encoder(x)), y)
        self.log("finetune/loss", loss)
        self.log("rate", self.optimizers().param_groups[0]["lr"])
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val/acc", (self.head(self.encoder(x)).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=FINETUNE_LR)


if __name__ == "__main__":
    x = torch.randn(32, 4)
    loader = DataLoader(TensorDataset(x, (x.sum(1) > 0).long()), batch_size=8)
    autoencoder = AutoEncoder()
    pl.Trainer(max_epochs=PRETRAIN_EPOCHS).fit(autoencoder, loader)
    trainer = pl.Trainer(max_epochs=FINETUNE_EPOCHS)
    trainer.fit(Classifier(autoencoder.encoder), loader, loader)

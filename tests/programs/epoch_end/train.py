import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR = 0.1
DROPOUT = 0.1


class Lit(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Linear(2, 5), nn.Sigmoid(), nn.Dropout(DROPOUT), nn.Linear(5, 1))
        self.train_losses, self.val_losses = [], []

    def training_step(self, batch, batch_idx):
        loss = (self.model(batch[0]) - batch[1]).abs().mean()
        self.train_losses.append(loss.detach())
        return loss

    def validation_step(self, batch, batch_idx):
        self.val_losses.append((self.model(batch[0]) - batch[1]).abs().mean())

    def on_train_epoch_end(self):
        # log here, so that train and val are comparable
        self.log("epoch_train_loss", torch.stack(self.train_losses).mean())
        self.log("epoch_val_loss", torch.stack(self.val_losses).mean())
        self.train_losses.clear()
        self.val_losses.clear()

    def configure_optimizers(self):
        return torch.optim.Adagrad(self.parameters(), lr=LR)


if __name__ == "__main__":
    pl.seed_everything(8)
    x = torch.randn(36, 2)
    ds = TensorDataset(x, x.sum(1, keepdim=True))
    trainer = pl.Trainer(max_epochs=4)
    trainer.fit(Lit(), DataLoader(ds, 6, shuffle=True), DataLoader(ds, 12))

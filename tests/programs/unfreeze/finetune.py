import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

HEAD_LR = 1e-1
FULL_LR = 1e-2


class Transfer(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
        self.head = nn.Linear(8, 2)
        self.lr = HEAD_LR
        self.backbone.requires_grad_(False)

    def unfreeze_backbone(self, lr):
        self.backbone.requires_grad_(True)
        self.lr = lr

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.cross_entropy(self.head(self.backbone(x)), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        logits = self.head(self.backbone(x))
        self.log("val_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)
        self.log("val_loss", nn.functional.cross_entropy(logits, y), prog_bar=True)

    def configure_optimizers(self):
        return torch.optim.Adam(filter(lambda p: p.requires_grad, self.parameters()), lr=self.lr)


pl.seed_everything(21)
x = torch.randn(48, 4)
ds = TensorDataset(x, (x.abs().sum(1) > 3).long())
train_loader = DataLoader(ds, batch_size=12, shuffle=True)
val_loader = DataLoader(ds, batch_size=48)
model = Transfer()
trainer = pl.Trainer(max_epochs=2, log_every_n_steps=1)
trainer.fit(model, train_loader, val_loader)
model.unfreeze_backbone(FULL_LR)
trainer = pl.Trainer(max_epochs=3, log_every_n_steps=1)
trainer.fit(model, train_loader, val_loader)

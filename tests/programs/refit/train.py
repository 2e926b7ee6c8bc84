import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

LR = 0.1
WARM_UP = 2
EPOCHS = 5


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(2, 1)

    def training_step(self, batch, _):
        loss = (self.fc(batch[0]).squeeze(1) - batch[1]).square().mean()
        self.log("train_mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, _):
        self.log("val_mse", (self.fc(batch[0]).squeeze(1) - batch[1]).square().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), LR)


if __name__ == "__main__":
    pl.seed_everything(4)
    x = torch.randn(32, 2)
    easy = DataLoader(TensorDataset(x, x.sum(1)), batch_size=8, shuffle=True)
    hard = DataLoader(TensorDataset(x * 2, x.sum(1) * 2), batch_size=8, shuffle=True)
    val = DataLoader(TensorDataset(x, x.sum(1)), batch_size=16)
    model = Model()
    trainer = pl.Trainer(max_epochs=WARM_UP)
    trainer.fit(model, easy, val)
    trainer.fit_loop.max_epochs = EPOCHS
    trainer.fit(model, hard, val)

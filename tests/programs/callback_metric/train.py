import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch.utils.data import DataLoader, TensorDataset

GAMMA = 0.9
LR = 0.2


class Gap(Callback):
    """Logs how far training and validation are apart."""

    def on_train_epoch_end(self, trainer, pl_module):
        metrics = trainer.callback_metrics
        pl_module.log("gap", (metrics["val"] - pl_module.last_loss).abs())


class Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(1, 1)
        self.last_loss = torch.tensor(0.0)

    def training_step(self, batch, batch_idx):
        loss = (self.line(batch[0]) - batch[1]).square().mean()
        self.last_loss = loss.detach()
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val", (self.line(batch[0]) - batch[1]).square().mean())

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=LR)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, GAMMA)]


def main():
    torch.manual_seed(0)
    x = torch.rand(20, 1)
    data = TensorDataset(x, 3 * x + 0.1 * torch.randn(20, 1))
    trainer = pl.Trainer(max_epochs=4, callbacks=Gap())
    trainer.fit(Line(), DataLoader(data, 5, shuffle=True), DataLoader(data, 20))


main()

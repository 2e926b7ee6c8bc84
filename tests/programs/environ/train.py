import settings
import torch
from pytorch_lightning import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}
activation = ACTIVATIONS[settings.ACTIVATION]


class Model(LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, settings.HIDDEN), activation(), nn.Linear(settings.HIDDEN, 1))

    def training_step(self, batch, i):
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, i):
        self.log("val_loss", self.net(batch[0]).square().mean())
        self.log("tanh", float(isinstance(self.net[1], nn.Tanh)))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=settings.LR)


if __name__ == "__main__":
    dl = DataLoader(TensorDataset(torch.randn(16, 2)), batch_size=settings.BATCH_SIZE)
    Trainer(max_epochs=settings.MAX_EPOCHS).fit(Model(), dl, dl)

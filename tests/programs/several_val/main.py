import torch
from pytorch_lightning import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

TASKS = ("easy", "hard")
MARGIN = 0.5
LR = 1e-2


class Multi(LightningModule):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(2, 1)

    def training_step(self, batch, i):
        return (self.f(batch[0]) - MARGIN).square().mean()

    def validation_step(self, batch, i, dataloader_idx=0):
        error = (self.f(batch[0]) - MARGIN).abs().mean()
        self.log(f"val/{TASKS[dataloader_idx]}", error, add_dataloader_idx=False)
        self.log("val_error", error)
        self.log("val/margin", MARGIN, add_dataloader_idx=False) if dataloader_idx == 0 else None

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)


if __name__ == "__main__":
    loaders = [DataLoader(TensorDataset(torch.ones(8, 2) * k), batch_size=4) for k in (1, 1, 3)]
    Trainer(max_epochs=2, num_sanity_val_steps=0).fit(Multi(), loaders[0], loaders[1:])

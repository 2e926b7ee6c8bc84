"""A program whose epochs last two seconds and cost nothing, so that two workers report once a second."""

import time

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

LEVEL = 0.0  # what is reported
EPOCH_S = 2.0


class Sleeper(pl.LightningModule):
    """Sleep in validation, and log the level."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: list[Tensor], idx: int) -> Tensor:
        """Change nothing."""
        return self.weight.sum()

    def validation_step(self, batch: list[Tensor], idx: int) -> None:
        """Sleep, and log."""
        time.sleep(EPOCH_S)
        self.log("value", LEVEL)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return one that does nothing."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloaders() -> tuple[DataLoader, DataLoader]:
    """Return one batch each."""
    data = TensorDataset(torch.zeros(1, 1))
    return DataLoader(data), DataLoader(data)

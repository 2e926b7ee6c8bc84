"""A program whose trials take as long as a constant says, and cost nothing."""

import time

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

LR = 0.5
TRIAL_S = 1.0


class Sleeper(pl.LightningModule):
    """Sleep in validation, and log the rate."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: list[Tensor], idx: int) -> Tensor:
        """Change nothing."""
        return self.weight.sum()

    def validation_step(self, batch: list[Tensor], idx: int) -> None:
        """Sleep, and log."""
        time.sleep(TRIAL_S)
        self.log("value", LR)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return one that does nothing."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloaders() -> tuple[DataLoader, DataLoader]:
    """Return one batch each."""
    data = TensorDataset(torch.zeros(1, 1))
    return DataLoader(data), DataLoader(data)

"""The program that is searched: a line through zero, which takes its time where ``PACE_S`` says so."""

import os
import time

import torch
from pytorch_lightning import LightningModule
from torch.utils.data import DataLoader, TensorDataset

LR = 0.1
NAME = "line"
PACE_S = float(os.environ.get("PACE_S", "0"))


class Line(LightningModule):
    """A linear layer of one weight, whose validation takes ``PACE_S`` seconds a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        """Return the mean squared error of inputs of shape (batch, 1)."""
        (x,) = batch
        return ((self.layer(x) - 2 * x) ** 2).mean()

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        """Return the loss."""
        return self.step(batch)

    def validation_step(self, batch: list[torch.Tensor], _: int) -> None:
        """Log the score, late."""
        time.sleep(PACE_S)
        self.log("Score/Val", -self.step(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return SGD."""
        return torch.optim.SGD(self.parameters(), lr=LR)

    def train_dataloader(self) -> DataLoader:
        """Return two batches of four numbers."""
        return DataLoader(TensorDataset(torch.linspace(0, 1, 8).unsqueeze(1)), batch_size=4)

    val_dataloader = train_dataloader

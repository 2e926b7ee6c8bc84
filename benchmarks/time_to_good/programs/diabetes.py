"""How a diabetes got on in a year, and a small MLP.

Data: 442 patients in 10 numbers each, B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, "Least Angle Regression",
2004; scikit-learn ships it.
"""

from functools import partial

import pytorch_lightning as pl
import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

LR = 1e-3  # of Adam
BATCH_SIZE = 64  # patients in a step
HIDDEN = 64  # units in each hidden layer
DROPOUT = 0.2  # share of hidden units left out in a training step
GAMMA = 0.9  # the learning rate is multiplied by this after every epoch
MAX_EPOCHS = 10

SEED = 0  # of the split
VAL_SHARE = 0.25  # of all patients
N_NUMBERS = 10


class Diabetes(pl.LightningModule):
    """Tell the progression. A batch is ``numbers`` (B, 10) and ``progression`` (B, 1), float32, standardized."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(N_NUMBERS, HIDDEN),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, 1),
        )
        self.loss_fn = nn.MSELoss()
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def training_step(self, batch: list[Tensor], idx: int) -> Tensor:
        """Return the loss, ()."""
        numbers, progression = batch
        loss: Tensor = self.loss_fn(self.net(numbers), progression)
        self.log("MSE/Train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], idx: int) -> None:
        """Log the loss."""
        numbers, progression = batch
        self.log("MSE/Val", self.loss_fn(self.net(numbers), progression))

    def configure_optimizers(
        self,
    ) -> tuple[list[torch.optim.Optimizer], list[torch.optim.lr_scheduler.LRScheduler]]:
        """Return Adam, with steps that get smaller."""
        optimizer = torch.optim.Adam(self.parameters(), lr=LR)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, GAMMA)]


def dataloaders() -> tuple[DataLoader, DataLoader]:
    """Return the training and the validation loader: 331 and 111 patients."""
    numbers, progression = load_diabetes(return_X_y=True)
    rows = train_test_split(numbers, progression.reshape(-1, 1), test_size=VAL_SHARE, random_state=SEED)
    train, val, train_progression, val_progression = rows
    inputs, outputs = StandardScaler().fit(train), StandardScaler().fit(train_progression)

    def data(rows: Tensor, of: Tensor) -> TensorDataset:
        scaled = inputs.transform(rows), outputs.transform(of)
        return TensorDataset(*(torch.tensor(values, dtype=torch.float32) for values in scaled))

    dl = partial(DataLoader, batch_size=BATCH_SIZE, num_workers=0)
    return dl(data(train, train_progression), shuffle=True), dl(data(val, val_progression))

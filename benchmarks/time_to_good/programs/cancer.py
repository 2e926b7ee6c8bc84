"""Breast tumours, benign or malignant, and a small MLP.

Data: 569 images of cell nuclei in 30 numbers each, "Breast Cancer Wisconsin (Diagnostic)", W. Wolberg, O. Mangasarian,
N. Street and W. Street, UCI Machine Learning Repository, 1993; scikit-learn ships it.
"""

from functools import partial

import pytorch_lightning as pl
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

LR = 1e-3  # of Adam
BATCH_SIZE = 64  # tumours in a step
HIDDEN = 64  # units in the hidden layer
DROPOUT = 0.2  # share of hidden units left out in a training step
WEIGHT_DECAY = 1e-4
MAX_EPOCHS = 10

SEED = 0  # of the split
VAL_SHARE = 0.25  # of all tumours
N_NUMBERS = 30


class Cancer(pl.LightningModule):
    """Tell malignant from benign. A batch is ``numbers`` (B, 30) float32 and ``labels`` (B,) int64."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(N_NUMBERS, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, 2))
        self.loss_fn = nn.CrossEntropyLoss()
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def training_step(self, batch: list[Tensor], idx: int) -> Tensor:
        """Return the loss, ()."""
        numbers, labels = batch
        loss: Tensor = self.loss_fn(self.net(numbers), labels)
        self.log("CE/Train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], idx: int) -> None:
        """Log the loss."""
        numbers, labels = batch
        self.log("CE/Val", self.loss_fn(self.net(numbers), labels))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)


def dataloaders() -> tuple[DataLoader, DataLoader]:
    """Return the training and the validation loader: 426 and 143 tumours."""
    numbers, labels = load_breast_cancer(return_X_y=True)
    train, val, train_labels, val_labels = train_test_split(
        numbers, labels, test_size=VAL_SHARE, random_state=SEED, stratify=labels
    )
    scaler = StandardScaler().fit(train)

    def data(rows: Tensor, of: Tensor) -> TensorDataset:
        return TensorDataset(torch.tensor(scaler.transform(rows), dtype=torch.float32), torch.tensor(of))

    dl = partial(DataLoader, batch_size=BATCH_SIZE, num_workers=0)
    return dl(data(train, train_labels), shuffle=True), dl(data(val, val_labels))

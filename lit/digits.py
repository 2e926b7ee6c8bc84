"""Handwritten digits and a small MLP.

Data: the 1,797 images of 8 x 8 pixels that scikit-learn ships, the test part of "Optical Recognition of Handwritten
Digits", E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998.
"""

from functools import partial

import pytorch_lightning as pl
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

LR = 1e-3  # of Adam
BATCH_SIZE = 64  # images in a step
HIDDEN = 64  # units in the first hidden layer
HIDDEN2 = HIDDEN // 2  # units in the second
DROPOUT = 0.2  # share of hidden units left out in a training step
GAMMA = 0.9  # the learning rate is multiplied by this after every epoch
MAX_EPOCHS = 10

SEED = 0  # of the split
VAL_SHARE = 0.25  # of all images
N_CLASSES = 10
N_PIXELS = 64  # 8 x 8
WHITE = 16  # the brightest pixel


Batch = tuple[Tensor, ...]


class Digits(pl.LightningModule):
    """Tell the ten digits apart. A batch is ``images`` (B, 64) float32 in [0, 1] and ``labels`` (B,) int64."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(N_PIXELS, HIDDEN),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, HIDDEN2),
            nn.ReLU(),
            nn.Linear(HIDDEN2, N_CLASSES),
        )
        self.loss_fn = nn.CrossEntropyLoss()
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(images)  # (B, 10)
        return logits

    def step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return all that a loss or a metric needs: logits (B, 10) and labels (B,)."""
        return self(images), labels

    def training_step(self, batch: list[Tensor], idx: int) -> Tensor:
        logits, labels = self.step(*batch)
        loss: Tensor = self.loss_fn(logits, labels)
        self.log("CE/Train", loss)
        self.log("Accuracy/Train", accuracy(logits, labels))
        return loss

    def validation_step(self, batch: list[Tensor], idx: int) -> None:
        logits, labels = self.step(*batch)
        self.log("CE/Val", self.loss_fn(logits, labels))
        self.log("Accuracy/Val", accuracy(logits, labels))

    def configure_optimizers(
        self,
    ) -> tuple[list[torch.optim.Optimizer], list[torch.optim.lr_scheduler.LRScheduler]]:
        optimizer = torch.optim.Adam(self.parameters(), lr=LR)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, GAMMA)
        return [optimizer], [scheduler]


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share of a batch that is told right, () in [0, 1]."""
    return (logits.argmax(1) == labels).float().mean()


def dataloaders() -> tuple[DataLoader[Batch], DataLoader[Batch]]:
    """Return the training and the validation loader: 1,347 and 450 images, each digit in proportion."""
    images, labels = load_digits(return_X_y=True)  # (1797, 64) float64 in [0, 16] and (1797,) int64
    split = train_test_split(
        torch.tensor(images / WHITE, dtype=torch.float32),
        torch.tensor(labels),
        test_size=VAL_SHARE,
        random_state=SEED,
        stratify=labels,
    )
    train_images, val_images, train_labels, val_labels = split

    dl = partial(DataLoader, batch_size=BATCH_SIZE, num_workers=0)
    return dl(TensorDataset(train_images, train_labels), shuffle=True), dl(TensorDataset(val_images, val_labels))


if __name__ == "__main__":  # trains once, without a search
    pl.seed_everything(SEED, workers=True)
    pl.Trainer(max_epochs=MAX_EPOCHS).fit(Digits(), *dataloaders())

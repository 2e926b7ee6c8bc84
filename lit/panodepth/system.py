"""Depth of indoor panoramas from one picture: the example of "How I Structure My ML Projects", K. Chen, 2021.

The numbers are those of the article and of the repository that it names, https://github.com/kimbochen/panodpt.
"""

from functools import partial

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler, PolynomialLR
from torch.utils.data import DataLoader

from lit.panodepth.data import Panoramas
from lit.panodepth.metrics import Delta1, DepthError
from lit.panodepth.model import Backbone, Decoder

LR = 1e-4  # of Adam, in the first epoch
GAMMA = 0.9  # power of the schedule: LR * (1 - epoch / epochs) ** GAMMA
MAX_EPOCHS = 120
BATCH_SIZE = 9  # panoramas in a step
NUM_WORKERS = 0  # processes that read files; the article has 8, for pictures 128 times as large

NORM_MEAN = 0.5  # of colours in [0, 1]
NORM_STD = 0.5

Batch = list[Tensor]


class PanoDepth(pl.LightningModule):
    """Tell how far everything is. A batch is ``rgb`` (B, 3, H, W) in [0, 1] and ``depth`` (B, H, W) in metres.

    Where depth is missing it is 0, and counts for nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.decoder = Decoder(self.backbone.widths)
        self.train_mae, self.val_mae = DepthError(), DepthError()
        self.train_delta1, self.val_delta1 = Delta1(), Delta1()
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def forward(self, rgb: Tensor) -> Tensor:
        maps = self.backbone((rgb - NORM_MEAN) / NORM_STD)
        depth: Tensor = self.decoder(maps, rgb.shape[-2:])  # (B, H, W) metres
        return depth

    def step(self, rgb: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
        """Return all that a loss or a metric needs: predicted and true depth, (B, H, W) in metres."""
        return self(rgb), depth

    def training_step(self, batch: Batch, idx: int) -> Tensor:
        pred, depth = self.step(*batch)
        self.train_mae(pred.detach(), depth)
        self.train_delta1(pred.detach(), depth)
        self.log("MAE/Train", self.train_mae)
        self.log("Delta1/Train", self.train_delta1)
        return l1_loss(pred, depth)

    def validation_step(self, batch: Batch, idx: int) -> None:
        pred, depth = self.step(*batch)
        self.val_mae(pred, depth)
        self.val_delta1(pred, depth)
        self.log("MAE/Val", self.val_mae)
        self.log("Delta1/Val", self.val_delta1)

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[LRScheduler]]:
        optimizer = torch.optim.Adam(self.parameters(), lr=LR)
        epochs = self.trainer.max_epochs or MAX_EPOCHS  # the schedule ends with the training, however long that is
        return [optimizer], [PolynomialLR(optimizer, total_iters=epochs, power=GAMMA)]


def l1_loss(pred: Tensor, depth: Tensor) -> Tensor:
    """Return the mean error in metres over the pixels whose depth is known; 0 if there is none."""
    known = depth > 0
    return torch.where(known, (pred - depth).abs(), 0).sum() / known.sum().clamp(min=1)


def dataloaders() -> tuple[DataLoader[tuple[Tensor, Tensor]], DataLoader[tuple[Tensor, Tensor]]]:
    """Return the training and the validation loader."""
    on_gpu = torch.cuda.is_available()
    dl = partial(DataLoader, batch_size=BATCH_SIZE, num_workers=NUM_WORKERS, pin_memory=on_gpu)
    return dl(Panoramas("train"), shuffle=True), dl(Panoramas("val"))

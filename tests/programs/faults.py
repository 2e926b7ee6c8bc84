"""Goes wrong in one way: FAULT says how."""

import ctypes
import os
import re
import resource
import signal
import time
from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FAULT = "none"
MAX_EPOCHS = 4
GIB = 2**30


def go_wrong(epoch):
    if FAULT == "raises" and epoch == 2:
        raise RuntimeError("no second epoch")
    if FAULT == "raises MemoryError" and epoch == 2:
        raise MemoryError
    if FAULT == "exits" and epoch == 2:
        os._exit(3)
    if FAULT == "crashes" and epoch == 2:
        ctypes.string_at(0)
    if FAULT == "is killed" and epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if FAULT == "is killed once" and epoch == 3 and not Path("killed").exists():
        Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if FAULT == "takes memory" and epoch == 2:
        used = int(re.search(r"VmData:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
        limits = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (used + GIB, limits[1]))
        try:
            torch.zeros(GIB)  # 4 GiB
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, limits)
    while FAULT == "loops" and epoch == 2:
        time.sleep(0.01)
    if FAULT == "holds the interpreter" and epoch == 2:
        re.match("(a+)+b", "a" * 60)


class Faults(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 1)
        self.log = partial(self.log, on_step=False, on_epoch=True)

    def training_step(self, batch, idx):
        go_wrong(self.current_epoch + 1)
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, idx):
        bad = FAULT == "diverges" and self.current_epoch == 2
        self.log("Score/Val", float("nan") if bad else 0.5 + 0.01 * self.current_epoch + 0.1 * (FAULT == "better"))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-3)


def dataloaders():
    data = TensorDataset(torch.zeros(8, 2))
    return DataLoader(data, batch_size=4), DataLoader(data, batch_size=4)

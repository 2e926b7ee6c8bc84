"""Changes everything in its process that a program can reach, and puts nothing back."""

import logging
import os
import random
import sys
import warnings

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

SIZES = [1]
MAX_EPOCHS = 1
SEEN = []

sys.argv[:] = ["untidy.py", "--lr", "1"]
sys.path.insert(0, "/nowhere")
os.environ["UNTIDY"] = "1"
os.environ.pop("HOME", None)
os.makedirs("elsewhere", exist_ok=True)
os.chdir("elsewhere")
random.seed(1)
np.random.seed(1)
torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
torch.use_deterministic_algorithms(True)
torch.set_float32_matmul_precision("medium")
torch.set_num_threads(3)
torch.autograd.set_detect_anomaly(True)
np.seterr(all="raise")
warnings.simplefilter("ignore")
sys.setrecursionlimit(2345)
logging.basicConfig(level=logging.DEBUG)
logging.getLogger(__name__).addHandler(logging.StreamHandler())
logging.getLogger("pytorch_lightning").setLevel(logging.DEBUG)


class Untidy(pl.LightningModule):
    made = 0

    def __init__(self):
        super().__init__()
        SEEN.append(1)
        SIZES.append(1)
        Untidy.made += 1
        pl.LightningModule.untidy = True
        self.net = torch.nn.Linear(2, 1)

    def training_step(self, batch, idx):
        self.log("Made", float(len(SEEN) + Untidy.made + len(SIZES)), on_step=False, on_epoch=True)
        return self.net(batch[0]).mean()

    def on_train_end(self):
        torch.set_grad_enabled(False)
        torch.set_default_device("meta")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-2)


def dataloaders():
    return DataLoader(TensorDataset(torch.zeros(4, 2)))

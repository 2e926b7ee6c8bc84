import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from config import *
from torch import nn, optim


class NN(pl.LightningModule):
    def __init__(self, sizes=SIZES, num_classes=NUM_CLASSES):
        super().__init__()
        self.fc1 = nn.Linear(sizes[0], sizes[1])
        self.fc2 = nn.Linear(sizes[1], sizes[2])
        self.fc3 = nn.Linear(sizes[2], num_classes)

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log_dict({"train_loss": loss, "batch": float(len(x))}, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self):
        return optim.Adam(self.parameters(), lr=LEARNING_RATE)

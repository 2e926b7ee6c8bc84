"""
$ python train.py --batch_size=32
"""

import math

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

# -----------------------------------------------------------------------------
# model
n_layer = 1
n_embd = 8
bias = False  # do we use bias inside Linear layers?
block_size = 8
vocab_size = 11
# adamw optimizer
learning_rate = 6e-3  # max learning rate
max_epochs = 2
weight_decay = 1e-1
beta1, beta2 = 0.9, 0.95
# learning rate decay settings
warmup_iters = 2
min_lr = learning_rate / 10  # should be ~= learning_rate/10 per Chinchilla
batch_size = 16
# -----------------------------------------------------------------------------
config_keys = [k for k, v in globals().items() if not k.startswith("_") and isinstance(v, (int, float, bool, str))]
exec(open("configurator.py").read())  # overrides from command line or config file
config = {k: globals()[k] for k in config_keys}  # will be useful for logging
# -----------------------------------------------------------------------------


def get_lr(it):
    if it < warmup_iters:
        return (it + 1) / (warmup_iters + 1)
    coeff = 0.5 * (1.0 + math.cos(math.pi * min(1.0, it / 20)))
    return (min_lr + coeff * (learning_rate - min_lr)) / learning_rate


class GPT(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.save_hyperparameters(config)
        self.wte = nn.Embedding(vocab_size, n_embd)
        self.h = nn.Sequential(
            *(nn.Sequential(nn.Linear(n_embd, n_embd, bias=bias), nn.GELU()) for _ in range(n_layer))
        )
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=bias)

    def loss(self, batch):
        x, y = batch
        return nn.functional.cross_entropy(self.lm_head(self.h(self.wte(x))).flatten(0, 1), y.flatten())

    def training_step(self, batch, _):
        loss = self.loss(batch)
        self.log("train/loss", loss)
        self.log("min_lr", min_lr)
        return loss

    def validation_step(self, batch, _):
        self.log("val/loss", self.loss(batch))

    def configure_optimizers(self):
        opt = torch.optim.AdamW(self.parameters(), lr=learning_rate, betas=(beta1, beta2), weight_decay=weight_decay)
        return {
            "optimizer": opt,
            "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.LambdaLR(opt, get_lr), "interval": "step"},
        }


torch.manual_seed(1337)
data = torch.randint(vocab_size, (64, block_size + 1))
loader = DataLoader(TensorDataset(data[:, :-1], data[:, 1:]), batch_size=batch_size)
trainer = pl.Trainer(max_epochs=max_epochs, log_every_n_steps=1)
trainer.fit(GPT(), loader, loader)
print("done", config)

"""A program whose weights know how many epochs they have seen, and a worker that runs it as a system or a script."""

import json
from textwrap import dedent, indent

from tests.searched import Worker

COUNTED = """
import sys

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LR = 0.1
MAX_EPOCHS = 3
CURVE = (0.5, 0.75, 0.625)


def loader(n={n}, **given):
    return DataLoader(TensorDataset(torch.arange(n).float()[:, None]), batch_size=2, **given)


class Counted(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(1, 1)
        self.register_buffer("n_epochs", torch.zeros(()))

    def training_step(self, batch, index):
        return self.net(batch[0]).square().mean()

    def on_train_epoch_end(self):
        self.n_epochs += 1

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=LR)
"""
SCRIPT = """{helpers}

def main():
{main}


if __name__ == "__main__":
    main()
"""


def start_counted(folder, server, system, text, *, main=None, helpers="", metric, n=20, **settings):
    """Return a worker of COUNTED with loaders of n samples and more ``text``; ``main``: the body of a script."""
    project = folder / "project"
    project.mkdir()
    text = COUNTED.replace("{n}", str(n)) + text
    text += "" if main is None else SCRIPT.format(helpers=helpers, main=indent(dedent(main).strip(), "    "))
    (project / "program.py").write_text(text)
    what = f"system: program.py:{system}" if main is None else "script: program.py"
    lines = "".join(f"{name}: {json.dumps(value)}\n" for name, value in settings.items())
    (project / "space.yaml").write_text(
        f"{what}\nmetric: {metric}\nmode: max\nconstants:\n  LR: {{uniform: [0.0, 1.0]}}\n"
        f"trainer: {{accelerator: cpu}}\n{lines}"
    )
    return Worker(project / "space.yaml", folder / "experiment", server)

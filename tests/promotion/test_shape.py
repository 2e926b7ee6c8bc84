"""A program that offers itself as a system is one; one that trains by itself, and does not, is a script."""

import pytest

from tune.promotion.program import find_program
from tune.promotion.shape import shape_of
from tune.space.space import Script, System

HEAD = "import pytorch_lightning as pl\n"
NET = HEAD + "class Net(pl.LightningModule):\n    pass\n"
DATA = "def dataloaders():\n    return 1, 2\n"
GUARD = 'if __name__ == "__main__":\n    '
FIT = "pl.Trainer(max_epochs=1).fit(Net())\n"

SHAPES = [
    (NET + DATA, System()),
    (NET, System()),
    (NET + DATA + GUARD + FIT, System()),
    (NET + DATA + FIT, Script()),
    (NET + GUARD + FIT, Script()),
    (NET + FIT, Script()),
    (NET + "def main():\n    trainer = pl.Trainer()\n    trainer.fit(Net())\n" + GUARD + "main()\n", Script()),
    (NET + "def inner():\n    pl.Trainer().fit(Net())\ndef main():\n    inner()\nmain()\n", Script()),
    (NET + "runner = pl.Trainer()\nrunner.fit(Net())\n", Script()),
    (NET + GUARD + "LightningCLI(Net)\n", Script()),
    (NET + DATA + "scaler.fit([1])\n", System()),
    (NET + "    def train_dataloader(self):\n        return 1\n" + GUARD + FIT, System()),
    (NET + "class Data(pl.LightningDataModule):\n    pass\n" + GUARD + FIT, System()),
    (
        NET + "class Data(pl.LightningDataModule):\n    def __init__(self, path):\n        pass\n" + GUARD + FIT,
        Script(),
    ),
    (NET.replace("    pass", "    def __init__(self, width):\n        pass") + DATA + GUARD + FIT, Script()),
    (NET + "class Other(pl.LightningModule):\n    pass\n" + DATA, System(class_name="Net")),
    (NET + "class Better(Net):\n    pass\n" + DATA, System(class_name="Better")),
    ("from net import Net\nfrom net import dataloaders\n", System()),
]


@pytest.mark.parametrize(("text", "shape"), SHAPES)
def test_a_program_is_a_system_or_a_script_as_its_source_says(tmp_path, text, shape):
    (tmp_path / "net.py").write_text(NET + DATA)
    (tmp_path / "p.py").write_text(text)

    assert shape_of(find_program(tmp_path / "p.py")) == shape

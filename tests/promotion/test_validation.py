"""Whether a program validates is read off its source, as far as that says it."""

import pytest

from tune.promotion.metric.validation import never_validates
from tune.space.space import Script, System

NET = """
import lightning as L

class Net(L.LightningModule):
    def validation_step(self, batch, idx):
        self.log("val_loss", 1)
"""
DATA = "class Data(L.LightningDataModule):\n    def train_dataloader(self): ...\n"
VALIDATED_DATA = DATA + "    def val_dataloader(self): ...\n"
NEVER = {
    "a loader of training": ("L.Trainer().fit(Net(), loader())", True),
    "by its name": ("L.Trainer().fit(Net(), train_dataloaders=loader())", True),
    "a loader of the module's": ("L.Trainer().fit(Net(), ckpt_path=None)", True),
    "a loader of validation": ("L.Trainer().fit(Net(), loader(), loader())", False),
    "one of validation by its name": ("L.Trainer().fit(Net(), loader(), val_dataloaders=loader())", False),
    "what only a run tells": ("L.Trainer().fit(*given)", False),
    "keywords that only a run tells": ("L.Trainer().fit(Net(), **given)", False),
    "one fit of two": ("L.Trainer().fit(Net(), loader())\nL.Trainer().fit(Net(), loader(), loader())", False),
    "a datamodule": (DATA + "L.Trainer().fit(Net(), datamodule=Data())", True),
    "a datamodule that validates": (VALIDATED_DATA + "L.Trainer().fit(Net(), datamodule=Data())", False),
    "a library's datamodule": ("from bolts import MNISTDataModule\nL.Trainer().fit(Net(), MNISTDataModule())", False),
    "validation left out": ("L.Trainer(limit_val_batches=0).fit(Net(), loader(), loader())", True),
    "a share of it": ("L.Trainer(limit_val_batches=0.5).fit(Net(), loader(), loader())", False),
    "left out by one Trainer of two": (
        "L.Trainer(limit_val_batches=0).fit(Net(), loader(), loader())\nL.Trainer().fit(Net(), loader(), loader())",
        False,
    ),
    "a function that builds a Trainer": (
        "def build(): return L.Trainer(limit_val_batches=0)\nbuild().fit(Net(), loader(), loader())",
        True,
    ),
    "a LightningCLI": ("from lightning.pytorch.cli import LightningCLI\nLightningCLI(Net)", False),
    "no fit": ("", False),
}


@pytest.mark.parametrize(("text", "is_never"), NEVER.values(), ids=NEVER)
def test_a_script_says_that_it_validates_nothing_by_what_its_fits_are_given(text, is_never, program_of):
    assert never_validates(program_of(f"{NET}\n{text}\n"), Script(), {}) is is_never


@pytest.mark.parametrize(("limit", "is_never"), [(0, True), (0.0, True), (2, False), (1.0, False)])
def test_an_argument_of_the_trainer_wins_over_the_programs(limit, is_never, program_of):
    program = program_of(f"{NET}\nL.Trainer(limit_val_batches=0).fit(Net(), loader(), loader())\n")

    assert never_validates(program, Script(), {"limit_val_batches": limit}) is is_never


SYSTEMS = {
    "one loader": ("def dataloaders(): return DataLoader(data)", True),
    "a tuple of one": ("def dataloaders(): return (train,)", True),
    "two": ("def dataloaders(): return train, val", False),
    "what only a run tells": ("def dataloaders(): return build()", False),
    "nothing": ("def dataloaders(): pass", False),
    "no data": ("", False),
    "another file's": ("from data import dataloaders", False),
    "a datamodule": (DATA, True),
    "a datamodule that validates": (VALIDATED_DATA, False),
}


@pytest.mark.parametrize(("text", "is_never"), SYSTEMS.values(), ids=SYSTEMS)
def test_a_system_says_that_it_validates_nothing_by_its_loaders(text, is_never, program_of):
    program = program_of(f"{NET}\n{text}\n", {"data.py": "def dataloaders(): return a, b\n"})

    assert never_validates(program, System(), {}) is is_never

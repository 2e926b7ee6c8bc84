"""A LightningCLI that is given an optimizer leaves ``configure_optimizers`` out, and so what that alone reads."""

from types import MappingProxyType

import pytest

from tune.promotion.options.declared_options import find_options
from tune.promotion.ranking.rank_constants import describe_unread, is_never_read
from tune.promotion.resolve import constant_warnings, resolve_constants
from tune.space.space_file import read_space

PROGRAM = """
import lightning as L
from lightning.pytorch.cli import LightningCLI

class Net(L.LightningModule):
    def __init__(self, rate: float = 0.1, width: int = 4):
        super().__init__()
        KEEP
        self.net = torch.nn.Linear(width, 1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=READ)

MORE
LightningCLI(Net)
"""
KEPT = {"KEEP": "self.save_hyperparameters()", "READ": "self.hparams.rate", "MORE": ""}
CONFIG = "fit: {optimizer: {class_path: torch.optim.Adam, init_args: {lr: 0.01}}}\n"
READS = {
    "a hyperparameter": ({}, True),
    "a hyperparameter by its key": ({"READ": 'self.hparams["rate"]'}, True),
    "an attribute": ({"KEEP": "self.lr = rate", "READ": "self.lr"}, True),
    "a hyperparameter that is named": ({"KEEP": 'self.save_hyperparameters("rate")'}, True),
    "nothing there": ({"READ": "0.1"}, False),
    "the constructor": ({"KEEP": "self.save_hyperparameters(); print(rate)"}, False),
    "another method": ({"MORE": "    def training_step(self, batch): return self.hparams.rate"}, False),
    "all hyperparameters": ({"MORE": "    def training_step(self, batch): return f(**self.hparams)"}, False),
    "a function that is given its name": ({"MORE": '    def on_fit_start(self): getattr(self.hparams, "rate")'}, False),
    "a CLI that leaves the method": ({"MORE": "LightningCLI(Net, auto_configure_optimizers=False)"}, False),
}


def write(program_of, changes, files=MappingProxyType({})):
    text = PROGRAM
    for word, code in (KEPT | changes).items():
        text = text.replace(word, code)
    return program_of(text, files)


def marked(program, args):
    return {option.name for option in find_options(program, args) if option.is_replaced}


@pytest.mark.parametrize(("changes", "is_replaced"), READS.values(), ids=READS)
def test_an_option_is_replaced_where_configure_optimizers_alone_reads_it(changes, is_replaced, program_of):
    program = write(program_of, changes)

    assert marked(program, ("fit", "--optimizer", "Adam")) == ({"--model.rate"} if is_replaced else set())
    assert marked(program, ("fit",)) == set()


GIVEN = {
    "a config file": (("--config", "c.yaml", "fit"), {}, True),
    "a config file that says it is none": (("--config", "none.yaml", "fit"), {}, False),
    "a value of the optimizer's": (("fit", "--optimizer.lr=0.1"), {}, True),
    "the source": (
        ("fit",),
        {"MORE": "class CLI(LightningCLI):\n    def add_arguments_to_parser(self, p): p.add_optimizer_args(Adam)"},
        True,
    ),
    "an option of another name": (("fit", "--optimizers", "Adam"), {}, False),
}


@pytest.mark.parametrize(("args", "changes", "is_replaced"), GIVEN.values(), ids=GIVEN)
def test_an_optimizer_is_given_in_words_or_a_file_or_by_the_source(
    args, changes, is_replaced, program_of, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    program = write(program_of, changes, {"c.yaml": CONFIG, "none.yaml": "fit: {optimizer: null, model: {width: 8}}\n"})

    assert marked(program, args) == ({"--model.rate"} if is_replaced else set())


def test_a_value_of_a_config_file_that_names_the_module_is_replaced(program_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = "model: {class_path: net.Net, init_args: {rate: 0.1, width: 4}}\n"
    config = f"{model}optimizer: {{class_path: torch.optim.Adam, init_args: {{lr: 0.01}}}}\n"
    net, _, call = write(program_of, {}).source.text.partition("\n\nLightningCLI(")
    main = "from lightning.pytorch.cli import LightningCLI\nLightningCLI(subclass_mode_model=True)\n"
    program = program_of(main, {"c.yaml": config, "net.py": net})

    assert call
    assert marked(program, ("fit", "--config", "c.yaml")) == {"model.init_args.rate="}


def test_a_program_without_a_lightning_cli_replaces_nothing(program_of):
    program = write(program_of, {"MORE": "import argparse\nargparse.ArgumentParser().add_argument('--model.rate')"})
    text = program.source.text.replace("LightningCLI(Net)", "").replace(
        "import LightningCLI", "import SaveConfigCallback"
    )

    assert marked(program_of(text), ("--optimizer", "Adam")) == set()


def test_a_search_of_an_option_that_is_replaced_is_warned_of(program_of, tmp_path):
    program = write(program_of, {})
    path = tmp_path / "s.yaml"
    constants = "constants: {--model.rate: {uniform: [0.1, 0.2]}, --model.width: {choice: [2, 4]}}\n"
    path.write_text(f"script: train.py\nargs: [fit, --optimizer, Adam]\nmetric: x\nmode: min\n{constants}")
    promoted = resolve_constants(read_space(path), program)

    told = "configure_optimizers alone reads it, and the given `optimizer` replaces that"
    (warning,) = constant_warnings(promoted, program)
    assert warning.endswith(f"s.yaml:5: --model.rate: {told} (train.py:5)")
    assert [is_never_read(item.constant) for item in promoted] == [True, False]
    assert describe_unread(promoted[0].constant) == told

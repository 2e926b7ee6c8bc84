"""Whether a source shows that an option is never read: only where that is certain."""

import pytest

from tune.promotion.options.declared_options import find_option, find_options
from tune.promotion.options.option_reads import may_read

DECLARED = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", dest="lr")
args = parser.parse_args()
class Net:
    def __init__(self): self.lr = 0.1
    def step(self): return self.lr
"""
NAMESPACE = {
    "": False,
    "print(args, args.other)": False,
    "args.lr = 3": False,
    "fit(args.lr)": True,
    "fit(self.args.lr)": True,
    "fit(getattr(args, 'lr'))": True,
    "fit(getattr(args, name))": True,
    "fit(**vars(args))": True,
    "fit(args.__dict__)": True,
    "match args:\n    case argparse.Namespace(lr=rate): fit(rate)": True,
}


@pytest.mark.parametrize(("text", "expected"), NAMESPACE.items())
def test_a_namespace_may_be_read_where_a_source_says_so(program_of, text, expected):
    assert may_read("lr", program_of(DECLARED + text)) is expected


CLI = """
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LightningCLI
{bases}
class Lit(LightningModule{more}):
    def __init__(self, lr: float = 1e-3):
        super().__init__()
        {body}
LightningCLI(Lit{given})
"""
FIRE = "import fire\n{decorator}\ndef main(lr=1e-3):\n    {body}\nfire.Fire(main)"
PARAMETERS = [
    (CLI.format(bases="", more="", body="", given=""), "--model.lr", False),
    (CLI.format(bases="", more="", body="self.lr = 1e-3", given=""), "--model.lr", False),
    (CLI.format(bases="", more="", body="self.lr = lr", given=""), "--model.lr", True),
    (CLI.format(bases="", more="", body="self.save_hyperparameters()", given=""), "--model.lr", True),
    (CLI.format(bases="", more="", body="", given=", subclass_mode_model=True"), "--model.lr", True),
    (CLI.format(bases="from other import Base", more=", Base", body="", given=""), "--model.lr", True),
    (FIRE.format(decorator="", body="train()"), "--lr", False),
    (FIRE.format(decorator="", body="train(lr)"), "--lr", True),
    (FIRE.format(decorator="", body="train(**locals())"), "--lr", True),
    (FIRE.format(decorator="@logged", body="train()"), "--lr", True),
]


@pytest.mark.parametrize(("text", "name", "expected"), PARAMETERS)
def test_a_parameter_is_read_unless_the_source_shows_that_it_is_not(program_of, text, name, expected):
    program = program_of(text)
    assert find_option(name, program, find_options(program), "x").is_read is expected


PARSED = """
import argparse
from omegaconf import OmegaConf
def main(args): print(args)
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_args()
main(args)
"""
PARSER = {
    "": False,
    "print(args.other)": False,
    "fit(args.lr)": True,
    "fit(lr=getattr(args, 'lr'))": True,
    "fit(**vars(args))": True,
    "OmegaConf.create(args)": True,
    "chosen = parser.parse_args()\nOmegaConf.create(chosen)": True,
    "chosen, _ = parser.parse_known_args()\nOmegaConf.create(chosen)": True,
    "def load(chosen: argparse.Namespace): OmegaConf.create(chosen)": True,
    "OmegaConf.create(parser.parse_args())": True,
    "OmegaConf.create(other)": False,
    "Net().save_hyperparameters(args)": True,
    "def step(self): return self.lr": False,
    "def step(self): return self.args.lr": True,
    "def step(self): self.__dict__.update(args.__dict__)": True,
    "class Own:\n    def read(self):\n        parser.parse_args(namespace=self)\n        return self.lr": True,
    "class Own:\n    def read(self): return self.lr\nparser.parse_args(namespace=Own())": True,
    "class Own:\n    def read(self): return self.lr\nparser.parse_args(None, Own())": True,
    "class Own(Tap):\n    def read(self): return self.lr": True,
    "class Own(argparse.Namespace):\n    def read(self): return self.lr": True,
}


@pytest.mark.parametrize(("text", "expected"), PARSER.items())
def test_an_option_of_argparse_is_read_where_a_source_may_read_it(program_of, text, expected):
    (option,) = find_options(program_of(PARSED + text))

    assert option.is_read is expected


UNCALLED = """
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LightningCLI
class Lit(LightningModule):
    def __init__(self, lr: float = 1e-3):
        super().__init__()
        self.lr = lr
def main(): LightningCLI(Lit)
"""


@pytest.mark.parametrize(("text", "names"), [("main()", ["--model.lr"]), ("", [])])
def test_a_lightning_cli_of_a_function_that_nothing_calls_has_no_options(program_of, text, names):
    assert [option.name for option in find_options(program_of(UNCALLED + text))] == names

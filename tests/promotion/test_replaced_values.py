"""Where a program may put something else in the place of a searched value."""

import pytest

from tune.promotion.checks.replaced_values import find_replacements, may_read_hyperparameter
from tune.promotion.find_constants import find_constant, find_constants
from tune.promotion.options.declared_options import find_options
from tune.promotion.program import find_program

TABLE = 'CONFIGS = {"small": {"lr": 0.1}, "big": {"lr": 0.2}}\n'
PARSED = 'import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument("--lr", type=float, default=0.1)\n'
CLASS = "class Config:\n    lr = 0.1\n\nc = Config()\nprint(c.lr)\n"
NAMED = 'from collections import namedtuple\nConfig = namedtuple("Config", "lr")\nDEFAULT = Config(lr=0.1)\n'

REPLACED = {
    "chosen": ("CONFIGS['big']['lr']", f"{TABLE}cfg = CONFIGS[name]\n", "2 takes `CONFIGS[name]`"),
    "chosen by get": ("CONFIGS['big']['lr']", f"{TABLE}cfg = CONFIGS.get(name)\n", "2 takes `CONFIGS.get(name)`"),
    "another": ("CONFIGS['big']['lr']", f"{TABLE}cfg = CONFIGS['small']\n", "2 takes `CONFIGS['small']`"),
    "itself": ("CONFIGS['big']['lr']", f"{TABLE}cfg = CONFIGS['big']\n", None),
    "by a name": ("BIG['lr']", 'BIG = {"lr": 0.1}\nALL = [BIG, 3]\nx = ALL[number]\n', "3 takes `ALL[number]`"),
    "by a class": ("Config.lr", f'{CLASS}x = {{"a": Config, "b": 2}}[name]\n', "6 takes `{'a': Config, 'b': 2}[name]`"),
    "an attribute": ("Config.lr", f"{CLASS}c.lr = 0.3\n", "6 has `c.lr = 0.3`"),
    "setattr": ("Config.lr", f"{CLASS}setattr(c, 'lr', 0.3)\n", "6 has `setattr(c, 'lr', 0.3)`"),
    "made of it": ("Config.lr", f"{CLASS}d.lr = c.lr * 2\n", None),
    "by another name": ("Config.lr", f"{CLASS}net.rate = c.lr\nnet.rate = 0.3\n", "7 has `net.rate = 0.3`"),
    "a copy": ("Config.lr", f"{NAMED}c = DEFAULT._replace(lr=0.3)\n", "4 has `DEFAULT._replace(lr=0.3)`"),
    "a copy without it": ("Config.lr", f"{NAMED}c = DEFAULT._replace(width=3)\n", None),
    "merged": ("D['lr']", 'D = {"lr": 0.1}\nc = {**D, "lr": 0.3}\n', "2 has `{**D, 'lr': 0.3}`"),
    "merged by |": ("D['lr']", 'D = {"lr": 0.1}\nc = D | {"lr": 0.3}\n', "2 has `D | {'lr': 0.3}`"),
    "an option": ("--lr", f"{PARSED}args = parser.parse_args()\nargs.lr = 0.3\n", "5 has `args.lr = 0.3`"),
    "an option, merged": ("--lr", f"{PARSED}c = {{**vars(parsed), **D}}\n", "4 has `{**vars(parsed), **D}`"),
}


@pytest.mark.parametrize(("name", "text", "found"), REPLACED.values(), ids=REPLACED)
def test_replacement_when_the_source_may_put_something_else_there_then_its_place_is_found(tmp_path, name, text, found):
    path = tmp_path / "train.py"
    path.write_text(text)
    program = find_program(path)
    options = {each.name: each for each in find_options(program, ())}
    held = options.get(name) or find_constant(name, program, find_constants(program), "")

    replaced = find_replacements(program, {name: held})

    assert replaced == ({} if found is None else {name: f"train.py:{found}"})


READS = {
    "self.hparams.lr": True,
    "self.hparams['lr']": True,
    "self.hparams.width": False,
    "self.hparams['width']": False,
    "f(**self.hparams)": True,
    "self.hparams.get('lr')": True,
    "self.hparams": True,
    "self.lr": False,
}


@pytest.mark.parametrize(("text", "is_read"), READS.items(), ids=READS)
def test_a_saved_hyperparameter_may_be_read_where_something_names_it_or_takes_all(tmp_path, text, is_read):
    path = tmp_path / "train.py"
    path.write_text(f"{text}\n")

    assert may_read_hyperparameter(find_program(path), "lr") is is_read


FILLED = """
from dataclasses import dataclass
from omegaconf import OmegaConf

@dataclass
class Config:
    lr: float = 0.1
    width: int = 8

c = OmegaConf.merge(OmegaConf.structured(Config), OmegaConf.load("config.yaml"), {"width": 4})
"""


def test_a_field_that_a_file_or_a_dict_is_merged_over_may_be_replaced(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(FILLED)
    (tmp_path / "config.yaml").write_text("lr: 0.2\n")
    program = find_program(path)
    fields = {name: find_constant(name, program, find_constants(program), "") for name in ("Config.lr", "Config.width")}

    replaced = find_replacements(program, fields)

    assert replaced["Config.lr"] == "config.yaml:1 has lr, which lr= searches"
    assert replaced["Config.width"].startswith("train.py:10 has `OmegaConf.merge(")

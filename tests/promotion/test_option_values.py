"""What an option holds in the baseline, which gets no word for it."""

import pytest

from tune.promotion.find.literals import Unknown
from tune.promotion.options.declared_options import find_option, find_options
from tune.promotion.options.option_values import option_in_force, value_in_force

ARGPARSE = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("-l", "--learning-rate", type=float, default=1e-3)
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--dims", type=int, nargs="+", default=[1, 2])
parser.add_argument("--fast", action="store_true")
"""
GIVEN = {
    "nothing": ("--learning-rate", [], 1e-3),
    "two words": ("--learning-rate", ["--learning-rate", "0.3"], 0.3),
    "one word": ("--learning-rate", ["--learning-rate=0.3"], 0.3),
    "a whole number for a float": ("--learning-rate", ["--learning-rate", "2"], 2.0),
    "the last of two": ("--learning-rate", ["-l", "0.3", "--learning-rate=0.4"], 0.4),
    "the short name with its value": ("--learning-rate", ["-l0.3"], Unknown("-l0.3")),
    "an abbreviation": ("--learning-rate", ["--learn=0.3"], Unknown("--learn=0.3")),
    "another option": ("--layers", ["--learning-rate", "2"], 2),
    "a flag": ("--fast", ["--fast"], True),
    "several words": ("--dims", ["--dims", "3", "4"], Unknown("given in args")),
}


@pytest.mark.parametrize(("name", "args", "value"), GIVEN.values(), ids=GIVEN)
def test_what_args_say_counts(program_of, name, args, value):
    assert repr(held(program_of(ARGPARSE), name, args)) == repr(value)


@pytest.mark.parametrize(
    "text",
    [
        ARGPARSE + "import configargparse",
        ARGPARSE + "args = parser.parse_args(namespace=config)",
        ARGPARSE + "args, _ = parser.parse_known_args(None, config)",
        ARGPARSE.replace("ArgumentParser()", "ArgumentParser(fromfile_prefix_chars='@')"),
    ],
)
def test_a_default_that_something_else_may_replace_is_not_certain(program_of, text):
    assert held(program_of(text), "--layers", []) == Unknown("may stand in a config file")
    assert held(program_of(text), "--layers", ["--layers", "7"]) == 7


def test_the_last_word_of_a_name_counts(program_of):
    assert held(program_of("import sys"), "lr=", ["lr=0.1", "depth=3", "lr=2e-3"]) == 2e-3


CLI = """
from lightning.pytorch.cli import LightningCLI
class Lit:
    def __init__(self, width=32, lr: float = 1e-3): ...
LightningCLI(Lit)
"""
CONFIG = """
model: {width: 48, lr: 1}
optimizer: {class_path: Adam, init_args: {lr: 1e-4}}
trainer:
  max_epochs: 6
  callbacks:
    - class_path: Timer
    - class_path: EarlyStopping
      init_args: {monitor: loss, patience: 3}
early_stopping: {patience: 7}
"""
CONFIGURED = {
    "nothing": ("--model.width", ["fit"], 32),
    "a file": ("--model.width", ["fit", "--config", "c.yaml"], 48),
    "a file behind an equals sign": ("--model.width", ["fit", "--config=c.yaml"], 48),
    "a whole number for a float": ("--model.lr", ["fit", "-c", "c.yaml"], 1.0),
    "a word behind the file": ("--model.width", ["fit", "--config", "c.yaml", "--model.width", "5"], 5),
    "a word before the file": ("--model.width", ["fit", "--model.width=5", "--config", "c.yaml"], 48),
    "a later file": ("--model.width", ["fit", "--config", "c.yaml", "--config", "d.yaml"], 7),
    "a file for all commands": ("--model.width", ["--config", "all.yaml", "fit"], 9),
    "a mapping that is merged": ("--model.width", ["fit", "--config", "merged.yaml"], 11),
    "a value over the one that is merged": ("--model.lr", ["fit", "--config", "merged.yaml"], 0.5),
    "the first of several that are merged": ("--model.width", ["fit", "--config", "several.yaml"], 12),
    "a file that is not there": ("--model.width", ["fit", "--config", "e.yaml"], Unknown("in e.yaml")),
    "a part in a file of its own": ("--model.width", ["fit", "--model", "m.yaml"], Unknown("--model m.yaml")),
    "arguments of a class": ("--optimizer.init_args.lr", ["fit", "--config", "c.yaml"], 1e-4),
    "the same, shorter": ("--optimizer.lr", ["fit", "--config", "c.yaml"], 1e-4),
    "an argument that the file leaves out": ("--optimizer.eps", ["fit", "--config", "c.yaml"], Unknown("in c.yaml")),
    "the trainer": ("--trainer.max_epochs", ["fit", "--config", "c.yaml"], 6),
    "a callback that the program adds": ("--early_stopping.patience", ["fit", "--config", "c.yaml"], 7),
    "the last of several callbacks": ("--trainer.callbacks.patience", ["fit", "--config", "c.yaml"], 3),
    "the same, longer": ("--trainer.callbacks.init_args.patience", ["fit", "--config", "c.yaml"], 3),
    "a callback that a word adds": (
        "--trainer.callbacks.patience",
        ["fit", "--config", "c.yaml", "--trainer.callbacks+=Timer"],
        Unknown("--trainer.callbacks+ Timer"),
    ),
    "another class": (
        "--optimizer.lr",
        ["fit", "--config", "c.yaml", "--optimizer", "SGD"],
        Unknown("--optimizer SGD"),
    ),
}


@pytest.mark.parametrize(("name", "args", "value"), CONFIGURED.values(), ids=CONFIGURED)
def test_what_a_config_file_says_counts(program_of, tmp_path, monkeypatch, name, args, value):
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "d.yaml").write_text("model: {width: 7}\n")
    (tmp_path / "all.yaml").write_text("fit: {model: {width: 9}}\n")
    (tmp_path / "merged.yaml").write_text("x: &x {width: 11, lr: 0.1}\nmodel:\n  lr: 0.5\n  <<: *x\n")
    (tmp_path / "several.yaml").write_text("x: [&a {width: 12}, &b {width: 13}]\nmodel: {<<: [*a, *b]}\n")
    monkeypatch.chdir(tmp_path)
    assert repr(held(program_of(CLI), name, args)) == repr(value)


PLACES = {
    "a parameter": ("--model.width", [], "c.yaml:2"),
    "arguments of a class": ("--optimizer.lr", [], "c.yaml:3"),
    "the last of several callbacks": ("--trainer.callbacks.patience", [], "c.yaml:9"),
    "a word behind the file": ("--model.width", ["--model.width=3"], "s.yaml:2"),
    "a later file": ("--model.width", ["--config", "d.yaml"], "d.yaml:1"),
    "a file that merges it: no place of its own": ("--model.width", ["--config", "merged.yaml"], "s.yaml:2"),
}


@pytest.mark.parametrize(("name", "more", "place"), PLACES.values(), ids=PLACES)
def test_the_place_is_where_the_value_in_force_stands(program_of, tmp_path, monkeypatch, name, more, place):
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "d.yaml").write_text("model: {width: 7}\n")
    (tmp_path / "merged.yaml").write_text("x: &x {width: 11}\nmodel: {<<: *x}\n")
    monkeypatch.chdir(tmp_path)
    program = program_of(CLI)
    option = find_option(name, program, find_options(program), "x")

    found = option_in_force(option, program, ["fit", "--config", "c.yaml", *more], "s.yaml:2")

    assert found.where == place
    assert (found.config is None) is (place == "s.yaml:2")


def held(program, name, args):
    return value_in_force(find_option(name, program, find_options(program), "x"), program, args)

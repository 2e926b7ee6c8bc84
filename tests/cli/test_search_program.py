"""``promotune PROGRAM NAME...``: a search without a space file."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.projects import write_program
from tune.cli import main
from tune.cli.command_parsers import build_parser
from tune.cli.parser import split_command
from tune.errors import OptionError
from tune.paths import ExperimentPaths
from tune.promotion.options.declared_options import find_options
from tune.promotion.options.option_values import value_in_force
from tune.promotion.options.required_words import find_command, find_required_words, suggest_args
from tune.promotion.program import find_program
from tune.space.dimensions import Choice, FloatRange
from tune.space.space_file import read_space

ROOT = Path(__file__).parents[2]

NET = """\
import pytorch_lightning as pl
LR = 1e-3
BATCH_SIZE = 64
ACT = "relu"
BETAS = (0.9, 0.99)
class Net(pl.LightningModule):
    def validation_step(self, batch, idx):
        self.log("quantity", LR + BATCH_SIZE, ACT, BETAS)
def dataloaders():
    pass
"""

SCRIPT = """\
import argparse
import pytorch_lightning as pl
make = argparse.ArgumentParser()
make.add_argument("folder")
make.add_argument("--data", required=True)
make.add_argument("--lr", type=float, default=1e-3)
def main():
    checkpoint = pl.callbacks.ModelCheckpoint(monitor="val_loss", mode="min")
    pl.Trainer(max_epochs=7, callbacks=[checkpoint]).fit(Net(make.parse_args()))
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["promotune"])
    write_program(tmp_path, "net", NET)
    write_program(tmp_path, "train", SCRIPT)
    write_program(tmp_path, "settings", "import torch\nWIDTH = 4\nclass Config:\n    depth = 3\n")
    write_program(tmp_path, "sizes", "WIDTH = 4\n")
    write_program(tmp_path, "uses", f"from settings import WIDTH\n{NET}")
    (tmp_path / "package").mkdir()
    for name in ("train", "__main__"):
        (tmp_path / "package" / f"{name}.py").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("train.py LR", "search_program"),
        ("train.py --lr=1..2 --trials 3", "search_program"),
        ("--trials 3 train.py LR", "search_program"),
        ("train.py --help", "search_program"),
        ("train.py", "constants"),
        ("train.py --all", "constants"),
        ("--space lr_bs.yaml", "search"),
        ("--space lr_bs.yaml --name train.py", "search"),
        ("--trials 3", "search"),
        ("--help", "search"),
        ("results train.py", "results"),
    ],
)
def test_words_lead_to_the_command_that_they_mean(line, command):
    assert split_command(line.split())[0] == command


def test_the_values_of_options_are_no_names_of_constants():
    words = "net.py LR --metric val/acc --args --fast --trainer.max_epochs 3 --lr=1..2 --name other BATCH_SIZE -g 0 1"
    given = build_parser("search_program").parse_words(words.split())
    assert given.names == ["LR", "--lr=1..2", "BATCH_SIZE"]
    assert (given.metric, given.args, given.trainer) == ("val/acc", "--fast", {"max_epochs": "3"})
    assert (given.name, given.gpu) == ("other", [0, 1])


WRONG = {
    "net.py LR --trails 3": "no such option: '--trails'\n  Did you mean '--trials'?\n",
    "net.py LRR": (
        "'LRR' is not a constant of net.py\n"
        "  Did you mean 'LR' (0.001, line 2)?  `promotune constants net.py` lists them all.\n"
    ),
    "net.py LRR BATCH_SIZEE": (
        "'LRR', 'BATCH_SIZEE' are no constants of net.py\n"
        "  Did you mean 'LR' (0.001, line 2), 'BATCH_SIZE' (64, line 3)?"
        "  `promotune constants net.py` lists them all.\n"
    ),
    "net.py --trials 3": (
        "a search varies constants of the program, and none was named\n"
        "  Write `promotune net.py LR BATCH_SIZE`. `promotune net.py` lists its constants.\n"
    ),
    "net.py LR=1e-4..x": (
        "LR: the high end must be a number, got 'x'\n  LR=1e-4..x\n           ^\n  Write LR=LOW..HIGH.\n"
    ),
    "net.py LR --trials x": "--trials: must be a whole number, 1 or more, got 'x'\n  Write `--trials 20`.\n",
    "none.py LR": "no program at {folder}/none.py\n  Give the path of a Python file.\n",
    "-m package.train LR --trials 3": (
        "a program is named by its file, got -m package.train\n"
        "  Write `promotune package/train.py LR --trials 3`: it runs as `python -m` runs it.\n"
    ),
    "-m package LR": (
        "a program is named by its file, got -m package\n"
        "  Write `promotune package/__main__.py LR`: it runs as `python -m` runs it.\n"
    ),
    "-m": ("a program is named by its file, got -m\n  Write `promotune PROGRAM.py`: it runs as `python -m` runs it.\n"),
    "package.train LR": ("no such command: 'package.train'\n  Did you mean the program 'package/train.py'?\n"),
    "settings.py WIDTH=4..8": (
        "settings.py: it trains nothing: it has no LightningModule, and running it does nothing\n"
        "  Name the program that trains, and imports it: `promotune uses.py WIDTH=4..8`.\n"
    ),
    "sizes.py WIDTH": (
        "sizes.py: it trains nothing: it has no LightningModule, and running it does nothing\n"
        "  Name the program that trains.\n"
    ),
    "net LR": "no such command: 'net'\n  Did you mean the program 'net.py'?\n",
    "net.py BETAS": (
        "BETAS holds (0.9, 0.99): its other values can be written in a space file alone\n"
        "  `promotune promote` writes a file to do it in.\n"
    ),
    "net.py LR --space x.yaml": (
        "a program and a space file exclude each other, got net.py and --space x.yaml\n"
        "  Write `promotune --space x.yaml`, or leave --space out.\n"
    ),
    "--trials 3 --space=x.yaml net.py LR": (
        "a program and a space file exclude each other, got net.py and --space x.yaml\n"
        "  Write `promotune --space x.yaml`, or leave --space out.\n"
    ),
    "net.py LR=": (
        "LR: a range is missing behind the equals sign\n"
        "  LR=\n"
        "     ^\n"
        "  Write LR=LOW..HIGH, or LR alone for a suggested range.\n"
    ),
    "net.py LRR=": (
        "'LRR' is not a constant of net.py\n  Did you mean 'LR'?  `promotune constants net.py` lists them all.\n"
    ),
    "train.py --lr=": (
        "--lr: a range is missing behind the equals sign\n"
        "  --lr=\n"
        "       ^\n"
        "  Write --lr=LOW..HIGH, or --lr alone for a suggested range.\n"
    ),
    "train.py --lr 1e-3..1e-1": (
        "--lr: a range stands behind an equals sign, got '1e-3..1e-1' as a word of its own\n  Write --lr=1e-3..1e-1.\n"
    ),
    "net.py ACT relu,tanh": (
        "ACT: a range stands behind an equals sign, got 'relu,tanh' as a word of its own\n  Write ACT=relu,tanh.\n"
    ),
    "net.py ACT=relu": (
        "ACT: a choice needs several values, got 'relu' alone\n"
        "  ACT=relu\n"
        "      ^^^^\n"
        "  Write ACT=relu,ANOTHER. A constant that is not named keeps its hardcoded value.\n"
    ),
    "trian.py LR": "no program at {folder}/trian.py\n  Did you mean 'train.py'?\n",
    "trian.py": "no program at {folder}/trian.py\n  Did you mean 'train.py'?\n",
    "train.pyc": "a program is a .py file, got train.pyc\n  Did you mean 'train.py'?\n",
    "other.pyc LR": "a program is a .py file, got other.pyc\n  Give the path of a Python file.\n",
    "net.py LR LR=1..2": "'LR' stands twice, as LR and LR=1..2\n  Keep one.\n",
}


@pytest.mark.parametrize("line", WRONG)
def test_words_that_do_not_lead_to_a_search_are_told_with_what_to_do(line, folder, capfd):
    assert main(line.split()) == 2
    assert capfd.readouterr().err == WRONG[line].format(folder=folder)


def test_all_that_the_search_has_to_be_told_is_asked_for_at_once(folder, capfd):
    assert main(["net.py", "LR=1e-4..1", "ACT", "--trials", "3", "--trainer.precision", "32"]) == 2
    assert capfd.readouterr().err == (
        "net.py: the search has to be told 3 things more\n"
        "  --trainer.max_epochs 10  how many epochs a trial has, for the program does not say\n"
        "  ACT=relu,ANOTHER         what ACT may be: relu (net.py:4): write the other names beside it\n"
        "  --mode min               whether less (min) or more (max) of 'quantity' is better (logged in net.py:8)\n"
        "  Write: promotune net.py LR=1e-4..1 --trials 3 --trainer.precision 32 "
        "--trainer.max_epochs 10 ACT=relu,ANOTHER --mode min\n"
    )


def test_what_a_script_needs_on_its_command_line_is_asked_for(folder, capfd):
    assert main(["train.py", "--lr"]) == 2
    assert capfd.readouterr().err == (
        "train.py: the search has to be told 1 thing more\n"
        "  --args 'FOLDER --data DATA'  what train.py needs on its command line (train.py:4); --args '' if nothing\n"
        "  Write: promotune train.py --lr --args 'FOLDER --data DATA'\n"
    )


NAMED = """
import argparse

import pytorch_lightning as pl
import yaml


class Net(pl.LightningModule):
    def validation_step(self, batch, index):
        self.log("val_loss", 1.0)


def parse():
    parser = argparse.ArgumentParser()
    arg = parser.add_argument
    arg("-c", "--config_path", required=True)
    arg("--epochs", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    args = parse()
    held = yaml.safe_load(open(args.config_path))
    pl.Trainer(max_epochs=args.epochs).fit(Net(**held["optimizer"]))
"""


def test_the_config_file_that_an_option_has_to_name_is_asked_for_and_no_range_of_what_it_holds(folder, capfd):
    write_program(folder, "named", NAMED)
    (folder / "configs").mkdir()
    (folder / "configs" / "a.yaml").write_text("optimizer: {lr: 0.02}\n")
    (folder / ".hooks.yaml").write_text("a: 1\n")

    assert main(["named.py", "optimizer.lr="]) == 2
    assert capfd.readouterr().err == (
        "named.py: the search has to be told 1 thing more\n"
        "  --args '--config_path configs/a.yaml'  what named.py needs on its command line (named.py:16); "
        "--args '' if nothing\n"
        "  Write: promotune named.py optimizer.lr= --args '--config_path configs/a.yaml'\n"
    )
    assert main(["constants", "named.py"]) == 0
    assert (
        "`promotune constants named.py --args '--config_path configs/a.yaml'` lists them too" in capfd.readouterr().out
    )


LOADING = """
import argparse

import pytorch_lightning as pl
import yaml


class Load(argparse.Action):
    def __call__(self, parser, namespace, file, option=None):
        for key, value in yaml.safe_load(open(file)).items():
            setattr(namespace, key, value)


class Net(pl.LightningModule):
    def validation_step(self, batch, index):
        self.log("val_loss", 1.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--conf", action=Load)
    parser.add_argument("--lr", type=float, default=0.1)
    args = parser.parse_args()
    pl.Trainer(max_epochs=1).fit(Net(args.lr, args.optim["width"]))
"""
OPENED = LOADING.replace("action=Load", "type=argparse.FileType('r')")
NO_FILE = "optim.width=: it stands in conf/a.yaml, conf/b.yaml, and --conf names no file\n  Write: {}\n"
NO_CONSTANT = (
    "'optim.width' is not a constant of load.py\n  Did you mean 'optim.width=' of conf/a.yaml?  "
    "Then add --args '--conf conf/a.yaml'.  `promotune constants load.py` lists them all.\n"
)
UNNAMED = {
    "a value": ("optim.width=", NO_FILE),
    "its range": ("optim.width=4..8", NO_CONSTANT),
    "its name": ("optim.width", NO_CONSTANT),
}


@pytest.fixture
def loading(folder):
    (folder / "conf").mkdir()
    for name in "ab":
        (folder / "conf" / f"{name}.yaml").write_text("lr: 0.2\noptim: {width: 4}\n")
    return folder


@pytest.mark.parametrize("command", ["", "promote"], ids=["search", "promote"])
@pytest.mark.parametrize("text", [LOADING, OPENED], ids=["an action", "a type"])
@pytest.mark.parametrize(("name", "told"), UNNAMED.values(), ids=UNNAMED)
def test_a_value_of_a_file_that_no_word_names_is_told_with_the_words(
    name, told, text, command, loading, monkeypatch, capfd
):
    write_program(loading, "load", text)
    monkeypatch.setattr(sys, "argv", ["promotune", *command.split(), "load.py", name])

    assert main(sys.argv[1:]) == 2
    written = " ".join([*sys.argv, "--args '--conf conf/a.yaml'"])
    assert capfd.readouterr().err == told.format(written)


@pytest.mark.parametrize(("text", "value"), [(LOADING, "in conf/a.yaml, as --conf may set it"), (OPENED, "0.1")])
def test_what_an_action_of_the_program_may_set_has_no_value_of_its_default(text, value, loading):
    program = find_program(write_program(loading, "load", text))
    option = next(each for each in find_options(program) if each.name == "--lr")

    for args in (["--conf", "conf/a.yaml"], ["--conf=conf/a.yaml"]):
        assert repr(value_in_force(option, program, args)) == value
    assert value_in_force(option, program, []) == 0.1


def test_an_option_that_a_name_of_add_argument_declares_is_one(folder):
    write_program(folder, "named", NAMED)

    assert [each.name for each in find_options(find_program(folder / "named.py"))] == ["--config_path", "--epochs"]


def test_the_range_of_an_option_without_a_default_is_asked_for(folder, capfd):
    write_program(folder, "none", SCRIPT.replace("default=1e-3", "default=None"))

    assert main(["none.py", "--lr", "--args", "FOLDER --data DATA"]) == 2
    assert capfd.readouterr().err == (
        "none.py: the search has to be told 1 thing more\n"
        "  --lr=LOW..HIGH  what --lr may be: null (none.py:6): say what it may be beside None\n"
        "  Write: promotune none.py --args 'FOLDER --data DATA' --lr=LOW..HIGH\n"
    )


@pytest.mark.parametrize("word", ["lr", "--lr"])
def test_the_command_that_asks_for_a_range_has_the_name_once_also_where_a_short_one_was_written(folder, capfd, word):
    write_program(folder, "none", SCRIPT.replace("default=1e-3", "default=None"))

    assert main(["none.py", word, "--args", "FOLDER --data DATA"]) == 2
    assert capfd.readouterr().err.endswith("  Write: promotune none.py --args 'FOLDER --data DATA' --lr=LOW..HIGH\n")


def test_an_option_with_one_dash_is_named_as_the_program_has_it(folder):
    short = "import argparse\nmake = argparse.ArgumentParser()\nmake.add_argument('-lr', '-l', default=0.1)\n"
    write_program(folder, "short", short)

    given = build_parser("search_program").parse_words(["short.py", "-lr=1e-4..1", "--yes", "-l", "-q"])

    assert (given.names, given.yes, given.quiet) == (["-lr=1e-4..1", "-l"], True, True)


OWN_CLI = "from lightning.pytorch.cli import LightningCLI\nclass OwnCLI(LightningCLI):\n    x = 1\n"
COMMANDS = (
    "parts = make.add_subparsers()\ntest = parts.add_parser('test')\ntest.add_argument('model')\n"
    "learn = parts.add_parser('train')\nlearn.add_argument('folder')\nlearn.add_argument('--lr')\n"
)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("make.add_argument('folder')", ["folder"]),
        ("make.add_argument('--data', '-d', required=True)", ["--data"]),
        ("make.add_argument('folder', nargs='?')", []),
        ("make.add_argument('folders', nargs='+')", ["folders"]),
        ("make.add_argument('rest', nargs=argparse.REMAINDER)", []),
        ("make.add_argument('--data', required=True, default='x')", []),
        ("make.add_argument('--lr', default=1)", []),
        ("@click.argument('folder')\ndef f(): pass", ["folder"]),
        ("@click.argument('folder', required=False)\ndef f(): pass", []),
        ("@click.option('--data', required=True)\ndef f(): pass", ["--data"]),
        ("@click.option('--lstm/--cnn', required=True, is_flag=True)\ndef f(): pass", ["--lstm"]),
        ("@click.option('--fast', required=True, is_flag=True)\ndef f(): pass", ["--fast"]),
        ("LightningCLI(Model)", ["fit"]),
        ("LightningCLI(Model, args=['fit'])", []),
        ("LightningCLI(Model, run=False)", []),
        (f"{OWN_CLI}OwnCLI(Model)", ["fit"]),
        (f"{OWN_CLI}OwnCLI(Model, run=False)", []),
        (f"{OWN_CLI}    def __init__(self): super().__init__(run=False)\nOwnCLI()", []),
        (COMMANDS, ["train", "folder"]),
        (COMMANDS.replace("'train'", "'learn'"), ["model", "folder"]),
    ],
)
def test_the_words_that_a_parser_requires_are_found(declared, words, tmp_path):
    path = write_program(tmp_path, "declares", f"{declared}\n")
    assert [word.name for word in find_required_words(find_program(path))] == words


SUBCOMMANDS = """import argparse
parser = argparse.ArgumentParser()
parts = parser.add_subparsers()
train = parts.add_parser("train")
test = parts.add_parser("test")
train.add_argument("--lr", default=0.1)
"""
CONFIGS = {
    "the first of several": (
        {"configs/small.yaml": "model: {}\n", "configs/large.yaml": "model: {}\n"},
        " --config configs/large.yaml",
        "; the config files there: configs/large.yaml, configs/small.yaml",
    ),
    "the usual one of several": (
        {"config.yaml": "trainer: {max_epochs: 3}\n", "config.yml": "model: {}\n"},
        " --config config.yaml",
        "; the config files there: config.yaml, config.yml",
    ),
    "none that is LightningCLI's": ({"config.yaml": "lr: 0.1\n"}, "", ""),
}


COMMANDS = {
    "config.yaml": (
        "LightningCLI()",
        {"config.yaml": "trainer: {max_epochs: 3}\n", "other.yaml": "model: {}\n"},
        "fit --config config.yaml",
    ),
    "the only one": (
        "LightningCLI()",
        {"configs/small.yml": "fit: {}\n", "configs/data.yml": "words: []\n"},
        "fit --config configs/small.yml",
    ),
    "two": ("LightningCLI()", {"configs/a.yaml": "model: {}\n", "configs/b.yaml": "model: {}\n"}, None),
    "the command alone": ("LightningCLI(Net)", {}, "fit"),
    "classes that nothing names": ("LightningCLI()", {}, None),
    "fire's command": (
        "import fire\ndef train(): ...\ndef test(): ...\nfire.Fire({'train': train, 'test': test})",
        {},
        "train",
    ),
    "fire's commands of other names": (
        "import fire\ndef a(): ...\ndef b(): ...\nfire.Fire({'a': a, 'b': b})",
        {},
        None,
    ),
    "fire's commands that both train": (
        (
            "import fire\ndef pre_train(): ...\ndef fine_train(): ...\n"
            "fire.Fire({'pre_train': pre_train, 'fine_train': fine_train})"
        ),
        {},
        None,
    ),
    "a part of a word": (f"{SUBCOMMANDS}".replace('"train"', '"export-trained"'), {}, None),
    "a subcommand": (f"{SUBCOMMANDS}", {}, "train"),
    "a word beside the command": (f"{SUBCOMMANDS}train.add_argument('--data', required=True)", {}, None),
}


@pytest.mark.parametrize(("call", "files", "words"), COMMANDS.values(), ids=COMMANDS)
def test_the_command_that_trains_needs_not_be_given(call, files, words, folder):
    text = f"from lightning.pytorch.cli import LightningCLI\nclass Net: ...\n{call}\n"
    path = write_program(folder, "cli", text)
    for name, held in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(held)

    assert find_command(find_program(path)) == words


@pytest.mark.parametrize(("files", "words", "others"), CONFIGS.values(), ids=CONFIGS)
def test_the_config_file_of_a_lightning_cli_that_lies_there_is_proposed(files, words, others, folder, capfd):
    write_program(folder, "cli", "from lightning.pytorch.cli import LightningCLI\nLightningCLI()\n")
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    assert main(["cli.py", "--model.lr=0.1..1"]) == 2
    assert capfd.readouterr().err == (
        "cli.py: the search has to be told 1 thing more\n"
        f"  --args 'fit{words}'  what cli.py needs on its command line (cli.py:2); --args '' if nothing{others}\n"
        f"  Write: promotune cli.py --model.lr=0.1..1 --args 'fit{words}'\n"
    )


def test_of_several_config_files_none_is_proposed_where_the_class_is_known(folder):
    path = write_program(folder, "cli", "from lightning.pytorch.cli import LightningCLI\nLightningCLI(Model)\n")
    for name in ("configs/small.yaml", "configs/large.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("model: {}\n")

    assert [word.example for word in find_required_words(find_program(path))] == ["fit"]


USES_CLI = "from lightning.pytorch.cli import LightningCLI\nimport pytorch_lightning as pl\n"
CLI_NET = "class Net(pl.LightningModule):\n    def __init__(self, width: int, dropout: float, lr: float = 0.1): ...\n"
OWN_OPTION = (
    "class OwnCLI(LightningCLI):\n    def add_arguments_to_parser(self, parser):\n"
    "        parser.add_argument('--tag', required=True)\n"
)
FIRST = "--config configs/a.yaml"
NEEDED = {
    "a parameter that has no default": (f"{CLI_NET}LightningCLI(Net)\n", f"fit {FIRST}"),
    "without a command": (f"{CLI_NET}LightningCLI(model_class=Net, run=False)\n", FIRST),
    "a class that the file names": ("LightningCLI()\n", f"fit {FIRST}"),
    "a class that the file names, without a command": ("LightningCLI(run=False)\n", FIRST),
    "an option that the file says": (f"{OWN_OPTION}OwnCLI(Other)\n", f"fit {FIRST}"),
    "an option that it does not": (f"{OWN_OPTION.replace('tag', 'name')}OwnCLI(Other)\n", "fit --name NAME"),
    "a parameter that a link fills": (
        f"{CLI_NET.replace('dropout: float,', '')}LightningCLI(Net)\nparser.link_arguments('data.n', 'model.width')\n",
        "fit",
    ),
    "config files of its own": (f"{CLI_NET}LightningCLI(Net, parser_kwargs=KNOWN)\n", "fit"),
    "words of its own": (f"{CLI_NET}LightningCLI(Net, args=['fit'])\n", ""),
    "a parameter that is None": (
        f"{CLI_NET}def main(args=None):\n    LightningCLI(Net, args=args, parser_kwargs=KNOWN)\nmain()\n",
        "fit",
    ),
    "a keyword that is None": (
        f"{CLI_NET}def main(*, args=None):\n    LightningCLI(Net, args=args, parser_kwargs=KNOWN)\nmain()\n",
        "fit",
    ),
    "a parameter without a default": (
        f"{CLI_NET}def main(args, more=None):\n    LightningCLI(Net, args=args, parser_kwargs=KNOWN)\nmain([])\n",
        "",
    ),
}


@pytest.fixture
def configs(folder):
    (folder / "configs").mkdir()
    for name in "ab":
        (folder / "configs" / f"{name}.yaml").write_text("model: {width: 4, dropout: 0.1, lr: 0.2}\ntag: x\n")


@pytest.mark.usefixtures("configs")
@pytest.mark.parametrize(("text", "words"), NEEDED.values(), ids=NEEDED)
def test_a_config_file_is_proposed_where_a_lightning_cli_cannot_do_without(text, words, folder):
    path = write_program(folder, "cli", f"{USES_CLI}{text}")

    assert " ".join(word.example for word in find_required_words(find_program(path))) == words


@pytest.mark.usefixtures("configs")
@pytest.mark.parametrize("given", [[], ["--args", "fit"]], ids=["no words", "a word"])
def test_of_several_config_files_all_are_named_and_no_range_of_what_they_hold_is_asked_for(given, folder, capfd):
    write_program(folder, "cli", f"{USES_CLI}{CLI_NET}LightningCLI(Net)\n")

    assert main(["cli.py", "--model.width", "--model.dropout", *given]) == 2
    end = "" if given else "; --args '' if nothing"
    assert capfd.readouterr().err == (
        "cli.py: the search has to be told 1 thing more\n"
        f"  --args 'fit {FIRST}'  what cli.py needs on its command line (cli.py:5){end}; "
        "the config files there: configs/a.yaml, configs/b.yaml\n"
        f"  Write: promotune cli.py --model.width --model.dropout --args 'fit {FIRST}'\n"
    )


@pytest.mark.usefixtures("configs")
@pytest.mark.parametrize(
    ("text", "args", "said", "suggested"),
    [
        ("LightningCLI(Net)", "fit", "the following arguments are required: fit.model.width", f"fit {FIRST}"),
        ("LightningCLI(Net, run=False)", "fit", "unrecognized arguments: fit", FIRST),
        ("LightningCLI(Other)", "fit --seed 1", "the following arguments are required: x", f"fit --seed 1 {FIRST}"),
        ("LightningCLI(Net)", f"fit {FIRST}", "the following arguments are required: x", ""),
        ("LightningCLI(Net)", "", "the following arguments are required: subcommand", f"fit {FIRST}"),
        (
            "LightningCLI(Net)",
            f"fit {FIRST}",
            "the following arguments are required: fit.model.width, fit.data.n-folds",
            f"fit {FIRST} --model.width WIDTH --data.n-folds N_FOLDS",
        ),
        (
            "LightningCLI(Net)",
            f"fit {FIRST} --seed 1",
            "the following arguments are required: --name/-n",
            f"fit {FIRST} --seed 1 --name NAME",
        ),
    ],
)
def test_what_a_parser_misses_is_suggested(text, args, said, suggested, folder):
    program = find_program(write_program(folder, "cli", f"{USES_CLI}{CLI_NET}{text}\n"))

    words, files = suggest_args(program, args.split(), said)

    assert (" ".join(words), files) == (suggested, ("configs/a.yaml", "configs/b.yaml"))


def test_the_ends_of_a_number_that_may_be_no_whole_one_are_asked_for(folder, capfd):
    write_program(folder, "cli", f"{USES_CLI}LightningCLI()\n")

    assert main(["cli.py", "--model.rate=0..1", "--args", "fit"]) == 2
    assert capfd.readouterr().err == (
        "--model.rate: the source does not tell whether --model.rate is a whole number, and 0..1 has two of them\n"
        "  --model.rate=0..1\n               ^^^^\n"
        "  Write --model.rate=0.0..1.0 for all between, or --model.rate=0,1.\n"
    )


def test_promote_takes_ranges_in_words_too(folder, capfd):
    words = ["net.py", "LR=1e-4..1", "BATCH_SIZE=16,32", "ACT=relu,tanh", "--mode", "max", "--trainer.max_epochs", "3"]
    assert main(["promote", *words]) == 0
    capfd.readouterr()
    space = read_space(folder / "search_spaces" / "lr_batch_size_act.yaml")
    assert space.dimensions == {
        "LR": FloatRange(low=1e-4, high=1.0, log=True),
        "BATCH_SIZE": Choice(options=(16, 32)),
        "ACT": Choice(options=("relu", "tanh")),
    }
    assert space.settings.trainer == {"max_epochs": 3}


def test_a_program_and_names_are_a_search_that_is_kept(project, storage, command):
    words = ["scripted.py", "LR", "BATCH_SIZE=4,8", "--trials", "2", "--concurrency", "1", "--no-report"]
    ran = command(*words, "--trainer.max_epochs", "2")

    assert (ran.status, ran.err) == (0, "")
    out = "\n".join(line.rstrip() for line in ran.out.splitlines())
    assert "\nconstant     hardcoded   searched                  told by\n" in out
    assert "2/2" in out
    keep = "promote scripted.py LR BATCH_SIZE=4,8 --trainer.max_epochs 2"
    assert out.endswith(f"\nto keep these ranges in a file:\n  python run_search.py {keep}")
    kept = read_space(ExperimentPaths(storage / "scripted").space)
    assert kept.dimensions["BATCH_SIZE"] == Choice(options=(4, 8))
    assert kept.settings.trainer == {"max_epochs": 2}


def answer(line, words, folder, storage):
    """Run the command on a terminal, answer its question with a line, and return its status and what it showed."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    environment = {**os.environ, "PROMOTUNE_STORAGE": str(storage), "TERM": "dumb"}
    process = subprocess.Popen(
        [sys.executable, ROOT / "run_search.py", *words],
        cwd=folder,
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    try:
        while b"Search? [Y/n] " not in shown:
            shown += os.read(master, 65536)
        os.write(master, line)
        while True:
            try:
                shown += os.read(master, 65536)
            except OSError:  # the process closed it
                break
        return process.wait(60), shown.decode().replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(master)


SHOWN = """\
constant     hardcoded   searched                    told by
LR           0.001       loguniform 0.0001 to 0.01   a tenth to ten times
BATCH_SIZE   64          choice 64, 128              as given

metric   quantity: logged in net.py:8
mode     max: given with --mode
program  a system: the search builds the Trainer, max_epochs 3 given with --trainer.max_epochs

Search? [Y/n]"""


@pytest.mark.parametrize("line", [b"n\n", b"\x04"], ids=["no", "the end of the input"])
def test_on_a_terminal_the_search_shows_what_told_it_and_asks(line, folder, tmp_path):
    words = ["net.py", "LR", "BATCH_SIZE=64,128", "--mode", "max", "--trainer.max_epochs", "3", "--concurrency", "1"]
    status, shown = answer(line, words, folder, tmp_path / "storage")

    first, _, rest = shown.partition("\nconstant ")
    told = "\n".join(each.rstrip() for each in f"constant {rest}".split("\n"))
    assert first.startswith("net.py: maximise quantity\n")
    assert told.startswith(SHOWN)
    assert (
        "nothing was run\nto keep these ranges in a file:\n"
        "  python run_search.py promote net.py LR BATCH_SIZE=64,128 "
        "--metric quantity --mode max --trainer.max_epochs 3"
    ) in told
    assert status == 0
    assert not (tmp_path / "storage" / "net").exists()


def test_the_parser_of_an_imported_module_that_is_run_alone_requires_nothing(tmp_path):
    parser = "import argparse\nif __name__ == '__main__':\n    argparse.ArgumentParser().add_argument('folder')\n"
    write_program(tmp_path, "prepare", parser)
    program = write_program(tmp_path, "uses", "import prepare\n")

    assert find_required_words(find_program(program)) == ()
    assert [word.name for word in find_required_words(find_program(tmp_path / "prepare.py"))] == ["folder"]


def test_an_option_of_a_lightning_cli_is_none_of_ours(folder, capfd):
    write_program(folder, "cli", "from lightning.pytorch.cli import LightningCLI\nLightningCLI(run=False)\n")

    assert main(["cli.py", "--model.lr=0.1..1", "--metric", "val_acc", "--storage", "s3://"]) == 2
    assert capfd.readouterr().err.startswith("--storage: the URL names no bucket")


CLI_PROGRAM = (
    "import pytorch_lightning as pl\nfrom pytorch_lightning.cli import LightningCLI\n"
    "class Net(pl.LightningModule):\n    def __init__(self, lr: float = 0.1): self.lr = lr\nLightningCLI(Net)\n"
)
TRAINER_WORDS = {
    "a name": (["cli.py", "--trainer.max_epochs"], ["--trainer.max_epochs"], {}),
    "a name before an option": (["cli.py", "--trainer.max_epochs", "--yes"], ["--trainer.max_epochs"], {}),
    "a range": (["cli.py", "--trainer.max_epochs=5..10"], ["--trainer.max_epochs=5..10"], {}),
    "a choice": (
        ["cli.py", "--trainer.max_epochs=5,10", "--model.lr"],
        ["--trainer.max_epochs=5,10", "--model.lr"],
        {},
    ),
    "a value": (["cli.py", "--model.lr", "--trainer.max_epochs", "5"], ["--model.lr"], {"max_epochs": "5"}),
    "a negative value": (["cli.py", "--model.lr", "--trainer.max_epochs", "-1"], ["--model.lr"], {"max_epochs": "-1"}),
    "devices": (["cli.py", "--model.lr", "--trainer.devices=0,1"], ["--model.lr"], {"devices": "0,1"}),
}


@pytest.mark.parametrize(("words", "names", "trainer"), TRAINER_WORDS.values(), ids=TRAINER_WORDS)
def test_an_argument_of_the_trainer_that_a_lightning_cli_takes_can_be_named(folder, words, names, trainer):
    write_program(folder, "cli", CLI_PROGRAM)

    given = build_parser("search_program").parse_words(words)

    assert (given.names, given.trainer) == (names, trainer)


@pytest.mark.parametrize(
    "rest", [[], ["--yes"], ["-o", "x.yaml"]], ids=["last", "before an option", "before a short one"]
)
def test_an_argument_of_the_trainer_without_a_value_is_refused_where_the_program_has_no_such_option(folder, rest):
    with pytest.raises(OptionError, match=r"--trainer\.max_epochs needs a value"):
        build_parser("search_program").parse_words(["net.py", "LR", "--trainer.max_epochs", *rest])

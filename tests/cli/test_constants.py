"""``constants`` shows what a program hardcodes: how to name it, what it holds, where, and who reads it."""

import json
import sys

import pytest

from tune.cli import main
from tune.cli.commands.constants import find_promising
from tune.promotion.program import find_program

FILES = {
    "pyproject.toml": "",
    "parts/__init__.py": "",
    "parts/net.py": (
        'CONFIG = {"optim": {"rate": 1e-3}}\n'
        "lr = 3\n"
        "WIDTHS = [" + ", ".join(str(number) for number in range(100, 130)) + "]\n"
        "class Net:\n"
        "    def __init__(self, width=64):\n"
        "        self.width = width\n"
    ),
    "train.py": (
        "import argparse, os\n"
        "from parts.net import CONFIG, Net, WIDTHS\n"
        'lr = float(os.environ.get("LR", "1e-3"))\n'
        "for SEED in range(3):\n"
        "    pass\n"
        "make = argparse.ArgumentParser()\n"
        'make.add_argument("--epochs", type=int, default=3)\n'
        'make.add_argument("--fast", action="store_true")\n'
        "print(Net(8), sorted(CONFIG), lr)\n"
    ),
}

TABLE = """\
constant   value                                 where           form          read in line
lr         0.001                                 train.py:3      module level  9
Net.width  8                                     parts/net.py:5  parameter     6
--epochs   3                                     train.py:7      option
net.lr     3                                     parts/net.py:2  module level  never read
WIDTHS     [100, 101, 102, 103, 104, 105, 10...  parts/net.py:3  module level  never read

train.py:3: lr: the environment variable LR no longer counts once it is searched
parts/net.py:5: Net.width: the default 64 (parts/net.py:5) is not what the program passes; a trial's value replaces both

4 more are less promising; promotune constants train.py --all lists them too
2 more cannot be searched by name; promotune constants train.py --refused says why
"""

ALL = """\
constant                 value                                 where           form          read in line
lr                       0.001                                 train.py:3      module level  9
Net.width                8                                     parts/net.py:5  parameter     6
--epochs                 3                                     train.py:7      option
net.lr                   3                                     parts/net.py:2  module level  never read
WIDTHS                   [100, 101, 102, 103, 104, 105, 10...  parts/net.py:3  module level  never read
CONFIG                   {'optim': {'rate': 0.001}}            parts/net.py:1  module level  train.py:9
CONFIG['optim']          {'rate': 0.001}                       parts/net.py:1  field         train.py:9
CONFIG['optim']['rate']  0.001                                 parts/net.py:1  field         train.py:9
--fast                   False                                 train.py:8      flag

train.py:3: lr: the environment variable LR no longer counts once it is searched
parts/net.py:5: Net.width: the default 64 (parts/net.py:5) is not what the program passes; a trial's value replaces both

2 more cannot be searched by name; promotune constants train.py --refused says why
"""

REFUSED = """\
SEED is a loop's variable: train.py:4
  Give the value a name of its own, outside of the loop.
make is computed: argparse.ArgumentParser() (train.py:6)
  Search what it is computed from.
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["pytest"])
    return tmp_path


def test_constants_when_piped_then_each_row_is_a_line_with_its_file(project, capfd):
    assert main(["constants", "train.py"]) == 0
    assert capfd.readouterr().out == TABLE


def test_constants_when_asked_for_all_then_the_promising_come_first(project, capfd):
    assert main(["constants", "train.py", "--all"]) == 0
    assert capfd.readouterr().out == ALL


def test_constants_when_nothing_is_promising_then_shows_all(project, capfd):
    (project / "train.py").write_text("X = 3\nprint(X)\n")

    assert main(["constants", "train.py"]) == 0
    assert capfd.readouterr().out == (
        "constant  value  where       form          read in line\nX         3      train.py:1  module level  2\n"
    )


def test_constants_when_one_is_behind_all_then_says_so(project, capfd):
    (project / "train.py").write_text("X = 3\nLR = 0.1\nprint(X, LR)\n")

    assert main(["constants", "train.py"]) == 0
    assert "\n1 more is less promising; promotune constants train.py --all lists it too\n" in capfd.readouterr().out


def test_constants_of_one_program_are_listed_the_same_each_time(project, capfd):
    for words in ([], ["--all"], ["--json"]):
        assert main(["constants", "train.py", *words]) == 0
        first = capfd.readouterr().out
        assert main(["constants", "train.py", *words]) == 0
        assert capfd.readouterr().out == first


HYDRA = {
    "train.py": (
        "import hydra\n"
        '@hydra.main(version_base="1.3", config_path="configs", config_name="main")\n'
        "def main(cfg):\n"
        "    print(cfg.lr, cfg.epochs, cfg.net.width)\n"
        "main()\n"
    ),
    "configs/main.yaml": "defaults:\n  - net: ???\n  - _self_\nlr: 0.1\nepochs: 3\n",
    "configs/net/wide.yaml": "width: 64\n",
}
WITH_ARGS = """\
constant    value  where                    form    read in line
lr=         0.1    configs/main.yaml:4      option
net.width=  64     configs/net/wide.yaml:1  option
epochs=     7      --args                   option

4 more are less promising; promotune constants train.py --args 'net=wide epochs=7' --all lists them too
"""


@pytest.fixture
def hydra_project(project):
    for name, text in HYDRA.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)


def test_constants_when_hydra_asks_for_a_word_then_says_how_to_give_it(hydra_project, capfd):
    assert main(["constants", "train.py"]) == 0
    told = capfd.readouterr().out
    assert (
        "configs/main.yaml: hydra does not compose it: You must specify 'net', which may be wide: --args net=wide\n"
    ) in told


@pytest.mark.parametrize("command", ["", "promote"], ids=["search", "promote"])
@pytest.mark.parametrize("name", ["lr=", "net.width="])
@pytest.mark.parametrize(("given", "words"), [([], "net=wide"), (["--args", "epochs=7"], "'epochs=7 net=wide'")])
@pytest.mark.usefixtures("hydra_project")
def test_a_value_of_a_config_that_hydra_does_not_compose_is_told_with_the_words(
    name, given, words, command, monkeypatch, capfd
):
    monkeypatch.setattr(sys, "argv", ["promotune", *command.split(), "train.py", name, *given])

    assert main(sys.argv[1:]) == 2
    line = " ".join(["promotune", *command.split(), "train.py", name, "--args", words])
    assert capfd.readouterr().err == (
        "configs/main.yaml: hydra does not compose it: You must specify 'net', which may be wide; "
        f"so {name} is not known\n  Write: {line}\n"
    )


def test_constants_when_given_args_then_lists_what_is_in_force_with_them(hydra_project, capfd):
    assert main(["constants", "train.py", "--args", "net=wide epochs=7"]) == 0
    assert capfd.readouterr().out == WITH_ARGS


def test_constants_when_args_name_a_config_file_then_lists_its_values(project, capfd):
    (project / "train.py").write_text(
        "import argparse, json\n"
        "parser = argparse.ArgumentParser()\n"
        'parser.add_argument("--config", default="a.json")\n'
        'parser.add_argument("--width", type=int, default=8)\n'
        "args = parser.parse_args()\n"
        "lr = json.load(open(args.config))['lr']\n"
        "print(args.width)\n"
    )
    (project / "a.json").write_text('{"lr": 0.1}')
    (project / "b.json").write_text('{"lr": 0.2}')

    assert main(["constants", "train.py", "--args", "--config b.json"]) == 0
    told = capfd.readouterr().out
    assert ["lr=", "0.2", "b.json:1", "config"] in [line.split() for line in told.splitlines()]
    assert "a.json" not in told


def test_constants_when_args_leave_a_quote_open_then_says_so(project, capfd):
    assert main(["constants", "train.py", "--args", "'a"]) == 2
    assert capfd.readouterr().err == '--args: No closing quotation, got "\'a"\n  Close the quote.\n'


def test_constants_when_asked_for_the_refused_then_each_has_its_reason_and_its_remedy(project, capfd):
    assert main(["constants", "train.py", "--refused"]) == 0
    assert capfd.readouterr().out == REFUSED


def test_constants_as_json_when_read_then_hold_what_the_table_shows(project, capfd):
    assert main(["constants", "train.py", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)

    assert list(told) == ["program", "root", "outside", "constants", "options", "refused", "nameless"]
    assert (told["program"], told["root"], told["outside"]) == ("train.py", str(project), [])
    every = told["constants"] + told["options"]
    assert sorted(each["name"] for each in every) == sorted(line.split("  ")[0] for line in ALL.splitlines()[1:10])
    assert [each["name"] for each in every if each["promising"]] == ["lr", "Net.width", "--epochs"]
    assert told["constants"][4] == {
        "name": "net.lr",
        "names": ["lr", "net.lr", "parts.net.lr"],
        "value": 3,
        "type": "int",
        "text": "3",
        "where": "parts/net.py:2",
        "sites": [{"file": "parts/net.py", "line": 2, "column": 6, "end_line": 2, "end_column": 7}],
        "form": "module level",
        "reads": [],
        "warnings": [],
        "promising": False,
    }
    assert told["options"][1] == {
        "name": "--fast",
        "names": ["--fast"],
        "value": False,
        "type": "bool",
        "text": "False",
        "where": "train.py:8",
        "is_flag": True,
        "promising": False,
    }
    assert told["refused"][0] == {
        "names": ["SEED", "train.SEED"],
        "file": "train.py",
        "reason": "is a loop's variable: train.py:4",
        "hint": "Give the value a name of its own, outside of the loop.",
    }


def test_a_value_that_json_cannot_write_is_told_as_text(project, capfd):
    (project / "train.py").write_text("A = 1e999\nB = min(1, 2)\nprint(A, B)\n")
    main(["constants", "train.py", "--json"])
    a, b = json.loads(capfd.readouterr().out)["constants"]

    assert (a["value"], a["type"], a["text"]) == (None, "float", "inf")
    assert (b["value"], b["type"], b["text"]) == (None, None, "min(1, 2)")


def test_a_program_without_constants_says_so(project, capfd):
    (project / "train.py").write_text("print()\n")

    assert main(["constants", "train.py"]) == 0
    assert capfd.readouterr().out == "train.py hardcodes nothing that can be searched\n"


def test_a_program_that_is_not_there_is_the_users_error(project, capfd):
    assert main(["constants", "trian.py"]) == 2
    assert capfd.readouterr().err == f"no program at {project}/trian.py\n  Did you mean 'train.py'?\n"


NARROW = """\
constant                 value                 line   form          read in line
train.py
lr                       0.001                     3  module level  9
--epochs                 3                         7  option
--fast                   False                     8  flag

parts/net.py
Net.width                8                         5  parameter     6
net.lr                   3                         2  module level  never read
WIDTHS                   [100, 101, 102, 1...      3  module level  never read
CONFIG                   {'optim': {'rate'...      1  module level  train.py:9
CONFIG['optim']          {'rate': 0.001}           1  field         train.py:9
CONFIG['optim']['rate']  0.001                     1  field         train.py:9
"""


def test_constants_on_a_terminal_of_80_columns_then_no_line_is_longer_and_files_are_sections(project, capfd):
    from pathlib import Path

    from tune.cli.commands.constants import make_rows, read_listing, show_sections
    from tune.cli.terminal.screen import Screen
    from tune.promotion.program import find_program

    class Narrow(Screen):
        width = 80

    listing = read_listing(find_program(Path("train.py")))
    show_sections(Narrow(), make_rows(listing, listing.ranked_constants))
    told = capfd.readouterr().out

    assert told == NARROW
    assert max(map(len, told.splitlines())) <= 80


CLI = "from lightning.pytorch.cli import LightningCLI\nLightningCLI()\n"
CLI_FILES = {
    "pyproject.toml": "",
    "train.py": CLI,
    "nets.py": (
        "import lightning as L\nclass Net(L.LightningModule):\n    def __init__(self, lr=1e-3):\n        self.lr = lr\n"
    ),
    "configs/net.yaml": "model:\n  class_path: nets.Net\n  init_args:\n    lr: 0.02\n",
}
OF_A_CONFIG = """\
constant             value  where               form    read in line
model.init_args.lr=  0.02   configs/net.yaml:4  config

2 more are less promising; promotune constants train.py --args 'fit --config configs/net.yaml' --all lists them too
"""


@pytest.fixture
def cli_project(tmp_path, monkeypatch):
    for name, text in CLI_FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["promotune"])
    return tmp_path


def test_constants_of_a_lightning_cli_that_takes_any_class_then_says_how_its_options_are_listed(cli_project, capfd):
    assert main(["constants", "train.py"]) == 0

    assert (
        "the command line says which classes LightningCLI builds: "
        "`promotune constants train.py --args 'fit --config configs/net.yaml'` lists their options and values too\n"
    ) in capfd.readouterr().out


OPEN_CLIS = {
    "no class": CLI,
    "None for a class": CLI.replace("()", "(model_class=None, datamodule_class=None)"),
    "a class below it": (
        "from lightning.pytorch.cli import LightningCLI\nclass Own(LightningCLI):\n"
        "    def add_arguments_to_parser(self, parser): parser.link_arguments('data.n', 'model.init_args.n')\nOwn()\n"
    ),
}


@pytest.mark.parametrize("text", OPEN_CLIS.values(), ids=OPEN_CLIS)
def test_a_name_that_leads_nowhere_in_a_lightning_cli_of_any_class_then_says_how_its_options_are_listed(
    cli_project, capfd, text
):
    (cli_project / "train.py").write_text(text)

    assert main(["promote", "train.py", "batch_size"]) == 2

    assert capfd.readouterr().err.splitlines()[1] == (
        "  `promotune constants train.py --args 'fit --config configs/net.yaml'` lists them all."
    )


READS_A_FILE = """\
import argparse
import yaml
parser = argparse.ArgumentParser()
parser.add_argument("--config"{default})
args = parser.parse_args()
config = yaml.safe_load(open(args.config))
print(config["lr"])
"""


@pytest.mark.parametrize(("default", "is_told"), [("", True), (', default="c.yaml"', False)])
def test_constants_of_a_program_whose_command_line_names_a_config_file_then_says_how_its_values_are_listed(
    cli_project, capfd, default, is_told
):
    (cli_project / "train.py").write_text(READS_A_FILE.format(default=default))
    (cli_project / "c.yaml").write_text("lr: 0.1\n")

    assert main(["constants", "train.py"]) == 0

    command = "promotune constants train.py --args '--config configs/net.yaml'"
    told = f"--config may name a file that holds values: `{command}` lists them too\n"
    assert (told in capfd.readouterr().out) is is_told


def test_constants_with_args_then_the_values_of_a_config_file_are_listed(cli_project, capfd):
    assert main(["constants", "train.py", "--args", "fit --config configs/net.yaml"]) == 0

    assert capfd.readouterr().out == OF_A_CONFIG


def test_a_program_with_args_alone_then_names_are_proposed_of_its_config_file(cli_project, capfd):
    assert main(["train.py", "--args", "fit --config configs/net.yaml"]) == 2

    assert (
        "Write `promotune train.py model.init_args.lr= --args 'fit --config configs/net.yaml'`."
        in capfd.readouterr().err
    )


def test_constants_with_args_that_begin_with_a_dash_then_takes_them(cli_project, capfd):
    assert main(["constants", "train.py", "--args", "--config=configs/net.yaml"]) == 0

    assert "constants train.py --args --config=configs/net.yaml --all" in capfd.readouterr().out


SECOND = """
import pytorch_lightning as pl, torch
class First(pl.LightningModule):
    def configure_optimizers(self): return torch.optim.SGD(self.parameters(), lr=0.5)
class Base(pl.LightningModule):
    def __init__(self, width=8): print(width)
    def validation_step(self, batch, idx): self.log("val_acc", 1)
class Second(Base):
    def configure_optimizers(self): return torch.optim.Adam(self.parameters(), lr=0.1)
pl.Trainer().fit(First())
pl.Trainer().fit(Second())
"""


def test_constants_of_a_module_that_logs_nothing_in_validation_then_come_last(tmp_path):
    (tmp_path / "train.py").write_text(SECOND)

    found = find_promising(find_program(tmp_path / "train.py"))

    assert [each.name for each in found] == ["Adam.lr", "Base.width", "SGD.lr"]


def test_constants_of_modules_none_of_which_logs_in_validation_then_come_by_their_kind(tmp_path):
    (tmp_path / "train.py").write_text(SECOND.replace("def validation_step", "def training_step"))

    found = find_promising(find_program(tmp_path / "train.py"))

    assert [each.name for each in found] == ["SGD.lr", "Adam.lr", "Base.width"]


ARCHITECTURES = """\
import argparse, torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 16, kernel_size=3), nn.Dropout(0.3), nn.Conv2d(16, 32, kernel_size=5))

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--weight_decay", type=float, default=1e-2)
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--batch_size", type=int, default=8)
args = parser.parse_args()
print(args.epochs, args.batch_size, torch.utils.data.DataLoader([], batch_size=1))
torch.optim.AdamW(Net().parameters(), lr=args.lr, weight_decay=args.weight_decay)
"""


def test_options_that_a_program_declares_come_before_the_numbers_of_its_layers(tmp_path):
    (tmp_path / "train.py").write_text(ARCHITECTURES)

    names = [each.name for each in find_promising(find_program(tmp_path / "train.py"))]

    assert names[:4] == ["--lr", "--batch_size", "DataLoader.batch_size", "--weight_decay"]
    assert names[-1] == "--epochs"
    assert "Dropout.p" in names

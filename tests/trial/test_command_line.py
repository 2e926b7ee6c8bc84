"""What the baseline runs of a script's options, and which options are refused: those that nobody reads."""

import json
from types import SimpleNamespace

import jsonargparse
import pytest
import torch

from tests.searched import Worker
from tune.errors import ProgramError
from tune.promotion.program import find_program
from tune.space.space import Script
from tune.trial.inputs.command_line import CommandLine

NET = """
import sys

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

LOADER = DataLoader(TensorDataset(torch.ones(8, 2)), batch_size=4)


class Net(pl.LightningModule):
    def __init__(self, lr=1e-3, width: int = 32):
        super().__init__()
        self.lr = lr
        self.net = torch.nn.Sequential(torch.nn.Linear(2, width), torch.nn.Linear(width, 1))

    def training_step(self, batch, index):
        loss = self.net(batch[0]).square().mean()
        self.log("loss", loss, on_epoch=True, on_step=False)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)

    def train_dataloader(self):
        return LOADER


def train(net, max_epochs=2):
    pl.Trainer(max_epochs=max_epochs).fit(net)


"""
ARGPARSE = """
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--config")
"""
SPACE = """
script: train.py
args: {args}
metric: loss
mode: min
constants:
  {option}: {range}
trials: 3
"""


@pytest.fixture
def searched(tmp_path, monkeypatch, server):
    """Return what makes a worker of a program and of one of its options."""

    def search(
        text, option="--lr", range_="{loguniform: [1e-4, 1e-1]}", args=(), shape="script", constant=None, **files
    ):
        root = tmp_path / "project"
        root.mkdir()
        monkeypatch.chdir(root)
        (root / "pyproject.toml").touch()
        (root / "train.py").write_text(NET + text)
        for name, held in files.items():
            (root / f"{name}.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in held.items()))
        space = SPACE.format(args=json.dumps(list(args)), option=constant or option, range=range_)
        if shape == "system":
            space = space.replace("script:", "system:").replace("args: []\n", "")
        (root / "space.yaml").write_text(space)
        return Worker(root / "space.yaml", tmp_path / "experiment", server)

    return search


def baseline_of(worker):
    """Run the baseline as a search does, the pre-flight first."""
    known = {item.key: item.value for item in worker.promoted if isinstance(item.value, int | float | str)}
    return worker.run(known, preflight=True, hardcoded=True)


def trained(trial):
    checkpoint = torch.load(trial.files.last_checkpoint, weights_only=False)
    rate = checkpoint["optimizer_states"][0]["param_groups"][0]["lr"]
    return {"lr": rate, "width": len(checkpoint["state_dict"]["net.0.bias"])}


MERGED = """
found, rest = parser.parse_known_args()
parser.set_defaults(**__import__("yaml").safe_load(open(found.config)))
train(Net(lr=parser.parse_args().lr))
"""
CLI = """
from pytorch_lightning.cli import LightningCLI

LightningCLI(Net, save_config_callback=None, trainer_defaults={"max_epochs": 2})
"""
CLICK = """
import click

@click.command(context_settings={"default_map": {"lr": 0.3}})
@click.option("--lr", default=0.1)
def main(lr):
    train(Net(lr=lr))

main(standalone_mode=False)
"""
BASELINES = {
    "args": (ARGPARSE + "train(Net(lr=parser.parse_args().lr))", ["--lr", "0.3"], {"lr": 0.3}),
    "set_defaults": (ARGPARSE + "parser.set_defaults(lr=0.3)\ntrain(Net(lr=parser.parse_args().lr))", [], {"lr": 0.3}),
    "a file that the program reads": (ARGPARSE + MERGED, ["--config", "c.yaml"], {"lr": 0.3}),
    "a Namespace that is filled": (
        ARGPARSE + "train(Net(lr=parser.parse_args(namespace=argparse.Namespace(lr=0.3)).lr))",
        [],
        {"lr": 0.3},
    ),
    "LightningCLI": (CLI, ["fit", "--config", "model.yaml"], {"width": 48}),
    "LightningCLI's default config": (
        CLI.replace("Net, ", "Net, parser_kwargs={'fit': {'default_config_files': ['model.yaml']}}, "),
        ["fit"],
        {"width": 48},
    ),
    "click": (CLICK, [], {"lr": 0.3}),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("text", "args", "held"), BASELINES.values(), ids=BASELINES)
def test_the_baseline_is_what_the_program_runs(searched, text, args, held):
    ((name, value),) = held.items()
    option = "--model.width" if name == "width" else "--lr"
    range_ = "{choice: [8, 16]}" if name == "width" else "{loguniform: [1e-4, 1e-1]}"
    worker = searched(text, option, range_, args, c={"lr": 0.3}, model={"model": {"width": 48}})

    trial = baseline_of(worker)

    assert trial.record.failure is None
    assert trained(trial)[name] == value
    assert trial.record.in_force[option]["value"] == value
    other = worker.run({option: 8 if name == "width" else 0.05})
    assert trained(other)[name] == (8 if name == "width" else 0.05)


UNREAD = {
    "a word, by a program that never looks": (
        "train(Net())",
        "lr=",
        "lr= stands on the command line, and the program never reads it",
    ),
    "a word that argparse leaves": (
        ARGPARSE + "args, rest = parser.parse_known_args()\ntrain(Net(lr=args.lr))",
        "train.lr=",
        "train.lr= stands on the command line, and the program never reads it",
    ),
    "a slice that nobody looks into": (
        "words = sys.argv[1:]\ntrain(Net())",
        "lr=",
        "lr= stands on the command line, and the program never reads it",
    ),
    "an option that nobody parses": (
        ARGPARSE + "train(Net())",
        "--lr",
        "--lr stands on the command line, and the program never reads it",
    ),
    "arguments that are written in the program": (
        ARGPARSE + "train(Net(lr=parser.parse_args([]).lr))",
        "--lr",
        "--lr stands on the command line, and the program never reads it",
    ),
    "an option that is parsed and left": (
        ARGPARSE + "args = parser.parse_args()\nprint(args, args.config)\ntrain(Net())",
        "--lr",
        "the program takes --lr and never reads it (train.py:{line})",
    ),
    "an option of click's that its function leaves": (
        CLICK.replace("Net(lr=lr)", "Net()"),
        "--lr",
        "the program takes --lr and never reads it (train.py:{line})",
    ),
    "a parameter that LightningCLI fills and nobody reads": (
        "class Own(Net):\n    def __init__(self, rate: float = 0.1):\n        super().__init__()\n"
        + CLI.replace("(Net", "(Own"),
        "--model.rate",
        "the program takes --model.rate and never reads it (train.py:{line})",
    ),
    "an option that is assigned again": (
        ARGPARSE + "args = parser.parse_args()\nargs.lr = 0.2\ntrain(Net(args.lr))",
        "--lr",
        "--lr is not in force: the program assigns it again before it reads it",
    ),
    "an option that a file replaces": (
        ARGPARSE
        + "args = parser.parse_args()\nfor name, value in {'lr': 0.2}.items():\n    setattr(args, name, value)\n"
        + "train(Net(args.lr))",
        "--lr",
        "--lr is not in force: the program assigns it again before it reads it",
    ),
    "an option that a mapping replaces": (
        ARGPARSE + "args = parser.parse_args()\nvars(args).update(lr=0.2)\ntrain(Net(args.lr))",
        "--lr",
        "--lr is not in force: the program assigns it again before it reads it",
    ),
    "an option that a Namespace of the program's own replaces": (
        ARGPARSE + "args = argparse.Namespace(**{**vars(parser.parse_args()), 'lr': 0.2})\ntrain(Net(args.lr))",
        "--lr",
        "--lr is not in force: the program assigns it again before it reads it",
    ),
    "a word that argparse refuses": (
        ARGPARSE + "train(Net(lr=parser.parse_args().lr))",
        "lr=",
        "the program ends when it is given lr=0.0001: unrecognized arguments: lr=0.0001",
    ),
    "an option that another parser does not know": (
        ARGPARSE + "net = Net(lr=parser.parse_args().lr)\nargparse.ArgumentParser().parse_args()\ntrain(net)",
        "--lr",
        "the program ends when it is given --lr=0.0001: unrecognized arguments: --lr=0.0001",
    ),
    "a word that click refuses": (
        CLICK.replace("(standalone_mode=False)", "()"),
        "lr=",
        "the program ends when it is given lr=0.0001: Got unexpected extra argument (lr=0.0001)",
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("text", "option", "message"), UNREAD.values(), ids=UNREAD)
def test_an_option_that_nobody_reads_is_refused(searched, text, option, message):
    worker = searched(text, option, args=["fit"] if "LightningCLI" in text else [])

    trial = baseline_of(worker)

    lines = (NET + text).splitlines()
    line = next((n for n, each in enumerate(lines, 1) if '"--lr"' in each or "rate: float" in each), 0)
    assert trial.failure.is_a("UnreadOptionError")
    assert trial.failure.message == f"{option}: {message.format(line=line)}"


def test_a_word_that_lightning_cli_refuses_is_refused(searched):
    worker = searched(CLI, "optimizer.init_args.lr=", args=["fit"])

    trial = baseline_of(worker)

    assert trial.failure.is_a("UnreadOptionError")
    assert trial.failure.message.startswith(
        "optimizer.init_args.lr=: the program ends when it is given optimizer.init_args.lr=0.0001: "
    )


REQUIRED = ARGPARSE + "parser.add_argument('--data', required=True)\nparser.add_argument('--n', type=int)\n"
ENDS = {
    "a required argument": (
        REQUIRED + "train(Net(parser.parse_args().lr))",
        [],
        "2: the following arguments are required: --data",
    ),
    "a wrong type": (
        REQUIRED + "train(Net(parser.parse_args().lr))",
        ["--data", "x", "--n", "three"],
        "2: argument --n: invalid int value: 'three'",
    ),
    "a choice": (
        ARGPARSE + "parser.add_argument('kind', choices=['a', 'b'])\ntrain(Net(parser.parse_args().lr))",
        ["c"],
        "2: argument kind: invalid choice: 'c' (choose from 'a', 'b')",
    ),
    "a word too many": (
        ARGPARSE + "train(Net(parser.parse_args().lr))",
        ["--zorp"],
        "2: unrecognized arguments: --zorp",
    ),
    "an error of the program's own": (
        ARGPARSE
        + "args = parser.parse_args()\nif args.config is None:\n    parser.error('no config')\ntrain(Net(args.lr))",
        [],
        "2: no config",
    ),
    "click": (
        (
            "import click\n@click.command()\n@click.option('--data', required=True)\n"
            "@click.option('--lr', default=0.1)\ndef main(data, lr):\n    train(Net(lr))\nmain()"
        ),
        [],
        "2: Missing option '--data'.",
    ),
    "typer": (
        "import typer\ndef main(data: str, lr: float = 0.1):\n    train(Net(lr))\ntyper.run(main)",
        [],
        "2: Missing argument 'data'.",
    ),
    "fire": (
        "import fire\ndef main(data, lr=0.1):\n    train(Net(lr))\nfire.Fire(main)",
        [],
        "2: The function received no value for the required argument: data",
    ),
    "LightningCLI": (
        CLI.replace("(Net,", "(Own,").replace(
            "LightningCLI\n\n", "LightningCLI\nclass Own(Net):\n    def __init__(self, data: int):\n        pass\n\n"
        ),
        ["fit"],
        None,
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("text", "args", "words"), ENDS.values(), ids=ENDS)
def test_a_program_that_its_parser_ends_is_refused_with_the_parsers_own_words(searched, text, args, words):
    trial = baseline_of(searched(text, "--model.data" if "LightningCLI" in text else "--lr", args=args))

    assert trial.failure.is_a("ProgramError")
    assert trial.failure.hint == "Write what it asks for under `args:` in the space file; `promote` takes it as --args."
    if words is None:
        assert trial.failure.message.startswith("train.py: the program ended with status 2: ")
        assert "data" in trial.failure.message
    else:
        assert trial.failure.message == f"train.py: the program ended with status {words}"


def test_a_config_of_all_subcommands_that_is_given_to_one_when_refused_then_the_hint_says_where_it_has_to_stand(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("import jsonargparse\n")
    (tmp_path / "c.yaml").write_text("fit: {lr: 0.3}\n")
    program, shape = find_program(tmp_path / "train.py"), Script(args=("fit", "--config", "c.yaml"))
    command_line = CommandLine(
        SimpleNamespace(options={}, program=program, shape=shape), {}, tmp_path, notes_reads=False
    )
    parser, fit = jsonargparse.ArgumentParser(), jsonargparse.ArgumentParser()
    fit.add_argument("--config", action="config")
    fit.add_argument("--lr", type=float)
    parser.add_subcommands().add_subcommand("fit", fit)

    with command_line.install_patches(), pytest.raises(SystemExit) as ended:
        parser.parse_args()
    with pytest.raises(ProgramError, match=r"Subcommand 'fit' does not accept option 'fit\.lr'") as refused:
        command_line.check_refusal(ended.value)

    assert refused.value.hint == (
        "The config file has a part for `fit`: write its `--config` before `fit` under `args:`; "
        "`promote` takes it as --args."
    )


def test_a_system_that_its_parser_ends_is_refused_and_told_to_be_a_script(searched):
    worker = searched(
        "RATE = 1e-3\n" + REQUIRED + "args = parser.parse_args()", "--lr", shape="system", constant="RATE"
    )

    trial = baseline_of(worker)

    assert trial.failure.is_a("ProgramError")
    assert (
        trial.failure.message
        == "train.py: the program ended with status 2: the following arguments are required: --data"
    )
    assert trial.failure.hint == "Write `script:`, and what it asks for under `args:`; `promote` takes it as --args."


@pytest.mark.parametrize("status", [2, 3])
def test_a_program_that_ends_by_itself_is_told_as_it_is(searched, status):
    trial = baseline_of(searched(ARGPARSE + f"parser.parse_args()\nsys.exit({status})"))

    assert (trial.failure.kind, trial.failure.message) == ("SystemExit", str(status))


LOOP = "given = dict(word.split('=') for word in {words})\ntrain(Net(lr=float(given.get('lr', 1e-3))))"
READ = {
    "a loop over sys.argv": (LOOP.format(words="sys.argv[1:]"), "lr="),
    "a loop over what argparse leaves": (
        ARGPARSE + "_, rest = parser.parse_known_args()\n" + LOOP.format(words="rest"),
        "lr=",
    ),
    "what argparse leaves, parsed again": (
        ARGPARSE
        + "first = argparse.ArgumentParser()\n_, rest = first.parse_known_args()\n"
        + "train(Net(lr=parser.parse_args(rest).lr))",
        "--lr",
    ),
    "sys.argv taken over": ("from sys import argv\n" + LOOP.format(words="argv[1:]"), "lr="),
    "sys.argv put together": (LOOP.format(words="([] + sys.argv)[1:]"), "lr="),
    "one word of it": ("rate = sys.argv[1] if len(sys.argv) > 1 else 'lr=0.01'\ntrain(Net(float(rate[3:])))", "lr="),
    "vars": (ARGPARSE + "args = vars(parser.parse_args())\ntrain(Net(args['lr']))", "--lr"),
    "getattr": (ARGPARSE + "args = parser.parse_args()\ntrain(Net(getattr(args, 'lr')))", "--lr"),
    "a copy": (ARGPARSE + "import copy\nargs = copy.deepcopy(parser.parse_args())\ntrain(Net(args.lr))", "--lr"),
    "hyperparameters": (
        ARGPARSE
        + """
class Own(Net):
    def __init__(self, args):
        super().__init__()
        self.save_hyperparameters(args)
        self.args = args

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)

train(Own(parser.parse_args()))
""",
        "--lr",
    ),
    "a later epoch": (
        ARGPARSE
        + """
class Own(Net):
    def on_train_epoch_start(self):
        if self.current_epoch == 1:
            self.trainer.optimizers[0].param_groups[0]["lr"] = args.lr

args = parser.parse_args()
train(Own())
""",
        "--lr",
    ),
    "a Namespace of the program's": (
        ARGPARSE + "class Held: ...\nargs = Held()\nparser.parse_args(namespace=args)\ntrain(Net(args.lr))",
        "--lr",
    ),
    "a value that is scaled": (
        ARGPARSE + "args = parser.parse_args()\nargs.lr *= 1\ntrain(Net(args.lr))",
        "--lr",
    ),
    "a value that is scaled in the Namespace's dictionary": (
        ARGPARSE + "args = parser.parse_args()\nvars(args)['lr'] += 0.0\ntrain(Net(args.lr))",
        "--lr",
    ),
    "a value that is scaled in a Namespace of the program's own": (
        ARGPARSE
        + "args = parser.parse_args()\nheld = dict(vars(args))\nheld['lr'] += 0.0\n"
        + "train(Net(argparse.Namespace(**held).lr))",
        "--lr",
    ),
    "another Namespace that has an option of this name": (
        ARGPARSE
        + "args = parser.parse_args()\nother = argparse.Namespace(lr=0.0, name='cos')\nother.lr\ntrain(Net(args.lr))",
        "--lr",
    ),
    "another Namespace, before all options are read": (
        ARGPARSE
        + "args = parser.parse_args()\nown = argparse.Namespace(lr=0.0, name='cos')\ntrain(Net({**vars(args)}['lr']))",
        "--lr",
    ),
    "a Namespace of the program's own, for something else": (
        ARGPARSE
        + "args = parser.parse_args()\nother = argparse.Namespace(**{**vars(args), 'lr': 0.0})\ntrain(Net(args.lr))",
        "--lr",
    ),
    "a copy of the Namespace's dictionary": (
        ARGPARSE + "args = parser.parse_args()\nheld = dict(vars(args))\nargs.lr = None\ntrain(Net(held['lr']))",
        "--lr",
    ),
    "a value that another option replaces": (
        ARGPARSE + "args = parser.parse_args()\nif args.config:\n    args.lr = 0.2\ntrain(Net(args.lr))",
        "--lr",
    ),
    "a subcommand": (
        """
import argparse
parser = argparse.ArgumentParser()
inner = parser.add_subparsers(dest="command").add_parser("fit")
inner.add_argument("--lr", type=float, default=1e-3)
args = parser.parse_args()
train(Net(args.lr))
""",
        "--lr",
    ),
    "an action of the program's": (
        """
import argparse
held = {"lr": 1e-3}
class Keep(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        held["lr"] = values
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, action=Keep)
parser.parse_args()
train(Net(held["lr"]))
""",
        "--lr",
    ),
    "click": (CLICK, "--lr"),
    "click, by its context": (
        CLICK.replace("def main(lr):", "@click.pass_context\ndef main(context, lr):").replace(
            "lr=lr", "context.params['lr']"
        ),
        "--lr",
    ),
    "absl": (
        """
from absl import app
def main(argv):
    train(Net(float(argv[1][3:]) if argv[1:] else 1e-3))
app.run(main)
""",
        "lr=",
    ),
    "a flag of absl's": (
        """
from absl import app, flags
RATE = flags.DEFINE_float("lr", 1e-3, "the rate")
def main(argv):
    train(Net(RATE.value))
app.run(main)
""",
        "--lr",
    ),
    "a format, which no attribute of the source names": (
        ARGPARSE + "chosen = parser.parse_args()\ntrain(Net(float('{0.lr}'.format(chosen))))",
        "--lr",
    ),
    "a value that the program refuses itself": (
        ARGPARSE + "args = parser.parse_args()\nif args.lr < 1e-3:\n    parser.error('too low')\ntrain(Net(args.lr))",
        "--lr",
    ),
    "a value that cannot be built": (
        ARGPARSE + "args = parser.parse_args()\nif args.lr < 1e-3:\n    raise ValueError\ntrain(Net(args.lr))",
        "--lr",
    ),
    "jsonargparse": (
        """
from jsonargparse import ArgumentParser
parser = ArgumentParser()
parser.add_argument("--lr", type=float, default=1e-3)
train(Net(parser.parse_args().lr))
""",
        "--lr",
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("text", "option"), READ.values(), ids=READ)
def test_an_option_that_is_read_is_not_refused(searched, text, option):
    worker = searched(text, option, args=["fit"] if "add_subparsers" in text else [])

    trial = baseline_of(worker)

    assert trial.record.failure is None
    assert trial.record.ready
    if "on_train_epoch_start" not in text:
        assert trained(worker.run({option: 0.05}))["lr"] == 0.05


OTHERS = {
    "hydra": (
        """
import hydra
from omegaconf import OmegaConf
from hydra.core.config_store import ConfigStore
ConfigStore.instance().store("base", {"lr": 1e-3})
@hydra.main(config_name="base", config_path=None, version_base=None)
def main(cfg):
    train(Net(cfg.lr))
main()
""",
        "lr=",
    ),
    "omegaconf": (
        """
from omegaconf import OmegaConf
cfg = OmegaConf.merge(OmegaConf.create({"lr": 1e-3}), OmegaConf.from_cli())
train(Net(cfg.lr))
""",
        "lr=",
    ),
    "fire": ("import fire\ndef main(lr=1e-3):\n    train(Net(lr))\nfire.Fire(main)", "--lr"),
    "typer": ("import typer\ndef main(lr: float = 1e-3):\n    train(Net(lr))\ntyper.run(main)", "--lr"),
    "jsonargparse": (
        "import jsonargparse\ndef main(lr: float = 1e-3):\n    train(Net(lr))\njsonargparse.CLI(main)",
        "--lr",
    ),
    "configargparse": (
        """
import configargparse
parser = configargparse.ArgumentParser(default_config_files=["c.yaml"])
parser.add_argument("--lr", type=float, default=1e-3)
train(Net(parser.parse_args().lr))
""",
        "--lr",
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("text", "option"), OTHERS.values(), ids=OTHERS)
def test_an_option_that_another_library_reads_is_not_refused(searched, request, text, option):
    pytest.importorskip(request.node.callspec.id)
    worker = searched(text, option, c={"lr": 0.3})

    trial = baseline_of(worker)

    assert trial.record.failure is None
    assert trained(worker.run({option: 0.05}))["lr"] == 0.05


def test_an_option_without_a_type_whose_default_is_a_number_is_a_number_in_a_trial(searched):
    text = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", default=0.1)
parser.add_argument("--name", default="net")
found = parser.parse_args()
train(Net(found.lr))
"""
    worker = searched(text)

    assert baseline_of(worker).failure is None
    trial = worker.run({"--lr": 0.05})
    assert trial.failure is None
    assert trained(trial)["lr"] == 0.05
    assert trial.record.in_force["--lr"]["value"] == 0.05


def test_a_trial_whose_parser_makes_another_truth_of_its_word_fails(searched):
    text = ARGPARSE + (
        'parser.add_argument("--fast", type=lambda word: bool(word), default=False)\n'
        "found = parser.parse_args()\ntrain(Net(lr=found.lr * (2 if found.fast else 1)))\n"
    )
    trial = searched(text, "--fast", "{choice: [true, false]}").run({"--fast": False})

    assert trial.failure.message == (
        "train.py:39: --fast is not in force: the search set False, and argparse made True of the word for it"
    )

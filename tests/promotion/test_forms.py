"""Every way to write a constant: what training sees of it, on one worker with one value and then with another."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any

import pytest

from tests.searched import Worker

BODY = """
import json, os
import pytorch_lightning as pl
import torch
from functools import partial
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
{text}

class LitModel(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 1)

    def on_fit_start(self):
        with open(os.path.join(self.logger.log_dir, "seen.json"), "w") as file:
            json.dump({seen}, file)

    def training_step(self, batch, idx):
        return self.net(batch[0]).square().mean()

    def validation_step(self, batch, idx):
        self.log("val", self.net(batch[0]).square().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)

{make}
def run():
    dl = DataLoader(TensorDataset(torch.ones(4, 2)), batch_size=2)
    pl.Trainer(max_epochs=1, log_every_n_steps=1).fit(LitModel(), dl, dl)

if __name__ == "__main__":
{main}
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    text: str
    """What stands below the imports."""
    name: str
    """As a space file writes the constant."""
    seen: str
    """An expression of the program, looked at when training begins."""
    values: tuple[Any, Any]
    """Two values, other than the hardcoded one."""
    hardcoded: Any
    """What the program holds by itself."""
    main: str = "run()"
    """What stands below the main guard."""
    make: str = ""
    """What stands above ``run``."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Other files of the project."""
    args: tuple[str, ...] = ()


def module_level(text, name="X", *, values=(7, 9), hardcoded=3, seen=None, **more):
    return Case(text=text, name=name, seen=seen or name, values=values, hardcoded=hardcoded, **more)


def argparse(argument):
    """Return what declares one option."""
    declared = f"ap.add_argument({argument})"
    return f"from argparse import ArgumentParser\nap = ArgumentParser()\n{declared}\nargs = ap.parse_args()"


NET = (
    "class Net(nn.Module):\n    def __init__(self, width=3):\n        super().__init__()\n        self.width = width\n"
)
PATHLIKE = ("b", "c")

CASES = {
    "plain": module_level("X = 3"),
    "lower case": module_level("x = 3", "x"),
    "underscore": module_level("_X = 3", "_X"),
    "annotated": module_level("X: int = 3"),
    "Final": module_level("from typing import Final\nX: Final = 3"),
    "Final of a type": module_level("from typing import Final\nX: Final[int] = 3"),
    "tuple unpacking, first": module_level("X, Y = 3, 4", seen="X"),
    "tuple unpacking, second": module_level("Y, X = 4, 3"),
    "list unpacking": module_level("[X, Y] = [3, 4]"),
    "nested unpacking": module_level("(X, Y), Z = (3, 4), 5"),
    "chained, first": module_level("X = Y = 3", seen="X"),
    "chained, second": module_level("Y = X = 3", seen="X"),
    "chained, the other stays": module_level("X = Y = 3", seen="[X, Y][0] if Y == 3 else 'wrong'"),
    "negative": module_level("X = -3", values=(-7, -9), hardcoded=-3),
    "float": module_level("X = .2", values=(0.5, 0.7), hardcoded=0.2),
    "scientific": module_level("X = 10e-3", values=(0.5, 0.7), hardcoded=0.01),
    "with underscores": module_level("X = 10_000", hardcoded=10_000),
    "a power": module_level("X = 10 ** -3", values=(0.5, 0.7), hardcoded=0.001),
    "a product": module_level("X = 2 * 64", hardcoded=128),
    "a string": module_level("X = 'a'", values=PATHLIKE, hardcoded="a"),
    "a boolean": module_level("X = False", values=(True, False), hardcoded=False),
    "None": module_level("X = None", values=(7, 9), hardcoded=None),
    "a tuple": module_level("X = (1, 2)", values=((3, 4), (5,)), hardcoded=(1, 2)),
    "a list": module_level("X = [1, 2]", values=([3, 4], [5]), hardcoded=[1, 2]),
    "a dict": module_level("X = {'a': 1}", values=({"a": 2}, {"a": 3}), hardcoded={"a": 1}),
    "over several lines": module_level("X = (\n    3\n)  # units"),
    "after a semicolon": module_level("Y = 4; X = 3"),
    "under if": module_level("if torch.cuda.is_available():\n    X = 256\nelse:\n    X = 3"),
    "under try": module_level("try:\n    import nonsense\n    X = 5\nexcept ImportError:\n    X = 3"),
    "under with": module_level("import contextlib\nwith contextlib.suppress(ValueError):\n    X = 3"),
    "conditional expression": module_level("X = 256 if torch.cuda.is_available() else 3"),
    "min()": module_level("X = min(3, os.cpu_count() + 3)"),
    "derived arithmetic": module_level("Y = 6\nX = Y // 2"),
    "what is derived from it": module_level("X = 3\nY = X * 2", seen="Y // 2"),
    "a path": module_level("from pathlib import Path\nX = Path('a')", seen="str(X)", values=PATHLIKE, hardcoded="a"),
    "under the main guard": module_level("", seen="globals()['X']", main="X = 3\nrun()"),
    "in mid-file": module_level("def f():\n    return X\n\nX = 3", seen="f()"),
    "environment default": module_level("X = os.environ.get('X', 3)"),
    "environment default, converted": module_level("X = int(os.environ.get('X', '3'))"),
    "getenv": module_level("X = float(os.getenv('X', default='3'))", values=(7.0, 9.0), hardcoded=3.0),
    "of an imported module": module_level("from config import X", files={"config.py": "X = 3"}),
    "of a module as a whole": module_level("import config", "config.X", files={"config.py": "X = 3"}),
    "of a module as another name": module_level(
        "import config as C", "config.X", seen="C.X", files={"config.py": "X = 3"}
    ),
    "of a package": module_level(
        "from conf.base import X",
        "conf.base.X",
        seen="X",
        files={"conf/__init__.py": "", "conf/base.py": "X = 3"},
    ),
    "re-exported by a package": module_level(
        "from conf import X", files={"conf/__init__.py": "from .base import *", "conf/base.py": "X = 3"}
    ),
    "star import": module_level("from config import *", files={"config.py": "X = 3"}),
    "the later of two star imports": module_level(
        "from config import *\nfrom data import *", files={"config.py": "X = 1", "data.py": "X = 3"}
    ),
    "an attribute that a namespace is given": module_level(
        "from types import SimpleNamespace\nC = SimpleNamespace()\nC.x = 3", "C.x"
    ),
    "an attribute of a namespace in another": module_level(
        "from argparse import Namespace\nC = Namespace()\nC.net = Namespace()\nC.net.x = 3",
        "C.net.x",
    ),
    "an entry that a dict is given": module_level("C = {}\nC['x'] = 3", "C['x']"),
    "an attribute that a function gives a namespace": module_level(
        "from argparse import Namespace\ndef make():\n    c = Namespace()\n    c.x = 3\n    return c",
        "make.c.x",
        seen="make().x",
    ),
    "imported in a function": module_level(
        "def f():\n    from config import X\n    return X", seen="f()", files={"config.py": "X = 3"}
    ),
    "through getattr": module_level(
        "import config", "config.X", seen="getattr(config, 'X')", files={"config.py": "X = 3"}
    ),
    "default argument of it": module_level("X = 3\ndef f(x=X):\n    return x", seen="f()"),
    "class attribute": module_level("class CFG:\n    x = 3", "CFG.x"),
    "annotated class attribute": module_level("class CFG:\n    x: int = 3", "CFG.x"),
    "class attribute, of an instance": module_level("class CFG:\n    x = 3\ncfg = CFG()", "CFG.x", seen="cfg.x"),
    "class attribute, inherited": module_level(
        "class Base:\n    x = 3\nclass CFG(Base):\n    pass", "Base.x", seen="CFG.x"
    ),
    "class in a class": module_level("class CFG:\n    class optim:\n        x = 3", "CFG.optim.x"),
    "dataclass": module_level(
        "from dataclasses import dataclass\n@dataclass\nclass CFG:\n    x: int = 3\ncfg = CFG()",
        "CFG.x",
        seen="cfg.x",
    ),
    "frozen dataclass with slots": module_level(
        "from dataclasses import dataclass\n@dataclass(frozen=True, slots=True)\n"
        "class CFG:\n    x: int = 3\ncfg = CFG()",
        "CFG.x",
        seen="cfg.x",
    ),
    "dataclass, passed": module_level(
        "from dataclasses import dataclass\n@dataclass\nclass CFG:\n    x: int = 1\ncfg = CFG(x=3)",
        "CFG.x",
        seen="cfg.x",
    ),
    "dataclass field": module_level(
        "from dataclasses import dataclass, field\n@dataclass\nclass CFG:\n    x: int = field(default=3)\ncfg = CFG()",
        "CFG.x",
        seen="cfg.x",
    ),
    "dataclass factory": module_level(
        "from dataclasses import dataclass, field\n@dataclass\n"
        "class CFG:\n    x: list = field(default_factory=lambda: [1])\ncfg = CFG()",
        "CFG.x",
        seen="cfg.x",
        values=([2], [3]),
        hardcoded=[1],
    ),
    "default of a method": module_level(
        "class Build:\n    def make(self, x=3):\n        return x", "Build.make.x", seen="Build().make()"
    ),
    "entry of a default": module_level("def f(opt={'x': 3}):\n    return opt['x']", "f.opt['x']", seen="f()"),
    "entry of a dataclass's factory": module_level(
        "from dataclasses import dataclass, field\n@dataclass\n"
        "class CFG:\n    opt: dict = field(default_factory=lambda: dict(x=3))\ncfg = CFG()",
        "CFG.opt['x']",
        seen="cfg.opt['x']",
    ),
    "dict entry": module_level("CFG = {'x': 3}", "CFG['x']"),
    "dict entry, dotted": module_level("CFG = {'x': 3}", "CFG.x", seen="CFG['x']"),
    "nested dict entry": module_level("CFG = {'a': {'x': 3}}", 'CFG["a"]["x"]'),
    "dict()": module_level("CFG = dict(x=3)", "CFG['x']"),
    "dict of a class": module_level("class CFG:\n    opt = {'x': 3}", "CFG.opt['x']"),
    "SimpleNamespace": module_level("from types import SimpleNamespace\nCFG = SimpleNamespace(x=3)", "CFG.x"),
    "Namespace": module_level("from argparse import Namespace\nCFG = Namespace(x=3)", "CFG.x"),
    "NamedTuple": module_level(
        "from typing import NamedTuple\nclass CFG(NamedTuple):\n    x: int = 3\ncfg = CFG()", "CFG.x", seen="cfg.x"
    ),
    "NamedTuple, passed": module_level(
        "from typing import NamedTuple\nclass CFG(NamedTuple):\n    x: int\ncfg = CFG(x=3)", "CFG.x", seen="cfg.x"
    ),
    "namedtuple defaults": module_level(
        "from collections import namedtuple\nCFG = namedtuple('CFG', 'x y', defaults=(3, 4))\ncfg = CFG()",
        "CFG.x",
        seen="cfg.x",
    ),
    "constructor argument": module_level(NET + "net = Net()", "Net.width", seen="net.width"),
    "constructor argument, passed by keyword": module_level(
        NET.replace("3", "1") + "net = Net(width=3)", "Net.width", seen="net.width"
    ),
    "constructor argument, passed by position": module_level(
        NET.replace("3", "1") + "net = Net(3)", "Net.width", seen="net.width"
    ),
    "constructor argument, passed in a dict": module_level(
        NET + "net = Net(**{'width': 3})", "Net.width", seen="net.width"
    ),
    "constructor argument, required": module_level(
        NET.replace("=3", "") + "net = Net(3)", "Net.width", seen="net.width"
    ),
    "constructor argument, in a partial": module_level(
        NET.replace("3", "1") + "make = partial(Net, width=3)\nnet = make()", "Net.width", seen="net.width"
    ),
    "constructor argument, of a base": module_level(
        NET + "class Deep(Net):\n    pass\nnet = Deep()", "Deep.width", seen="net.width"
    ),
    "constructor argument, through super": module_level(
        NET.replace("3", "1")
        + "class Deep(Net):\n    def __init__(self):\n        super().__init__(width=3)\nnet = Deep()",
        "Net.width",
        seen="net.width",
    ),
    "constructor argument, of a base by its name": module_level(
        NET.replace("3", "1")
        + "class Deep(Net):\n    def __init__(self):\n        Net.__init__(self, 3)\nnet = Deep()",
        "Net.width",
        seen="net.width",
    ),
    "constructor argument, of a module": module_level(
        "from nets import Net\nnet = Net()",
        "Net.width",
        seen="net.width",
        files={"nets.py": "from torch import nn\n" + NET},
    ),
    "argument of a function": module_level("def f(x=3):\n    return x", "f.x", seen="f()"),
    "attribute of self": module_level(
        "class Net:\n    def __init__(self):\n        self.x = 3\nnet = Net()", "Net.x", seen="net.x"
    ),
    "call keyword": module_level(
        "opt = torch.optim.Adam([nn.Parameter(torch.ones(1))], lr=0.3)",
        "Adam.lr",
        seen="opt.defaults['lr']",
        values=(0.5, 0.7),
        hardcoded=0.3,
    ),
    "call keyword, at a line": module_level(
        "a = nn.Linear(in_features=3, out_features=1)\nb = nn.Linear(in_features=4, out_features=1)",
        "Linear.in_features@7",
        seen="[a.in_features, b.in_features][0] if b.in_features == 4 else 'wrong'",
    ),
    "call keyword, of a dict": module_level("def f():\n    return dict(x=3)", "dict.x", seen="f()['x']"),
    "entry of a dict that a function returns": module_level(
        "def f():\n    return {'x': 3, 'y': 2}", "f['x']", seen="f()['x']"
    ),
    "positional": module_level("drop = nn.Dropout(0.3)", "Dropout.p", seen="drop.p", values=(0.5, 0.7), hardcoded=0.3),
    "second positional": module_level("lin = nn.Linear(4, 3)", "Linear.out_features@7", seen="lin.out_features"),
    "partial": module_level(
        "dl = partial(DataLoader, batch_size=3, num_workers=0)",
        "DataLoader.batch_size@7",
        seen="dl([1]).batch_size",
    ),
    "partial of an own function": module_level("def f(x, y=2):\n    return x\ng = partial(f, 3)", "f.x", seen="g()"),
    "inside a function": module_level(
        "def f():\n    return nn.Dropout(p=0.3).p", "Dropout.p", seen="f()", values=(0.5, 0.7), hardcoded=0.3
    ),
    "the Trainer's argument": module_level(
        "", "Trainer.log_every_n_steps", seen="self.trainer.log_every_n_steps", values=(7, 9), hardcoded=1
    ),
    "argparse option": module_level(
        argparse("'--x', type=int, default=3"),
        "--x",
        seen="args.x",
    ),
    "argparse option, of two names": module_level(
        argparse("'-r', '--learning-rate', '--lr', type=float, default=0.3"),
        "--lr",
        seen="args.learning_rate",
        values=(0.5, 0.7),
        hardcoded=0.3,
    ),
    "argparse option, fixed in args": module_level(
        argparse("'--x', type=int, default=1"),
        "--x",
        seen="args.x",
        args=("--x", "3"),
    ),
    "argparse option, negative": module_level(
        argparse("'--x', type=int, default=3"),
        "--x",
        seen="args.x",
        values=(-7, -9),
    ),
    "argparse flag": module_level(
        argparse("'--x', action='store_true'"),
        "--x",
        seen="args.x",
        values=(True, False),
        hardcoded=False,
    ),
    "argparse option of several words": module_level(
        argparse("'--x', nargs='+', type=int, default=[1]"),
        "--x",
        seen="args.x",
        values=([2, 3], [4]),
        hardcoded=[1],
    ),
    "entry of a dict that is an argument": module_level(
        "def build(optimizer): return optimizer\nOPT = build(optimizer={'x': 3, 'y': 4})",
        "build.optimizer['x']",
        seen="OPT['x']",
    ),
    "entry of dict() that is an argument": module_level(
        "import types\nOPT = types.SimpleNamespace(more=dict(optimizer=dict(x=3)), y=1).more",
        "SimpleNamespace.more['optimizer']['x']",
        seen="OPT['optimizer']['x']",
    ),
    "entry of dict() for a constructor": module_level(
        "class Net:\n    def __init__(self, optimizer): self.optimizer = optimizer\nNET = Net(optimizer=dict(x=3))",
        "Net.optimizer['x']",
        seen="NET.optimizer['x']",
    ),
    "click option": module_level(
        "import click",
        "--x",
        seen="GIVEN",
        make="@click.command()\n@click.option('--x', default=3)\n"
        "def cli(x):\n    global GIVEN\n    GIVEN = x\n    run()\n",
        main="cli()",
    ),
    "key=value": module_level(
        "import sys\ncfg = {'x': 3}\n"
        "for word in sys.argv[1:]:\n    key, _, value = word.partition('=')\n    cfg[key] = int(value)",
        "x=",
        seen="cfg['x']",
    ),
}


def written(case):
    def indented(text):
        return "\n".join(f"    {line}" for line in text.splitlines())

    return BODY.format(text=case.text, seen=case.seen, make=case.make, main=indented(case.main)).lstrip("\n")


def plain(value):
    return json.loads(json.dumps(value))


@pytest.mark.filterwarnings("ignore")  # they are programs of users
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_form_of_constant_is_in_force_when_training_begins(tmp_path, monkeypatch, server, case):
    root = tmp_path / "project"
    for name, text in {"pyproject.toml": "", "train.py": written(case), **case.files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(text))
    options = [each for each in (case.hardcoded, *case.values) if each is not None]
    options = [each for number, each in enumerate(options) if each not in options[:number]]
    space = {
        "script": "train.py",
        **({"args": list(case.args)} if case.args else {}),
        "metric": "val",
        "mode": "min",
        "constants": {case.name: {"choice": plain(options)}},
    }
    (root / "space.yaml").write_text(json.dumps(space))  # YAML is a superset
    monkeypatch.chdir(root)
    worker = Worker(root / "space.yaml", tmp_path / "experiment", server)

    for value in case.values:
        trial = worker.run({case.name: value})

        assert trial.record.failure is None
        assert json.loads((trial.files.folder / "seen.json").read_text()) == plain(value)
        if case.name in worker.job.constants:
            assert plain(trial.record.in_force[case.name]["value"]) == plain(value)
            assert trial.record.taken[case.name] >= 1

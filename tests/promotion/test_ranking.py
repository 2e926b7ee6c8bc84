"""Hyperparameters come first, and what no search would vary is told apart from them."""

# ruff: noqa: E501 - a case is a line

import pytest

from tune.promotion.configs.set_elsewhere import filled_field_warnings
from tune.promotion.find_constants import find_all, find_constants, shortest_names
from tune.promotion.options.declared_options import find_options
from tune.promotion.options.option_values import option_in_force
from tune.promotion.ranking.rank_constants import ConstantRanking

HEAD = (
    "import os, argparse, logging\nimport torch\nfrom pathlib import Path\nfrom torch import nn, optim\n"
    "from torch.utils.data import DataLoader\nimport pytorch_lightning as pl\n"
)


def promising(program):
    findings, options = find_all(program), find_options(program)
    ranking = ConstantRanking(program)
    ranks = {name: ranking.rank_of(each) for each, name in shortest_names(program).items()}
    ranks |= {option.name: ranking.rank_of(option) for option in options}
    assert findings.constants
    return [
        name for name in sorted(ranks, key=lambda name: (ranks[name] is None, ranks[name])) if ranks[name] is not None
    ]


PROMISING = {
    "names of optimizers and activations, of a library": (
        "ACT = nn.ReLU\nLR = 0.1\nKIND = optim.Adam\nNORM = nn.BatchNorm1d\nclass Net(nn.Module):\n    def __init__(self, act=ACT, gate=nn.Tanh): self.a = act(), gate(), NORM\nNet()\nKIND([], lr=LR)\n",
        ["LR", "ACT", "KIND", "Net.act", "Net.gate"],
    ),
    "by name, in this order": (
        "EPOCHS = 3\nGAMMA = 0.9\nWEIGHT_DECAY = 0.1\nDROPOUT = 0.1\nHIDDEN = 64\nBATCH_SIZE = 32\nLR = 1e-3\nprint(EPOCHS, GAMMA, WEIGHT_DECAY, DROPOUT, HIDDEN, BATCH_SIZE, LR)\n",
        ["LR", "BATCH_SIZE", "HIDDEN", "DROPOUT", "WEIGHT_DECAY", "GAMMA", "EPOCHS"],
    ),
    "of methods what is known by its name, or what torch takes it for": (
        "class Net(pl.LightningModule):\n    def __init__(self):\n        super().__init__()\n        self.show()\n        self.build()\n    def show(self, n=5, z=0.5): print(n, z)\n    def build(self, p=0.2): self.net = nn.Dropout(p)\n    def configure_optimizers(self, rate=0.1, wd=0.2): return optim.Adam(self.parameters(), rate, weight_decay=wd)\n",
        ["Net.configure_optimizers.rate", "Net.build.p", "Net.configure_optimizers.wd"],
    ),
    "arguments of torch and Lightning": (
        "optim.SGD([], lr=0.1, momentum=0.9)\nDataLoader([], batch_size=3)\nnn.Dropout(0.2)\npl.Trainer(max_epochs=3, gradient_clip_val=0.5)\noptim.lr_scheduler.StepLR(None, step_size=3, gamma=0.1)\n",
        [
            "SGD.lr",
            "DataLoader.batch_size",
            "Dropout.p",
            "SGD.momentum",
            "Trainer.gradient_clip_val",
            "StepLR.step_size",
            "StepLR.gamma",
            "Trainer.max_epochs",
        ],
    ),
    "what no name tells, by what takes it": (
        "K = 0.2\nC = {'a': 0.1}\nnn.Dropout(K)\noptim.Adam([], lr=C['a'])\n",
        ["C['a']", "K"],
    ),
    "the model's own": (
        "class Net(pl.LightningModule):\n    def __init__(self, alpha=0.5, name='x', flag=True):\n        self.a, self.n, self.f = alpha, name, flag\nNet()\n",
        ["Net.alpha"],
    ),
    "what the model is given": (
        "ALPHA = 0.5\nclass Net(nn.Module):\n    def __init__(self, strength):\n        self.a = strength\nNet(strength=ALPHA)\n",
        ["ALPHA", "Net.strength"],
    ),
    "an option, and not what it is passed to": (
        "p = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\na = p.parse_args()\nclass Net(nn.Module):\n    def __init__(self, lr):\n        print(lr)\nNet(lr=a.lr)\n",
        ["--lr"],
    ),
    "an option of several": (
        "p = argparse.ArgumentParser()\np.add_argument('--widths', default=[3, 4])\nX = 3\n",
        ["--widths"],
    ),
    "options": (
        "p = argparse.ArgumentParser()\np.add_argument('--seed', type=int, default=1)\np.add_argument('--max-epochs', type=int, default=3)\np.add_argument('--learning_rate', type=float, default=0.1)\np.add_argument('--root', default='data')\nX = 1\nprint(X)\n",
        ["--learning_rate", "--max-epochs"],
    ),
    "names of optimizers and activations": (
        "OPTIMIZER = 'adam'\nACTIVATION = 'relu'\nNAME = 'run'\nprint(OPTIMIZER, ACTIVATION, NAME)\n",
        ["OPTIMIZER", "ACTIVATION"],
    ),
    "widths of several layers": (
        "class Net(nn.Module):\n    def __init__(self, output_dims=(8, 8)):\n        self.d = output_dims\n",
        ["Net.output_dims"],
    ),
    "several numbers": (
        "BETAS = (0.9, 0.99)\nHIDDEN = [64, 64]\nSHAPE = (3, 4)\nprint(BETAS, HIDDEN, SHAPE)\n",
        ["HIDDEN", "BETAS"],
    ),
    "what a function makes a setting of": (
        "def env(key, default):\n    return type(default)(os.environ.get(key, default))\nLEARNING_RATE = env('LEARNING_RATE', 1e-3)\nCFG = dict(batch_size=env('BATCH', default=32), seed=env('SEED', 1))\nNAME = env('NAME', 'x')\nprint(LEARNING_RATE, CFG, NAME)\n",
        ["env.default@9", "env.default@10:44"],
    ),
    "what a function makes a thing of": (
        "from zoo import Net, create\nnet = Net.from_data(data, learning_rate=0.1, hidden_size=32, dropout=0.2, log_interval=5)\nother = create('x', dropout=0.3)\nSEED = create(lr=3)\nprint(net, other, SEED)\n",
        ["from_data.learning_rate", "from_data.dropout", "create.dropout"],
    ),
    "what only running tells": ("WIDTH = len(os.environ) * 2\nprint(WIDTH)\n", ["WIDTH"]),
}


@pytest.mark.parametrize(("text", "names"), PROMISING.values(), ids=PROMISING)
def test_a_hyperparameter_when_it_is_ranked_then_comes_before_what_is_none(program_of, text, names):
    assert promising(program_of(HEAD + text)) == names


NOT_PROMISING = {
    "dimensions of tensors": "x = torch.rand(3, dim=1)\nx.argmax(dim=1)\nx.sum(dim=-1, keepdim=True)\ntorch.norm(x, p=2)\n",
    "folders": "OUT = 'runs'\nPath(OUT).mkdir(parents=True, exist_ok=True)\n",
    "seeds": "SEED = 0\npl.seed_everything(SEED, workers=True)\ntorch.manual_seed(1)\n",
    "machines": "NUM_WORKERS = 4\nDataLoader([], num_workers=NUM_WORKERS, pin_memory=True)\npl.Trainer(accelerator='cpu', devices=1)\n",
    "data": "N_CLASSES = 10\nIN_CHANNELS = 3\nINPUT_DIM = 4\nnn.Linear(IN_CHANNELS, N_CLASSES)\nprint(INPUT_DIM)\n",
    "words": "logging.getLogger('x').setLevel(10)\nLOG_EVERY = 50\nVERBOSE = 1\nprint(LOG_EVERY, VERBOSE)\n",
    "truths": "DataLoader([], shuffle=True, drop_last=True)\nnn.Linear(3, 2, bias=False)\n",
    "types": "from numpy.typing import NDArray\nimport numpy as np\nDepth = NDArray[np.float32]\nprint(Depth)\n",
    "what is passed on": "class A:\n    def __init__(self, width):\n        print(width)\nclass B:\n    def f(self, n):\n        A(width=n)\n        A(width=self.n)\nX = 1\n",
    "small outputs": "nn.Linear(4, 1)\n",
    "what a class is given": "class Loss:\n    def __init__(self, eps):\n        print(eps)\nLOSS = Loss(1e-8)\nprint(LOSS)\n",
}


@pytest.mark.parametrize("text", NOT_PROMISING.values(), ids=NOT_PROMISING)
def test_what_no_search_would_vary_is_not_promising(program_of, text):
    assert promising(program_of(HEAD + text)) == []


def test_a_class_that_another_module_reads_by_an_alias_is_used(program_of):
    files = {
        "flow/__init__.py": "from .settings import Defaults as D\n",
        "flow/settings.py": "class Defaults:\n    lr = 0.02\n",
    }

    assert "Defaults.lr" in promising(program_of(f"{HEAD}import flow\ntorch.optim.SGD([], lr=flow.D.lr)\n", files))


def test_what_is_never_read_is_not_promising(program_of):
    program = program_of(HEAD + "LR = 0.1\nBATCH_SIZE = 3\nprint(LR)\n")
    dead = next(each for each in find_all(program).constants if each.name == "BATCH_SIZE")

    assert not ConstantRanking(program).is_promising(dead)
    assert ConstantRanking(program).rank_of(dead) is not None


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("torch.optim.Adam([], **vars(Optim()))", True),
        ("torch.optim.Adam([], **asdict(Optim()))", True),
        ("torch.optim.Adam([], **dataclasses.asdict(Optim()))", True),
        ("torch.optim.Adam([], **Optim().__dict__)", True),
        ("torch.optim.Adam([], **Optim().model_dump())", True),
        ("torch.optim.Adam([], Optim())", False),
        ("print(dict(a=1), Optim())", False),
    ],
)
def test_a_field_is_read_where_all_fields_of_an_object_are(program_of, text, is_read):
    fields = "@dataclass\nclass Optim:\n    lr: float = 0.1\n    weight_decay: float = 0.2\n"
    imports = "import dataclasses\nfrom dataclasses import asdict, dataclass\n"
    program = program_of(f"{imports}{HEAD}{fields}{text}\n")

    constants = {each.name: bool(each.reads) for each in find_all(program).constants}
    assert (constants["Optim.lr"], constants["Optim.weight_decay"]) == (is_read, is_read)


BELOW = {
    "its own value": ("class Exp(Base):\n    lr = 0.2\n", "Exp()", False),
    "with a type": ("class Exp(Base):\n    lr: float = 0.2\n", "Exp()", False),
    "none": ("class Exp(Base):\n    depth = 2\n", "Exp()", True),
    "one of two": ("class Exp(Base):\n    lr = 0.2\nclass Other(Base): ...\n", "Other()", True),
    "its own, and the base is used": ("class Exp(Base):\n    lr = 0.2\n", "(Exp if os.sep else Base)()", True),
    "no class below": ("", "Base()", True),
}


@pytest.mark.parametrize(("below", "used", "is_read"), BELOW.values(), ids=BELOW)
def test_an_attribute_that_each_class_below_gives_a_value_is_not_read(program_of, below, used, is_read):
    base = "class Base:\n    lr = 0.1\n    net = {'width': 8}\n"
    program = program_of(f"{HEAD}{base}{below}cfg = {used}\nprint(cfg.lr, cfg.net['width'])\n")
    reads = {each.name: bool(each.reads) for each in find_all(program).constants}

    assert (reads["Base.lr"], reads["Base.net['width']"]) == (is_read, True)


def test_an_entry_of_an_attribute_that_each_class_below_gives_a_value_is_not_read(program_of):
    text = "class Base:\n    net = {'width': 8}\nclass Exp(Base):\n    net = {'width': 9}\nprint(Exp().net['width'])\n"
    reads = {each.name: bool(each.reads) for each in find_all(program_of(HEAD + text)).constants}

    assert (reads["Base.net['width']"], reads["Exp.net['width']"]) == (False, True)


CONFIG = """
model:
  lin1_size: 64
  strength: 0.5
  input_size: 784
  name: plain
optimizer: {learn_rate: 0.01}
callbacks:
  model_summary: {max_depth: 2}
  early_stopping: {patience: 3, check_on_train_epoch_end: true, min_delta: 0.1}
trainer: {max_epochs: 5, log_every_n_steps: 10, min_epochs: 1}
logger: {size: 3}
"""


def test_a_config_of_parts_when_it_is_ranked_then_the_models_come_before_the_machinery(
    program_of, monkeypatch, tmp_path
):
    program = program_of(
        "import yaml\nLR = 1\ncfg = yaml.safe_load(open('c.yaml'))\nprint(LR, **cfg)\n", {"c.yaml": CONFIG}
    )
    monkeypatch.chdir(tmp_path)

    assert promising(program)[:6] == [
        "LR",
        "optimizer.learn_rate=",
        "model.lin1_size=",
        "callbacks.early_stopping.patience=",
        "trainer.max_epochs=",
        "model.strength=",
    ]
    assert len(promising(program)) == 6


@pytest.mark.parametrize(
    "parser",
    [
        "from lightning.pytorch.cli import LightningCLI\nLightningCLI()\n",
        "import jsonargparse\njsonargparse.auto_cli(print)\n",
    ],
)
def test_a_value_of_a_config_that_jsonargparse_reads_is_read_though_no_source_names_it(
    program_of, monkeypatch, tmp_path, parser
):
    program = program_of(
        parser, {"c.yaml": "fit:\n  lr_scheduler: {init_args: {factor: 0.1}}\n  optimizer: {betas: [0.9, 0.99]}\n"}
    )
    monkeypatch.chdir(tmp_path)

    ranking = ConstantRanking(program, options := find_options(program, ["fit", "--config", "c.yaml"]))

    assert [each.name for each in options if ranking.is_promising(each)] == [
        "fit.lr_scheduler.init_args.factor=",
        "fit.optimizer.betas=",
    ]


def test_the_options_of_a_lightning_cli_are_listed_in_the_place_of_the_parameters_that_it_passes(program_of):
    text = (
        "from pytorch_lightning.cli import LightningCLI\n"
        "class Net(pl.LightningModule):\n"
        "    def __init__(self, width: int = 64, lr: float = 1e-3):\n"
        "        super().__init__()\n"
        "        self.layer, self.lr = nn.Linear(3, width), lr\n"
        "class Block(nn.Module):\n"
        "    def __init__(self, dropout: float = 0.1):\n"
        "        super().__init__()\n"
        "        self.drop = nn.Dropout(dropout)\n"
        "Block()\n"
        "LightningCLI(Net)\n"
    )
    program = program_of(HEAD + text)

    assert promising(program) == ["--model.lr", "--model.width", "Block.dropout"]


LAYERS = {
    "the next layer's input": ("nn.Sequential(nn.Linear(7, 32), nn.GELU(),\n nn.Linear(32, 1))\n", "train.py:8"),
    "the input of an attribute's layer": (
        "class Net(nn.Module):\n    def __init__(self):\n        self.a = nn.Conv2d(1, 8, 3)\n        self.b = nn.BatchNorm2d(8)\n",
        "train.py:10",
    ),
    "a flattened output": ("nn.Sequential(nn.Conv2d(3, 16, 3), nn.Flatten(),\n nn.Linear(16 * 49, 2))\n", "train.py:8"),
    "a flattened output, written as a number": (
        "nn.Sequential(nn.Conv2d(3, 16, 3), nn.Flatten(),\n nn.Linear(784, 2))\n",
        "train.py:8",
    ),
    "a recurrent layer": ("a = nn.LSTM(input_size=4, hidden_size=64)\nb = nn.Linear(64, 1)\n", "train.py:8"),
    "the data that an autoencoder returns": (
        "a = nn.Linear(in_features=8, out_features=3)\nb = nn.Linear(in_features=3, out_features=8)\n",
        "train.py:7",
    ),
    "a recurrent layer as wide as its input": ("nn.LSTM(input_size=64, hidden_size=64)\n", None),
    "an input that is computed": ("a = nn.Linear(7, 32)\nb = nn.Linear(a.out_features, 1)\n", None),
    "an input that does not fit": ("a = nn.Linear(7, 32)\nb = nn.Linear(50, 1)\n", None),
    "an input of another class": (
        "class A(nn.Module):\n    def __init__(self): self.a = nn.Linear(7, 32)\nclass B(nn.Module):\n    def __init__(self): self.b = nn.Linear(32, 1)\n",
        None,
    ),
}


@pytest.mark.parametrize(("text", "place"), LAYERS.values(), ids=LAYERS)
def test_a_width_that_another_literal_has_to_fit_is_not_promising_and_says_so(program_of, text, place):
    program = program_of(HEAD + text)

    outputs = ("Linear.out_features", "Conv2d.out_channels", "LSTM.hidden_size")
    width = next(each for each in find_all(program).constants if each.name in outputs and each.value != 3)

    told = (
        ()
        if place is None
        else (f"the input of another layer has to fit it ({place}): give both one name, and search that",)
    )
    assert (width.bound_to, width.warnings) == (place, told)
    is_output = "class B" in text  # what another class takes, or a loss: no search varies it
    assert ConstantRanking(program).is_promising(width) is (place is None and not is_output)


NETS = {
    "nets.py": HEAD + "class A(nn.Module):\n    def __init__(self, a_width=8): self.w = a_width\n"
    "class B(nn.Module):\n    def __init__(self, b_width=8): self.w = b_width\n"
    "class C(B):\n    def __init__(self, c_width=8): self.w = c_width\n",
    "models/__init__.py": "from nets import B\n",
    "parts/__init__.py": "",
    "parts/nets.py": HEAD + "class D(nn.Module):\n    def __init__(self, d_width=8): self.w = d_width\n",
}
FIT = "pl.Trainer().fit(net)\n"
USED = {
    "one of them is built": ("from nets import A, B\nnet = A()\n", ["A.a_width"]),
    "one is built by another name": ("from nets import A as Net\nnet = Net()\n", ["A.a_width"]),
    "the model is set to evaluation": ("from nets import A\nnet = A()\nnet.eval()\n", ["A.a_width"]),
    "one is evaluated": ("from nets import *\nnet = eval('A()')\n", ["A.a_width", "B.b_width", "C.c_width"]),
    "one is built from its module": ("import nets\nnet = nets.B()\n", ["B.b_width"]),
    "the base of one that is built": ("from nets import *\nnet = C()\n", ["B.b_width", "C.c_width"]),
    "one is looked up by a text": ('import nets\nnet = getattr(nets, "A")()\n', ["A.a_width"]),
    "one is looked up": (
        "import nets, sys\nnet = getattr(nets, sys.argv[1])()\n",
        ["A.a_width", "B.b_width", "C.c_width"],
    ),
    "one is looked up in a package that imports it": (
        "import models, sys\nnet = getattr(models, sys.argv[1])()\n",
        ["B.b_width"],
    ),
    "one is looked up in a module of a package": (
        "import parts.nets, sys\nnet = getattr(parts.nets, sys.argv[1])()\n",
        ["D.d_width"],
    ),
    "one is looked up in a module that is passed on": (
        "import sys, nets\ndef build(module, name): return getattr(module, name)()\nnet = build(nets, sys.argv[1])\n",
        ["A.a_width", "B.b_width", "C.c_width"],
    ),
    "one is looked up in all modules": (
        "import sys, nets\nnet = getattr(sys.modules[sys.argv[1]], sys.argv[2])()\n",
        ["A.a_width", "B.b_width", "C.c_width"],
    ),
    "names are looked up in a library and in an object": (
        "import sys\nfrom nets import A\nargs = A()\nopt = getattr(optim, sys.argv[1])\nprint(opt, getattr(args, sys.argv[2]))\nnet = args\n",
        ["A.a_width"],
    ),
    "a LightningCLI takes any": (
        "import nets\nfrom lightning.pytorch.cli import LightningCLI\nnet = LightningCLI()\n",
        ["A.a_width", "B.b_width", "C.c_width"],
    ),
    "a LightningCLI takes one": (
        "from nets import C\nfrom lightning.pytorch.cli import LightningCLI\nnet = LightningCLI(C)\n",
        ["B.b_width", "--model.c_width"],
    ),
}


@pytest.mark.parametrize(("text", "names"), USED.values(), ids=USED)
def test_constants_of_classes_that_a_script_never_builds_are_not_promising(program_of, text, names):
    assert promising(program_of(HEAD + text + FIT, NETS)) == names


RESNETS = {
    "nets.py": HEAD + "class Net(nn.Module):\n    def __init__(self, depth): self.d = depth\n"
    "def small(): return Net(depth=8)\ndef large(): return twice(16)\ndef twice(n): return Net(depth=32)\n"
}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("from nets import small, large\nnet = small()\n", ["Net.depth@9"]),
        ("import nets\nnet = nets.large()\n", ["Net.depth@11"]),
        ("from nets import small\nnet = None\n", []),
    ],
)
def test_what_functions_that_a_script_never_calls_pass_is_not_promising(program_of, text, names):
    assert promising(program_of(HEAD + text + FIT, RESNETS)) == names


def test_constants_of_classes_that_a_search_may_build_are_promising(program_of):
    system = "from nets import A\ndef dataloaders(): ...\n"

    assert promising(program_of(HEAD + system, NETS)) == ["A.a_width", "B.b_width", "C.c_width"]


def test_a_training_without_an_end_is_no_length_to_search(program_of):
    assert promising(program_of(HEAD + "pl.Trainer(max_epochs=-1, max_steps=300)\n")) == ["Trainer.max_steps"]


LOADERS = {
    "given to fit": ("pl.Trainer().fit(net, DataLoader(a, batch_size=8), DataLoader(b, batch_size=200))\n", ["DataLoader.batch_size@7:48"]),
    "by keyword": ("pl.Trainer().fit(net, val_dataloaders=DataLoader(b, batch_size=200))\n", []),
    "of validate": ("pl.Trainer().validate(net, DataLoader(b, batch_size=200))\n", []),
    "assigned": ("val_loader = DataLoader(b, batch_size=200)\nvalues = DataLoader(a, batch_size=8)\n", ["DataLoader.batch_size@8"]),
    "of a hook": (
        "class Data(pl.LightningDataModule):\n    def train_dataloader(self): return DataLoader(a, batch_size=8)\n    def val_dataloader(self): return DataLoader(b, batch_size=200)\n",
        ["DataLoader.batch_size@8"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "names"), LOADERS.values(), ids=LOADERS)
def test_the_batch_size_of_a_loader_that_trains_nothing_is_not_promising(program_of, text, names):
    assert promising(program_of(HEAD + text)) == names


OF_THE_DATA = {
    "a layer's input alone": ("class Net(nn.Module):\n    def __init__(self, num_features=784, hidden=50): self.net = nn.Sequential(nn.Linear(num_features, hidden), nn.ReLU())\nNet()\n", ["Net.hidden"]),
    "an output, too": ("class Net(nn.Module):\n    def __init__(self, code_dim=3): self.net = nn.Sequential(nn.Linear(7, code_dim), nn.Linear(code_dim, 7))\nNet()\n", ["Net.code_dim"]),
    "held by a datamodule": ("class Digits(pl.LightningDataModule):\n    def __init__(self, batch_size=8): self.dims = (1, 28, 28); self.batch_size = batch_size\nprint(Digits().dims)\n", ["Digits.batch_size"]),
    "held by a model": ("class Net(nn.Module):\n    def __init__(self, hidden=50):\n        self.dims = (1, 28, 28)\n        self.layer = nn.Linear(28, hidden)\n    def forward(self, x): return x.view(self.dims)\nNet()\n", ["Net.hidden"]),
    "numbers of blocks": ("class Net(nn.Module):\n    def __init__(self, blocks=(1, 2, 2)): self.blocks = blocks\nNet()\n", ["Net.blocks"]),
    "held by a dataset": ("from torch.utils.data import Dataset\nclass Points(Dataset):\n    def __init__(self, dim=3): self.dim = dim\nPoints()\n", []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "names"), OF_THE_DATA.values(), ids=OF_THE_DATA)
def test_a_width_of_the_data_is_not_promising(program_of, text, names):
    assert promising(program_of(f"{HEAD}LR = 1\nprint(LR)\n{text}")) == ["LR", *names]


CHOICES = {
    "a class of which no other is known": "class Net(nn.Module):\n    def __init__(self, activation=nn.Identity): self.act = activation()\nNet()\n",
    "an attribute of another": "def draw(loss_curve): print(loss_curve)\nclass T: losses = []\ndraw(T.losses)\n",
    "nothing yet": "class Head(nn.Module):\n    def __init__(self): self.loss = None\n    def forward(self): return self.loss\nHead()\n",
}


@pytest.mark.parametrize("text", CHOICES.values(), ids=CHOICES)
def test_a_choice_that_no_text_names_is_not_promising(program_of, text):
    assert promising(program_of(f"{HEAD}LR = 1\nprint(LR)\n{text}")) == ["LR"]


def test_a_number_that_is_computed_is_promising_whatever_else_its_name_says(program_of):
    assert promising(program_of(f"{HEAD}optimizer_lr = float(os.sep)\nprint(optimizer_lr)\n")) == ["optimizer_lr"]


def test_a_default_that_two_stars_replace_by_an_option_is_not_promising(program_of):
    text = "p = argparse.ArgumentParser()\np.add_argument('--hidden', type=int, default=3)\na = p.parse_args()\n"
    net = "class Net(nn.Module):\n    def __init__(self, hidden=8, depth=5): print(hidden, depth)\nNet(**vars(a))\n"

    assert promising(program_of(HEAD + text + net)) == ["Net.depth", "--hidden"]


def test_the_batch_size_of_an_evaluation_is_not_promising(program_of):
    text = "train_batch_size = 8\nval_batch_size = 9\nTEST_BATCH_SIZE = 9\nprint(train_batch_size, val_batch_size, TEST_BATCH_SIZE)\n"

    assert promising(program_of(HEAD + text)) == ["train_batch_size"]


@pytest.mark.parametrize(
    ("config", "names"),
    [("lr: 0.1\n", ["Optim.momentum", "lr="]), ("other: 1\n", ["Optim.lr", "Optim.momentum"])],
    ids=["it says one", "it says none"],
)
def test_a_field_that_a_config_file_fills_in_is_searched_there(program_of, config, names):
    text = (
        "from omegaconf import OmegaConf\nfrom dataclasses import dataclass\n@dataclass\nclass Optim:\n    lr: float = 0.2\n"
        "    momentum: float = 0.9\n"
        "held = OmegaConf.merge(OmegaConf.structured(Optim), OmegaConf.load('run.yaml'))\nprint(held.lr, held.momentum)\n"
    )

    assert sorted(promising(program_of(HEAD + text, {"run.yaml": config}))) == names


@pytest.mark.parametrize(
    ("config", "n"), [("net:\n  lr: 0.1\n", 1), ("other: 1\n", 0)], ids=["it says one", "it says none"]
)
def test_a_search_of_a_field_that_a_config_file_may_fill_in_warns_of_it(program_of, config, n):
    text = (
        "from omegaconf import OmegaConf\nfrom dataclasses import dataclass\n@dataclass\nclass Optim:\n    lr: float = 0.2\n"
        "held = OmegaConf.merge(OmegaConf.structured(Optim), OmegaConf.load('run.yaml').net)\nprint(held.lr)\n"
    )
    program = program_of(HEAD + text, {"run.yaml": config})
    searched = {"Optim.lr": next(each for each in find_constants(program) if each.name == "Optim.lr")}

    assert (
        filled_field_warnings(program, searched, ())
        == ("Optim.lr: run.yaml:2 may fill it in, and a trial's value is not in force then: search net.lr=",)[:n]
    )


MERGED = {
    "two stars": (
        "DEFAULTS = {'lr': 0.2}\ncfg = {**DEFAULTS, **yaml.safe_load(open('run.yaml'))}\nprint(cfg['lr'])\n",
        "lr: 0.1\n",
    ),
    "a bar": (
        "DEFAULTS = {'lr': 0.2}\ncfg = DEFAULTS | yaml.safe_load(open('run.yaml'))\nprint(cfg['lr'])\n",
        "lr: 0.1\n",
    ),
    "yacs": (
        "_C = CN()\n_C.OPT = CN()\n_C.OPT.LR = 0.2\ncfg = _C.clone()\ncfg.merge_from_file('run.yaml')\nprint(cfg.OPT.LR)\n",
        "OPT: {LR: 0.1}\n",
    ),
}


@pytest.mark.parametrize(("text", "config"), MERGED.values(), ids=MERGED)
def test_an_entry_that_a_config_file_is_merged_over_is_searched_there(program_of, text, config):
    program = program_of(f"{HEAD}from yacs.config import CfgNode as CN\nimport yaml\n{text}", {"run.yaml": config})
    (held,) = (each for each in find_constants(program) if each.name in ("DEFAULTS['lr']", "_C.OPT.LR"))
    (name,) = (each.name for each in find_options(program))

    assert promising(program) == [name]
    told = f"{held.name}: run.yaml:1 may fill it in, and a trial's value is not in force then: search {name}"
    assert filled_field_warnings(program, {held.name: held}, ()) == (told,)


def test_an_entry_that_a_word_of_the_command_line_gives_is_warned_of(program_of):
    program = program_of("CFG = {'OPT': {'LR': 0.2}}\nmerge_from_list(CFG, sys.argv)\n")
    held = next(each for each in find_constants(program) if each.name == "CFG['OPT']['LR']")

    assert filled_field_warnings(program, {held.name: held}, ["OPT.LR", "0.1"]) == (
        "CFG['OPT']['LR']: args say OPT.LR, and a trial's value is not in force then",
    )
    assert filled_field_warnings(program, {held.name: held}, ["OPT.EPS", "0.1"]) == ()


PARSED = "p = argparse.ArgumentParser()\np.add_argument('--rate', default={default})\nargs = p.parse_args()\n"
ASSIGNED = {
    "a computed value": ("cfg['opt']['lr'] = int(os.sep)\n", True),
    "an attribute": ("cfg.opt.lr = args.rate\n", True),
    "under a condition": ("if os.sep: cfg['opt']['lr'] = args.rate\n", False),
    "an option that has a default, under a condition": ("if args.rate: cfg['opt']['lr'] = args.rate\n", "0.3"),
    "what it was": ("cfg['opt']['lr'] = float(cfg['opt']['lr'])\n", False),
    "another key": ("cfg['other']['lr'] = int(os.sep)\n", False),
    "an attribute of a module": ("class A:\n    def __init__(self, lr): self.lr = lr\n", False),
}


@pytest.mark.parametrize(("text", "expected"), ASSIGNED.values(), ids=ASSIGNED)
def test_a_value_of_a_config_file_that_the_program_assigns_again_is_warned_of(program_of, text, expected):
    parsed = PARSED.format(default=expected if isinstance(expected, str) else None)
    head = f"{HEAD}{parsed}import yaml\ncfg = yaml.safe_load(open('run.yaml'))\n"
    program = program_of(head + text, {"run.yaml": "opt: {lr: 0.1}\n"})
    option = next(each for each in find_options(program) if each.name == "opt.lr=")
    line = (head + text).count("\n")
    path = "cfg.opt.lr"

    told = f"opt.lr=: train.py:{line} assigns {path}, and a trial's value is not in force then: search what it is assigned from"
    assert filled_field_warnings(program, {"opt.lr=": option}, ()) == ((told,) if expected else ())


def test_a_field_of_pydantic_s_that_a_config_file_fills_in_is_searched_there(program_of):
    text = (
        "import json\nfrom pydantic import BaseModel\nclass Base(BaseModel):\n    seed: int = 1\nclass Optim(Base):\n"
        "    lr: float = 0.2\nheld = Optim.model_validate(json.load(open('run.json')))\nprint(held.lr)\n"
    )

    assert promising(program_of(HEAD + text, {"run.json": '{"lr": 0.1}'})) == ["lr="]


def test_the_width_of_a_bar_is_not_promising(program_of):
    text = "def draw(axes):\n    width = 0.2\n    axes.bar(1, 2, width)\ndraw(os)\nWIDTH_FACTOR = 0.5\nprint(WIDTH_FACTOR)\n"

    assert promising(program_of(HEAD + text)) == ["WIDTH_FACTOR"]


PASSED_ON = {
    "a key of a config file": (
        ("import yaml\ncfg = yaml.safe_load(open('c.yaml'))\n"
        "class Net(pl.LightningModule):\n    def __init__(self, lr=1e-3, gamma=0.5): self.lr, self.g = lr, gamma\n"
        "Net(lr=cfg['optim']['lr'], gamma=0.5)\n"),
        ["optim.lr=", "Net.gamma"],
    ),
    "an option, or another value": (
        ("p = argparse.ArgumentParser()\np.add_argument('--batch_size', type=int)\na = vars(p.parse_args())\n"
        "class Data(pl.LightningDataModule):\n    def __init__(self, batch_size=3): self.b = batch_size\n"
        "Data(batch_size=a['batch_size'] if a['batch_size'] is not None else 8)\n"),
        ["--batch_size"],
    ),
    "a constant": ("class C:\n    hidden = 64\nclass Net(nn.Module):\n    def __init__(self, hidden): self.h = hidden\nc = C()\nNet(hidden=c.hidden)\n", ["C.hidden"]),
    "a field of an object that is called as its class, by other names": (
        ("class Settings:\n    optimizer_learning_rate = 0.1\n    dropout = 0.2\nsettings = Settings()\n"
        "RATE_OF_DROPOUT, LR = settings.dropout, settings.optimizer_learning_rate\n"
        "class Net(nn.Module):\n    def __init__(self, learning_rate): self.lr = learning_rate\n"
        "Net(learning_rate=settings.optimizer_learning_rate), print(LR, RATE_OF_DROPOUT)\n"),
        ["Settings.optimizer_learning_rate", "Settings.dropout"],
    ),
    "a field of another object": (
        ("class Settings:\n    rate = 0.1\nother = load(Settings)\nclass Net(nn.Module):\n"
        "    def __init__(self, learning_rate): self.lr = learning_rate\nNet(learning_rate=other.rate)\n"),
        ["Net.learning_rate", "Settings.rate"],
    ),
    "none that is known": ("class Net(nn.Module):\n    def __init__(self, hidden=3): self.h = hidden\nNet(hidden=os.environ.hidden)\n", ["Net.hidden"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "names"), PASSED_ON.values(), ids=PASSED_ON)
def test_a_value_that_is_read_from_a_setting_is_searched_there(program_of, monkeypatch, tmp_path, text, names):
    program = program_of(HEAD + text, {"c.yaml": "optim: {lr: 0.1}\n"})
    monkeypatch.chdir(tmp_path)

    assert promising(program) == names


HYDRA = (
    "import hydra\n@hydra.main(config_path='conf', config_name='config', version_base=None)\n"
    "def main(cfg): hydra.utils.instantiate(cfg.model)\nmain()\n"
)
CONFIGS = {
    "conf/config.yaml": "defaults: [optim: default, size: small]\nmodel: {_target_: nets.A, a_width: 16}\n"
    "loaders: {train: {batch_size: 8}, val: {batch_size: 9}}\nbatch_size: {train: 4, val: 5}\n"
    "num_workers: {train: 4, val: 5}\n",
    "conf/optim/default.yaml": "lr: 0.1\n",
    "conf/size/small.yaml": "depth: 3\n",
    "conf/other.yaml": "model: {_target_: nets.B}\n",
}


def test_of_hydras_configs_those_of_other_runs_of_evaluation_and_of_the_machine_are_not_promising(
    program_of, monkeypatch, tmp_path
):
    program = program_of(HEAD + HYDRA, {**NETS, **CONFIGS})
    monkeypatch.chdir(tmp_path)

    assert promising(program) == [
        "optim.lr=",
        "loaders.train.batch_size=",
        "batch_size.train=",
        "size.depth=",
        "model.a_width=",
    ]


MERGED = {
    "conf/config.yaml": "model: {_target_: nets.A}\nsizes: {a_width: 16}\nother: {b_width: 8}\n",
    **NETS,
}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("hydra.utils.instantiate({**cfg.model, **cfg.sizes})", ["sizes.a_width=", "other.b_width="]),
        ("hydra.utils.instantiate(cfg.model)", ["A.a_width", "sizes.a_width=", "other.b_width="]),
    ],
)
def test_a_parameter_that_one_of_several_merged_groups_gives_is_searched_there(
    program_of, monkeypatch, tmp_path, text, names
):
    program = program_of(HEAD + HYDRA.replace("hydra.utils.instantiate(cfg.model)", text), MERGED)
    monkeypatch.chdir(tmp_path)

    assert promising(program) == names


OTHER_NUMBERS = {
    "an axis": "def mean(x, dim=0, dims=(0, 1)): print(x, dim, dims)\nmean(3)\n",
    "outputs": "class Net(nn.Module):\n    def __init__(self, n_out=7, out_dim=9): nn.Linear(3, n_out); nn.Linear(3, out_dim)\nNet()\n",
    "the last layer of a class": "class Net(nn.Module):\n    def __init__(self, x):\n        self.a = nn.Linear(x, x)\n        self.b = nn.Linear(x, 10)\nNet(os)\n",
    "the last layer of a class, computed of numbers": "class Decoder(nn.Module):\n    def __init__(self, x):\n        self.a = nn.Linear(x, x)\n        self.b = nn.Linear(x, 28 * 28)\nDecoder(os)\n",
    "the size of an image": "class Net(nn.Module):\n    def __init__(self, width=32, height=32): self.x = torch.zeros(width, height)\nNet()\n",
    "a learning rate that a scheduler sets": "optim.SGD([], lr=0)\n",
    "a name of a key": "key_mapping = {'loss_function': 'loss'}\nprint(key_mapping['loss_function'])\n",
}


@pytest.mark.parametrize("text", OTHER_NUMBERS.values(), ids=OTHER_NUMBERS)
def test_a_number_that_no_search_would_begin_with_is_not_promising(program_of, text):
    assert promising(program_of(f"{HEAD}LR = 1\nprint(LR)\n{text}")) == ["LR"]


def test_what_a_function_passes_on_with_two_stars_is_promising(program_of):
    text = (
        "class Net(nn.Module):\n    def __init__(self, model_dim, warmup): self.d, self.w = model_dim, warmup\n"
        "def train(**settings): Net(**settings)\ntrain(model_dim=32, warmup=50)\n"
    )

    assert promising(program_of(HEAD + text)) == ["train.model_dim", "train.warmup"]


def test_an_option_of_a_lightning_cli_is_named_by_its_option_where_a_config_file_gives_its_value(
    program_of, monkeypatch, tmp_path
):
    text = (
        "from pytorch_lightning.cli import LightningCLI\n"
        "class Net(pl.LightningModule):\n    def __init__(self, lr: float = 1e-3): self.lr = lr\n"
        "PATHS = ['c.yaml']\nLightningCLI(Net)\n"
    )
    program = program_of(HEAD + text, {"c.yaml": "model: {lr: 0.1}\n"})
    monkeypatch.chdir(tmp_path)
    args = ("--config", "c.yaml")
    options = [option_in_force(each, program, args, "--args") for each in find_options(program, args)]
    ranking = ConstantRanking(program, options)

    found = [*find_all(program).constants, *options]
    assert [each.name for each in found if ranking.rank_of(each) is not None] == ["--model.lr"]


@pytest.mark.parametrize(
    ("rest", "names"),
    [
        ("Small(None)\n", ["Small.depth", "Tiny.depth", "Base.heads"]),
        ("Small(None)\nBase(None)\n", ["Base.depth", "Small.depth", "Tiny.depth", "Base.heads"]),
        (
            "class Large(Base):\n    pass\nSmall(None)\nLarge(None)\n",
            ["Base.depth", "Small.depth", "Tiny.depth", "Base.heads"],
        ),
    ],
    ids=["the only one", "the base is built, too", "another passes none"],
)
def test_a_default_that_each_subclass_replaces_is_not_promising(program_of, rest, names):
    text = (
        "class Base(nn.Module):\n    def __init__(self, x, depth=3, heads=4):\n"
        "        super().__init__()\n        self.d, self.h = depth, heads\n"
        "class Small(Base):\n    def __init__(self, x, depth=2):\n        super().__init__(x, depth)\n"
        "class Tiny(Base):\n    def __init__(self, x, depth=1):\n        super(Tiny, self).__init__(x, depth=depth)\n"
    )

    found = [name.partition("@")[0] for name in promising(program_of(HEAD + text + rest))]
    assert sorted(found) == sorted(names)

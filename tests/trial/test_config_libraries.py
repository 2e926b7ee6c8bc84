"""Programs that hydra, OmegaConf or LightningCLI put together: their Trainers, loggers, folders and failures."""

import ast
import json
from dataclasses import replace

import pytest

from tests.searched import Worker
from tune.promotion.find.literals import Unknown
from tune.promotion.options.declared_options import find_option, find_options

NET = """
import sys
from collections import UserList

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader, TensorDataset

LR = 0.1


class Noted(pl.Callback):
    def on_fit_end(self, trainer, module):
        print("noted")


class Net(pl.LightningModule):
    def __init__(self, lr: float = LR):
        super().__init__()
        self.lr = lr
        self.net = torch.nn.Linear(2, 1)

    def training_step(self, batch, index):
        loss = self.net(batch[0]).square().mean()
        self.log("loss", loss, on_epoch=True, on_step=False)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)

    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.ones(8, 2)), batch_size=4)


"""
SPACE = """
script: train.py
args: {args}
metric: loss
mode: min
constants:
  {name}: {{loguniform: [1e-3, 1.0]}}
trials: 3
"""

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def searched(tmp_path, monkeypatch, server):
    """Return what makes a worker of a program, with other files beside it."""

    def search(text, args=(), name="LR", **files):
        root = tmp_path / "project"
        root.mkdir(exist_ok=True)
        monkeypatch.chdir(root)
        (root / "pyproject.toml").touch()
        (root / "train.py").write_text(NET + text)
        for file, held in files.items():
            (root / f"{file}.yaml").write_text(held)
        (root / "space.yaml").write_text(SPACE.format(args=json.dumps(list(args)), name=name))
        return Worker(root / "space.yaml", tmp_path / "experiment", server)

    return search


def baseline_of(worker):
    known = {item.key: item.value for item in worker.promoted if isinstance(item.value, float)}
    return worker.run(known, preflight=True, hardcoded=True)


CALLBACKS = {
    "a callback": "Noted()",
    "a list": "[Noted()]",
    "a sequence of another class": "UserList([Noted()])",
    "OmegaConf's list": "OmegaConf.create([Noted()], flags={'allow_objects': True})",
    "OmegaConf's list in a config": "OmegaConf.create({'all': [Noted()]}, flags={'allow_objects': True}).all",
}


@pytest.mark.parametrize("callbacks", CALLBACKS.values(), ids=CALLBACKS)
def test_callbacks_are_what_they_are_for_lightning(searched, callbacks):
    text = f"from omegaconf import OmegaConf\npl.Trainer(max_epochs=1, callbacks={callbacks}).fit(Net())\n"

    trial = baseline_of(searched(text))

    assert trial.record.failure is None
    assert trial.log.count("noted") == 2  # in the pre-flight, and for the score


INSTANTIATED = """
import hydra
from hydra.utils import instantiate
from omegaconf import OmegaConf
cfg = OmegaConf.create({
    "_target_": "pytorch_lightning.Trainer",
    "max_epochs": 2,
})
instantiate(cfg, callbacks=[Noted()], **GIVEN).fit(Net())
"""


LOGGER = "{'logger': {'_target_': 'pytorch_lightning.loggers.TensorBoardLogger', 'save_dir': 'logs'}}"


@pytest.mark.parametrize("given", [LOGGER, "{'logger': [CSVLogger('logs')]}", "{'logger': []}", "{'devices': [0]}"])
def test_a_trainer_that_hydra_instantiates_is_searched(searched, given):
    trial = baseline_of(searched(INSTANTIATED.replace("GIVEN", given)))

    assert trial.record.failure is None
    assert [epoch for epoch, _ in trial.reports] == [1, 2]
    assert list(trial.files.folder.glob("events.out.tfevents.*"))


CLI = """
from pytorch_lightning.cli import LightningCLI

LightningCLI(Net)
"""
CONFIG = """
trainer:
  max_epochs: 2
  logger: {{class_path: {name}, init_args: {{save_dir: logs, {more}}}}}
"""
LOGGERS = [
    ("TensorBoardLogger", "name: own"),
    ("pytorch_lightning.loggers.TensorBoardLogger", "log_graph: false, version: 3"),
    ("pytorch_lightning.loggers.tensorboard.TensorBoardLogger", "prefix: a"),
    ("CSVLogger", "name: own"),
]


@pytest.mark.parametrize(("name", "more"), LOGGERS)
def test_a_logger_of_a_config_file_is_built(searched, name, more):
    trial = baseline_of(searched(CLI, ["fit", "--config", "c.yaml"], c=CONFIG.format(name=name, more=more)))

    assert trial.record.failure is None
    assert [epoch for epoch, _ in trial.reports] == [1, 2]
    assert name == "CSVLogger" or "TensorBoardLogger" in (trial.files.folder / "config.yaml").read_text()
    assert list(trial.files.folder.glob("events.out.tfevents.*"))


def test_the_logger_in_the_place_of_lightnings_has_its_signature(searched):
    text = """
import inspect

class Own(TensorBoardLogger):
    def __init__(self, place, **given):
        super().__init__(place, **given)

class Plain(TensorBoardLogger): ...

print([str(inspect.signature(each)) for each in (Own, Plain, TensorBoardLogger)])
print(TensorBoardLogger.__module__, TensorBoardLogger.__qualname__)
print(isinstance(TensorBoardLogger("logs"), TensorBoardLogger), TensorBoardLogger("logs") is TensorBoardLogger("logs"))
pl.Trainer(max_epochs=1, logger=Own("logs")).fit(Net())
"""
    trial = baseline_of(searched(text))

    assert trial.record.failure is None
    own, plain, lightnings = next(ast.literal_eval(line) for line in trial.log.splitlines() if line[:1] == "[")
    assert own == "(place, **given)"
    assert plain == lightnings
    assert lightnings.startswith("(save_dir: ")
    assert "pytorch_lightning.loggers.tensorboard TensorBoardLogger" in trial.log
    assert "True True" in trial.log


HYDRA = """
import hydra

@hydra.main(version_base=None, config_path=".", config_name="c")
def main(cfg):
    BODY

main()
"""
FAILURES = {
    "what hydra makes an exit of": (
        HYDRA.replace("BODY", "raise ValueError('no such net')"),
        [],
        "ValueError: no such net",
        "raise ValueError('no such net')",
    ),
    "another one": (HYDRA.replace("BODY", "cfg.net.width"), [], "ConfigAttributeError: Key 'net' is not in", "cfg.net"),
    "a class that cannot be built": (
        HYDRA.replace("BODY", "hydra.utils.instantiate({'_target_': 'torch.nn.Linear'})"),
        [],
        "InstantiationException: Error in call to target 'torch.nn.modules.linear.Linear'",
        "hydra.utils.instantiate(",
    ),
    "a word that hydra refuses": (
        HYDRA.replace("BODY", "pass"),
        ["depth=3"],
        "ConfigCompositionException: Could not override 'depth'.",
        "main()",
    ),
    "a handler of the program's": (
        "try:\n    {}['width']\nexcept KeyError:\n    sys.exit(1)",
        [],
        "KeyError: 'width'",
        "{}['width']",
    ),
    "a text": ("try:\n    {}['width']\nexcept KeyError:\n    sys.exit('no width')", [], "SystemExit: no width", "sys"),
}


@pytest.mark.parametrize(("text", "args", "reason", "code"), FAILURES.values(), ids=FAILURES)
def test_an_exit_tells_its_cause(searched, text, args, reason, code):
    trial = baseline_of(searched(text, args, c="lr: 0.1\n"))

    assert f"{trial.failure.kind}: {trial.failure.message}".startswith(reason)
    assert trial.failure.code.startswith(code)


def test_hydra_writes_into_the_version(searched, tmp_path):
    body = """train(cfg)

def train(cfg):
    from pathlib import Path
    Path("left.txt").touch()
    print("here", Path.cwd())
    pl.Trainer(max_epochs=1).fit(Net(lr=cfg.lr))
"""
    text = HYDRA.replace("    BODY\n\nmain()\n", f"    {body}\nmain()\n")
    before = "lr: 0.1\nhydra: {run: {dir: one}, job: {chdir: true}}\n"

    worker = searched(text, ["hydra.job.name=own"], "lr=", c=before)
    trials = [baseline_of(worker), worker.run({"lr=": 0.5}), worker.run({"lr=": 0.25})]

    for trial, rate in zip(trials, (0.1, 0.5, 0.25), strict=True):
        assert trial.record.failure is None
        assert trial.record.in_force == {"lr=": {"value": rate, "where": "what hydra returned"}}
        assert {path.name for path in (trial.files.folder / "hydra").iterdir()} == {".hydra", "own.log", "left.txt"}
        assert f"here {trial.files.folder / 'hydra'}" in trial.log
    assert sorted(path.name for path in (tmp_path / "project").iterdir() if path.name != "__pycache__") == [
        "c.yaml",
        "pyproject.toml",
        "space.yaml",
        "train.py",
    ]


WORDS = {
    "a list": ("sizes=", [8, 4]),
    "text with a comma": ("name=", "a, b"),
    "text with quotes": ("name=", "it's \\\\ {x}"),
    "text that looks like a number": ("name=", "10"),
    "nothing": ("name=", None),
}


@pytest.mark.parametrize(("name", "value"), WORDS.values(), ids=WORDS)
def test_hydra_gets_a_value_of_any_kind(searched, name, value):
    text = HYDRA.replace("BODY", f"print('held', repr(cfg.{name[:-1]})); pl.Trainer(max_epochs=1).fit(Net())")
    worker = searched(text, (), "lr=", c="lr: 0.1\nsizes: [16]\nname: x\n")
    job = worker.job
    options = {name: find_option(name, job.program, find_options(job.program), "")}
    worker.job = replace(job, options=options)

    trial = worker.run({name: value})

    assert trial.record.failure is None
    assert f"held {value!r}" in trial.log
    assert trial.record.in_force[name]["value"] == value


LINKED = """
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.cli import LightningCLI

class Block(torch.nn.Module):
    def __init__(self, factor: float = 1.0):
        super().__init__()
        self.factor = factor

class Deep(Net):
    def __init__(self, block: Block, sizes: list[int] = [4], n: int = 1, lr: float = 0.1):
        super().__init__(lr)
        self.held = block.factor, sizes, n

class Data(pl.LightningDataModule):
    def __init__(self, n: int = 8):
        super().__init__()
        self.n = n

    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.ones(self.n, 2)), batch_size=4)

class Own(LightningCLI):
    def add_arguments_to_parser(self, parser):
        parser.add_lightning_class_args(EarlyStopping, "early_stopping")
        parser.set_defaults({"early_stopping.monitor": "loss", "early_stopping.patience": 5})
        parser.link_arguments("data.n", "model.n")

    def before_fit(self):
        [stopping] = [each for each in self.trainer.callbacks if isinstance(each, EarlyStopping)]
        rate = self.model.configure_optimizers().param_groups[0]["lr"] if OPTIMIZER not in self.config_init.fit else (
            self.config_init.fit.optimizer.init_args.lr if hasattr(self.config_init.fit.optimizer, "init_args")
            else self.config_init.fit.optimizer.lr)
        print("held", [*self.model.held, stopping.patience, self.trainer.max_epochs, rate])

OPTIMIZER = "optimizer"
"""
SUBCLASSES = LINKED + "Own(Deep, Data, subclass_mode_model=True)\n"
PLAIN = LINKED + "Own(Deep, Data)\n"
FORCED = (
    LINKED
    + """
class Forced(Own):
    def add_arguments_to_parser(self, parser):
        super().add_arguments_to_parser(parser)
        parser.add_optimizer_args(torch.optim.SGD)
Forced(Deep, Data)
"""
)
DEEP = """
model:{0}
{1}  block: {{class_path: __main__.Block, init_args: {{factor: 2.0}}}}
{1}  sizes: [4, 2]
trainer: {{max_epochs: 2}}
data: {{n: 12}}
early_stopping: {{patience: 3}}
optimizer: {2}
"""
FLAT = DEEP.format("", "", "{class_path: torch.optim.SGD, init_args: {lr: 0.01}}")
CHOSEN = [
    (PLAIN, FLAT, "--model.block.init_args.factor", 2.0, 4.0, 0),
    (PLAIN, FLAT, "--model.block.factor", 2.0, 4.0, 0),
    (PLAIN, FLAT, "--model.sizes", [4, 2], [8], 1),
    (PLAIN, FLAT, "--data.n", 12, 16, 2),
    (PLAIN, FLAT, "--early_stopping.patience", 3, 1, 3),
    (PLAIN, FLAT, "--trainer.max_epochs", 2, 1, 4),
    (PLAIN, FLAT, "--optimizer.lr", 0.01, 0.5, 5),
    (PLAIN, FLAT, "--optimizer.init_args.lr", 0.01, 0.5, 5),
    (FORCED, DEEP.format("", "", "{lr: 0.01}"), "--optimizer.lr", 0.01, 0.5, 5),
    (
        SUBCLASSES.replace('"model.n"', '"model.init_args.n"'),
        DEEP.format("\n  class_path: __main__.Deep\n  init_args:", "  ", "{class_path: torch.optim.SGD}").replace(
            "torch.optim.SGD}", "torch.optim.SGD, init_args: {lr: 0.01}}"
        ),
        "--model.sizes",
        [4, 2],
        [8],
        1,
    ),
]


@pytest.mark.parametrize(("text", "config", "name", "before", "value", "place"), CHOSEN)
def test_an_option_of_lightning_cli_is_searched(searched, text, config, name, before, value, place):
    range_ = f"{{choice: {json.dumps([before, value])}}}"
    worker = searched(text, ["fit", "--config", "c.yaml"], f'"{name}": {range_} #', c=config)

    trials = [worker.run({name: before}, preflight=True, hardcoded=True), worker.run({name: value})]

    assert [item.value for item in worker.promoted] == [before]
    for trial, held in zip(trials, (before, value), strict=True):
        assert trial.record.failure is None
        assert (
            next(ast.literal_eval(line[5:]) for line in trial.log.splitlines()[::-1] if line[:5] == "held ")[place]
            == held
        )
        assert trial.record.in_force[name]["value"] == held


READERS = {
    "hydra": (HYDRA.replace("BODY", "pl.Trainer(max_epochs=1).fit(Net(cfg.lr)); print('held', cfg.lr)"), [], "lr="),
    "LightningCLI": (
        CLI.replace("LightningCLI(Net)", "cli = LightningCLI(Net, trainer_defaults={'max_epochs': 1})")
        + "print('held', cli.model.lr)\n",
        ["fit", "--config", "c.yaml"],
        "--model.lr",
    ),
}


@pytest.mark.parametrize(("text", "args", "name"), READERS.values(), ids=READERS)
def test_a_config_file_that_is_edited_meanwhile_changes_no_trial(searched, tmp_path, text, args, name):
    config = "lr: 0.1\n" if name == "lr=" else "model:\n  lr: 0.1\n"
    worker = searched(text, args, name, c=config)
    (tmp_path / "project" / "c.yaml").write_text(config.replace("0.1", "0.7"))

    trial = baseline_of(worker)

    assert trial.record.failure is None
    assert "held 0.1" in trial.log
    assert (tmp_path / "project" / "c.yaml").read_text() == config.replace("0.1", "0.7")


def test_a_program_reads_what_it_writes_beside_its_configs(searched):
    text = HYDRA.replace(
        "BODY",
        "open('c2.yaml', 'w').write('lr: 0.4'); print('held', open('c2.yaml').read())\n"
        "    pl.Trainer(max_epochs=1).fit(Net(cfg.lr))",
    )
    worker = searched(text, (), "lr=", c="lr: 0.1\n", c2="lr: 0.2\n")

    assert "held lr: 0.4" in baseline_of(worker).log


PACKAGED = """
import hydra
import pytorch_lightning as pl
from train import Net

@hydra.main(version_base=None, config_path="conf", config_name="c")
def main(cfg):
    pl.Trainer(**cfg.trainer).fit(Net(cfg.lr))
"""
STORED = """
from dataclasses import dataclass
import hydra
from hydra.core.config_store import ConfigStore

@dataclass
class Config:
    lr: float = 0.1

ConfigStore.instance().store(name="stored", node=Config)

@hydra.main(version_base=None, config_name="stored")
def main(cfg):
    pl.Trainer(max_epochs=1).fit(Net(cfg.lr))

main()
"""
COMPOSED = """
from hydra import compose, initialize

with initialize(version_base=None, config_path="."):
    cfg = compose("c", overrides=sys.argv[1:])
pl.Trainer(max_epochs=1).fit(Net(cfg.lr))
"""
MAINS = {
    "in a package": ("import pack.main\nif __name__ == '__main__':\n    pack.main.main()\n", 0.1),
    "with structured configs": (STORED, Unknown("not in the source")),
    "with hydra's compose": (COMPOSED, Unknown("not in the source")),
}


@pytest.mark.parametrize(("text", "value"), MAINS.values(), ids=MAINS)
def test_hydra_may_begin_in_other_ways(searched, tmp_path, text, value):
    conf = tmp_path / "project" / "pack" / "conf"
    conf.mkdir(parents=True)
    (conf / "c.yaml").write_text("lr: 0.1\ntrainer: {max_epochs: 1}\n")
    for folder in (conf, conf.parent):
        (folder / "__init__.py").touch()
    (conf.parent / "main.py").write_text(PACKAGED)

    worker = searched(text, (), "lr=", c="lr: 0.1\n")
    trials = [baseline_of(worker), worker.run({"lr=": 0.5})]

    assert [item.value for item in worker.promoted] == [value]
    assert [trial.record.failure for trial in trials] == [None, None]
    assert [trial.record.in_force["lr="]["value"] for trial in trials] == [0.1, 0.5]

"""Programs as people write them, searched through their space files: each trial trains with what it was given."""

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.events import scalars
from tests.projects import PROGRAMS
from tests.searched import Worker
from tune.experiment.records import read_record
from tune.paths import VersionPaths
from tune.promotion.execute import Executor
from tune.promotion.find_constants import find_constant, find_constants
from tune.promotion.program import find_program
from tune.promotion.snapshot import take_snapshot

FOLDERS = sorted(path.parent.name for path in PROGRAMS.glob("*/space.yaml"))


def rate(trial, group=0):
    """Return the learning rate that training began with, as the optimizer itself has it."""
    first = checkpoint(trial)["optimizer_states"][group]["param_groups"][0]
    return first.get("initial_lr", first["lr"])


def checkpoint(trial):
    return torch.load(trial.files.last_checkpoint, weights_only=False)


def of_optimizer(name):
    return lambda trial: checkpoint(trial)["optimizer_states"][0]["param_groups"][0][name]


def shape(name, axis=0):
    return lambda trial: checkpoint(trial)["state_dict"][name].shape[axis]


def logged(tag):
    return lambda trial: scalars(trial.files.folder)[tag][0][1]


def epochs(trial):
    return len(trial.reports)


@dataclass(frozen=True)
class Case:
    one: Mapping[str, Any]
    """A trial's values."""
    other: Mapping[str, Any]
    """Those of the next one, on the same worker."""
    seen: Mapping[str, Callable]
    """What looks from outside at what the trial trained with, by the constant."""
    follows: Mapping[str, Callable] = field(default_factory=dict)
    """The same of what the program derives: takes (trial, values), and tells whether it fits."""


CASES = {
    "argparse_inline": Case(
        {"--lr": 0.03, "--hidden_dim": 8, "--batch_size": 4},
        {"--lr": 0.002, "--hidden_dim": 24, "--batch_size": 16},
        {"--lr": rate, "--hidden_dim": shape("l1.weight"), "--batch_size": logged("batch")},
    ),
    "article": Case(
        {"LR": 0.03, "model.backbone.WIDTH": 4, "DataLoader.batch_size": 3},
        {"LR": 0.002, "model.backbone.WIDTH": 16, "DataLoader.batch_size": 27},
        {
            "LR": rate,
            "model.backbone.WIDTH": shape("backbone.layers.0.weight"),
            "DataLoader.batch_size": logged("Batch"),
        },
        {
            "decoder": lambda trial, values: (
                shape("decoder.head.1.weight", 1)(trial) == 2 * values["model.backbone.WIDTH"]
            )
        },
    ),
    "callbacks": Case(
        {"LR": 0.03, "PATIENCE": 1},
        {"LR": 0.002, "PATIENCE": 4},
        {"LR": rate, "PATIENCE": lambda trial: epochs(trial) - 1},
    ),
    "cli": Case(
        {"--model.lr": 0.03, "--model.width": 3, "--data.batch_size": 2},
        {"--model.lr": 0.002, "--model.width": 12, "--data.batch_size": 8},
        {"--model.lr": rate, "--model.width": shape("net.0.weight"), "--data.batch_size": logged("batch")},
    ),
    "dataclass_config": Case(
        {"Config.lr": 0.03, "Config.hidden": 8, "Config.batch_size": 4},
        {"Config.lr": 0.002, "Config.hidden": 32, "Config.batch_size": 16},
        {
            "Config.lr": rate,
            "Config.hidden": shape("body.0.weight"),
            "Config.batch_size": lambda trial: 64 // checkpoint(trial)["global_step"],
        },
    ),
    "datamodule": Case(
        {"LinearModel.lr": 0.03, "LinearModel.nesterov": True, "ToyDataModule.batch_size": 4},
        {"LinearModel.lr": 0.002, "LinearModel.nesterov": False, "ToyDataModule.batch_size": 16},
        {
            "LinearModel.lr": rate,
            "LinearModel.nesterov": of_optimizer("nesterov"),
            "ToyDataModule.batch_size": logged("batch"),
        },
    ),
    "defaults": Case(
        {"HIDDEN": 5, "LR": 0.03, "BATCH_SIZE": 2},
        {"HIDDEN": 20, "LR": 0.002, "BATCH_SIZE": 10},
        {"HIDDEN": shape("net.0.weight"), "LR": rate, "BATCH_SIZE": logged("batch")},
    ),
    "dict_config": Case(
        {
            "config['optim']['lr']": 0.03,
            'config["model"]["hidden"]': 4,
            "config.batch_size": 4,
            "config['optim']['name']": "SGD",
        },
        {
            "config['optim']['lr']": 0.002,
            'config["model"]["hidden"]': 16,
            "config.batch_size": 16,
            "config['optim']['name']": "Adam",
        },
        {
            "config['optim']['lr']": rate,
            'config["model"]["hidden"]': shape("net.0.weight"),
            "config.batch_size": lambda trial: 64 // checkpoint(trial)["global_step"],
            "config['optim']['name']": lambda trial: (
                "Adam" if "betas" in checkpoint(trial)["optimizer_states"][0]["param_groups"][0] else "SGD"
            ),
        },
    ),
    "environ": Case(
        {"LR": 0.03, "HIDDEN": 4, "settings.ACTIVATION": "tanh"},
        {"LR": 0.002, "HIDDEN": 16, "settings.ACTIVATION": "relu"},
        {
            "LR": rate,
            "HIDDEN": shape("net.0.weight"),
            "settings.ACTIVATION": lambda trial: "tanh" if logged("tanh")(trial) else "relu",
        },
    ),
    "gan": Case(
        {"lr": 0.03, "latent_dim": 2, "ngf": 4, "BATCH_SIZE": 4},
        {"lr": 0.002, "latent_dim": 8, "ngf": 16, "BATCH_SIZE": 16},
        {
            "lr": rate,
            "latent_dim": shape("G.0.weight", 1),
            "ngf": shape("D.0.weight"),
            "BATCH_SIZE": logged("batch"),
        },
        {"lr of D": lambda trial, values: rate(trial, 1) == values["lr"]},
    ),
    "inline": Case(
        {"Adam.lr": 0.03, "DataLoader.batch_size": 4, "Dropout.p": 0.0, "StepLR.gamma": 0.1, "Trainer.max_epochs": 2},
        {"Adam.lr": 0.002, "DataLoader.batch_size": 16, "Dropout.p": 0.4, "StepLR.gamma": 1.0, "Trainer.max_epochs": 4},
        {
            "Adam.lr": rate,
            "DataLoader.batch_size": logged("seen"),
            "StepLR.gamma": lambda trial: checkpoint(trial)["lr_schedulers"][0]["gamma"],
            "Trainer.max_epochs": epochs,
        },
    ),
    "named_tuples": Case(
        {"Hyper.lr": 0.03, "Hyper.hidden": 4, "Data.batch_size": 2},
        {"Hyper.lr": 0.002, "Hyper.hidden": 16, "Data.batch_size": 8},
        {"Hyper.lr": rate, "Hyper.hidden": shape("f.0.weight"), "Data.batch_size": logged("batch")},
    ),
    "nanogpt": Case(
        {"learning_rate": 0.03, "n_embd": 4, "bias": True, "beta2": 0.9},
        {"learning_rate": 0.002, "n_embd": 16, "bias": False, "beta2": 0.99},
        {
            "learning_rate": rate,
            "n_embd": shape("wte.weight", 1),
            "bias": lambda trial: "lm_head.bias" in checkpoint(trial)["state_dict"],
            "beta2": lambda trial: of_optimizer("betas")(trial)[1],
        },
        {"min_lr": lambda trial, values: logged("min_lr")(trial) == pytest.approx(values["learning_rate"] / 10)},
    ),
    "package": Case({"LR": 0.03, "WIDTH": 4}, {"LR": 0.002, "WIDTH": 16}, {"LR": rate, "WIDTH": shape("mlp.0.weight")}),
    "panodepth": Case(
        {"LR": 0.003, "model.backbone.WIDTH": 8, "data.dataset.FLIP": 0.25, "DataLoader.batch_size": 4},
        {"LR": 0.0002, "model.backbone.WIDTH": 32, "data.dataset.FLIP": 0.75, "DataLoader.batch_size": 9},
        {
            "LR": rate,
            "model.backbone.WIDTH": shape("backbone.layers.0.conv.weight"),
            "DataLoader.batch_size": lambda trial: {2: 4, 1: 9}[checkpoint(trial)["global_step"] // epochs(trial)],
        },
        {
            "decoder": lambda trial, values: (
                shape("decoder.layers.1.conv.weight", 1)(trial) == 2 * values["model.backbone.WIDTH"]
            )
        },
    ),
    "pretrain": Case(
        {"PRETRAIN_LR": 0.05, "FINETUNE_LR": 0.03, "HIDDEN": 4},
        {"PRETRAIN_LR": 0.0005, "FINETUNE_LR": 0.002, "HIDDEN": 16},
        {"FINETUNE_LR": rate, "HIDDEN": shape("head.weight", 1)},
    ),
    "schedule": Case(
        {"EPOCHS": 40, "LR": 0.5},
        {"EPOCHS": 10, "LR": 0.25},
        {"EPOCHS": lambda trial: 10 * logged("warmup")(trial), "LR": rate},
        {
            "warm-up": lambda trial, values: (
                logged("rate")(trial) == pytest.approx(values["LR"] / (values["EPOCHS"] // 10 + 1))
            )
        },
    ),
    "seeded": Case(
        {"lr=": 0.03, "depth=": 1},
        {"lr=": 0.002, "depth=": 3},
        {"lr=": rate, "depth=": lambda trial: len(checkpoint(trial)["state_dict"]) // 2},
    ),
    "several_val": Case(
        {"LR": 0.03, "MARGIN": 0.25}, {"LR": 0.002, "MARGIN": 1.0}, {"LR": rate, "MARGIN": logged("val/margin")}
    ),
    "star": Case(
        {"LEARNING_RATE": 0.03, "HIDDEN": 8, "BATCH_SIZE": 4},
        {"LEARNING_RATE": 0.002, "HIDDEN": 24, "BATCH_SIZE": 16},
        {"LEARNING_RATE": rate, "HIDDEN": shape("fc1.weight"), "BATCH_SIZE": logged("batch")},
        {"half": lambda trial, values: shape("fc2.weight")(trial) == values["HIDDEN"] // 2},
    ),
    "test_only": Case(
        {"lr": 0.03, "hidden_size": 4}, {"lr": 0.002, "hidden_size": 16}, {"lr": rate, "hidden_size": logged("hidden")}
    ),
    "two_names": Case(
        {"config.lr": 0.03, "config.hidden_dim": 4},
        {"config.lr": 0.002, "config.hidden_dim": 16},
        {"config.lr": rate, "config.hidden_dim": logged("width")},
        {"expected": lambda trial, values: logged("expected")(trial) == values["config.hidden_dim"]},
    ),
}


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Return a copy of a program's folder, which is the working directory."""

    def copy(name):
        root = tmp_path / "project" / name
        shutil.copytree(PROGRAMS / name, root, ignore=shutil.ignore_patterns("__pycache__"))
        monkeypatch.chdir(root)
        return root

    return copy


def test_every_program_has_a_twin():  # test_twins.py compares all of them with runs of the edited source
    assert [name for name in FOLDERS if not (PROGRAMS / name / "twin.yaml").exists()] == []


@pytest.mark.filterwarnings("ignore")  # they are programs of users
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_program_trains_with_the_values_that_each_trial_is_given(copied, tmp_path, server, name):
    case, root = CASES[name], copied(name)
    before = {path.relative_to(root) for path in root.rglob("*")}
    worker = Worker(root / "space.yaml", tmp_path / "experiment", server)
    assert set(case.one) == set(case.other) == {item.key for item in worker.promoted}
    assert set(case.seen) <= set(case.one)

    for number, values in enumerate((case.one, case.other)):
        trial = worker.run(values, preflight=number == 0)

        assert trial.record.failure is None
        assert {key: look(trial) for key, look in case.seen.items()} == {
            key: pytest.approx(values[key]) if isinstance(values[key], float) else values[key] for key in case.seen
        }
        assert [key for key, fits in case.follows.items() if not fits(trial, values)] == []
        assert {key: each["value"] for key, each in trial.record.in_force.items()} == {
            key: value for key, value in values.items() if not key.endswith("=")
        }
    if name != "callbacks":  # which has a CSVLogger of its own
        assert {path.relative_to(root) for path in root.rglob("*")} == before


def hidden(model):
    return next(each for each in model.modules() if isinstance(each, torch.nn.Linear)).out_features


WRONG = {
    "star import": ("star", "config.py", "config", "HIDDEN", 24, "model", lambda m: m.NN().fc1.out_features),
    "default argument": ("defaults", "lit.py", "hparams", "HIDDEN", 20, "lit", lambda m: hidden(m.LitMLP())),
    "default of a function": (
        "defaults",
        "lit.py",
        "hparams",
        "BATCH_SIZE",
        10,
        "lit",
        lambda m: m.dataloaders()[0].batch_size,
    ),
    "dataclass default": (
        "dataclass_config",
        "train.py",
        "train",
        "Config.hidden",
        32,
        "train",
        lambda m: hidden(m.Model()),
    ),
    "schedule": ("schedule", "system.py", "system", "EPOCHS", 40, "system", lambda m: round(1 / m.warmup(0) - 1) * 10),
    "one file under two names": (
        "two_names",
        "train.py",
        "src.config",
        "hidden_dim",
        16,
        "src.model",
        lambda m: hidden(m.build()),
    ),
    "built at module level": ("gan", "gan.py", "gan", "ngf", 16, "gan", lambda m: hidden(m.GAN())),
    "looked up at import": (
        "environ",
        "train.py",
        "settings",
        "ACTIVATION",
        "tanh",
        "train",
        lambda m: m.activation.__name__.lower(),
    ),
    "imported name": ("package", "app/train.py", "app.config", "WIDTH", 16, "app.nets.mlp", lambda m: hidden(m.MLP())),
}
"""By what goes wrong: the program, its file, the constant's module and name, a value, and where and how to look."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "file", "owner", "constant", "value", "place", "look"), WRONG.values(), ids=WRONG)
def test_setting_the_attribute_after_import_would_give_a_wrong_result(
    copied, tmp_path, name, file, owner, constant, value, place, look
):
    program = find_program(copied(name) / file)
    sites = find_constant(constant, program, find_constants(program), "").sites
    executor = Executor(take_snapshot(program, tmp_path / "snapshot"), {"key": sites})

    with executor.import_program({"key": value}):
        assert look(importlib.import_module(place)) == value
    with executor.import_program({}):
        *path, last = constant.split(".")
        holder = importlib.import_module(owner)
        for part in path:
            holder = getattr(holder, part)
        setattr(holder, last, value)
        assert look(importlib.import_module(place)) != value


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_a_program_is_searched_by_the_command(copied, tmp_path, name):
    root = copied(name)
    command = [sys.executable, str(Path(__file__).parents[2] / "run_search.py"), "--space", str(root / "space.yaml")]

    done = subprocess.run(
        [*command, "--storage", str(tmp_path / "results"), "--concurrency", "1"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    records = [read_record(VersionPaths(path)) for path in sorted((tmp_path / "results" / "space").glob("0*"))]
    assert [record.number for record in records] == [0, 1, 2]
    assert {record.stage for record in records} <= {"complete", "stopped"}
    assert len({str(record.constants) for record in records}) == 3

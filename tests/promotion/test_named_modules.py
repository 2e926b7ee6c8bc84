"""A class that only a config file or a text names is of the program: its constants are found, and trials have them."""

import sys

import pytest

from tune.promotion.execute import Executor
from tune.promotion.find_constants import find_all, find_constant, find_constants, shortest_names
from tune.promotion.metric.find_metric import find_metric
from tune.promotion.options.declared_options import find_options
from tune.promotion.ranking.rank_constants import ConstantRanking
from tune.promotion.snapshot import open_snapshot, take_snapshot

NET = """
import pytorch_lightning as pl
import torch

class Net(pl.LightningModule):
    def validation_step(self, batch, idx):
        self.log("val_auc", 0.5)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-4)
"""
OTHER = NET.replace("Net", "Other").replace("Adam", "SGD")
HYDRA = """
import hydra
from hydra.utils import instantiate
from pytorch_lightning import Trainer

@hydra.main(config_path="conf", config_name="main", version_base=None)
def main(cfg):
    Trainer().fit(instantiate(cfg.model))

if __name__ == "__main__":
    main()
"""
CLI = "from lightning.pytorch.cli import LightningCLI\nLightningCLI()\n"
TEXT = """
import importlib
from pytorch_lightning import Trainer
Trainer().fit(importlib.import_module("nets.net").Net())
"""
WIDE = """
import torch
import pytorch_lightning as pl

class Wide(pl.LightningModule):
    def __init__(self, width=64):
        super().__init__()
        self.width = width
"""
OWN = """        self.net = torch.nn.Dropout(0.2)
"""
NAMED = {
    "hydra": (HYDRA, {"conf/main.yaml": "model:\n  _target_: nets.Net\n"}),
    "hydra, of the module": (HYDRA, {"conf/main.yaml": "model: {'_target_': 'nets.net.Net'}\n"}),
    "LightningCLI": (CLI, {"settings/net.yaml": "model:\n  class_path: nets.Net\n"}),
    "in the source": (HYDRA.replace("cfg.model", "{'_target_': 'nets.net.Net'}"), {"conf/main.yaml": "lr: 1\n"}),
    "import_module": (TEXT, {}),
}
NETS = {"nets/__init__.py": "from .net import Net\nfrom .other import Other\n"}
NETS |= {"nets/net.py": NET, "nets/other.py": OTHER}


@pytest.mark.parametrize(("text", "configs"), NAMED.values(), ids=NAMED)
def test_a_class_that_a_name_leads_to_is_searched(text, configs, program_of, tmp_path):
    program = program_of(text, configs | NETS)

    names = shortest_names(program).values()
    metric = find_metric(program)

    assert "Adam.lr" in names
    assert metric is not None
    assert metric.name == "val_auc"


def test_a_class_that_no_config_file_names_is_not_promising(program_of):
    program = program_of(HYDRA, {"conf/main.yaml": "model:\n  _target_: nets.Net\n"} | NETS)
    ranking = ConstantRanking(program, find_options(program))

    promising = [name for each, name in shortest_names(program).items() if ranking.is_promising(each)]

    assert promising == ["Adam.lr"]


def test_a_snapshot_holds_what_config_files_name(program_of, tmp_path):
    program = program_of(CLI, {"settings/net.yaml": "model:\n  class_path: nets.Net\n"} | NETS)
    take_snapshot(program, tmp_path / "copy")

    stored = open_snapshot(tmp_path / "copy").stored_program

    assert (
        list(stored.sources)
        == list(program.sources)
        == ["train.py", "nets/__init__.py", "nets/net.py", "nets/other.py"]
    )
    assert {each.name for each in find_all(stored).constants} == {each.name for each in find_all(program).constants}


@pytest.mark.parametrize(
    "other",
    [
        {".venv/lib/site-packages/x.yaml": "_target_: nets.Net\n"},
        {"data/large.yaml": "_target_: nets.Net\n" + "#" * 100_000},
        {"conf/away.yaml": "_target_: torch.optim.Adam\nclass_path: nowhere.Net\n"},
    ],
    ids=["of an environment", "data", "of a library"],
)
def test_other_files_lead_to_no_module(other, program_of):
    program = program_of(HYDRA, {"conf/main.yaml": "lr: 1\n"} | other | NETS)

    assert list(program.sources) == ["train.py"]
    assert program.naming_files == ()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("model: {_target_: nets.Wide, width: 32}\n", ["model.width="]),
        ("model:\n  _target_: nets.Wide\n", ["Wide.width"]),
    ],
    ids=["set by the config", "not set"],
)
def test_of_a_class_that_hydra_builds_what_the_config_sets_is_searched_there(config, expected, program_of):
    program = program_of(HYDRA, {"conf/main.yaml": config, "nets.py": WIDE})
    options = find_options(program)
    ranking = ConstantRanking(program, options)

    names = [*shortest_names(program).items(), *((option, option.name) for option in options)]

    assert [name for each, name in names if ranking.is_promising(each)] == expected


def test_what_a_config_sets_with_the_words_that_the_program_needs_is_searched_there(program_of):
    configs = {
        "conf/main.yaml": "defaults:\n  - model: ???\n",
        "conf/model/wide.yaml": "_target_: nets.Wide\nwidth: 32\n",
    }
    program = program_of(HYDRA, configs | {"nets.py": WIDE})
    width = next(each for each in find_all(program).constants if each.name == "Wide.width")
    words = ("model=wide",)

    assert not ConstantRanking(program, find_options(program, words), words).is_promising(width)
    assert ConstantRanking(program, find_options(program)).is_promising(width)  # hydra composes nothing


def test_parameters_of_classes_that_lightning_cli_builds_are_no_constants_worth_a_search(program_of):
    program = program_of(CLI, {"nets.py": WIDE + OWN, "settings.yaml": "model: {class_path: nets.Wide}\n"})
    ranking = ConstantRanking(program)

    assert [name for each, name in shortest_names(program).items() if ranking.is_promising(each)] == ["Dropout.p"]


def test_a_trial_takes_the_value_of_a_class_that_a_config_file_names(program_of, tmp_path, monkeypatch, capsys):
    text = HYDRA.replace("Trainer().fit(instantiate(cfg.model))", "print('BUILT', instantiate(cfg.model).width)")
    program = program_of(text, {"conf/main.yaml": "model: {_target_: nets.Wide}\n", "nets.py": WIDE})
    sites = find_constant("Wide.width", program, find_constants(program), "s.yaml:1").sites
    take_snapshot(program, tmp_path / "copy")
    executor = Executor(open_snapshot(tmp_path / "copy"), {"Wide.width": sites})
    monkeypatch.setattr("sys.argv", [str(program.path)])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text("raise RuntimeError('edited meanwhile')\n")

    with executor.promoted_imports({"Wide.width": 7}) as in_force:
        executor.execute_main(in_force)

    assert "BUILT 7" in capsys.readouterr().out


PUT_TOGETHER = {
    "an f-string": 'importlib.import_module(f"configs.{name}")',
    "a sum": 'importlib.import_module("configs." + name)',
    "a percent sign": "import_module('configs.%s' % name)",
    "format": 'import_module("configs.{}".format(name))',
    "__import__": '__import__(f"configs.{name}", fromlist=["lr"])',
    "a name of its own": None,
}


@pytest.mark.parametrize("call", PUT_TOGETHER.values(), ids=PUT_TOGETHER)
def test_of_a_name_that_is_put_together_the_settings_of_its_package_are_of_the_program(tmp_path, program_of, call):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "small.py").write_text("lr = 0.1\n")
    (tmp_path / "configs" / "big.py").write_text("lr = 0.2\n")
    (tmp_path / "configs" / "net.py").write_text("import torch\nlr = 0.3\n")
    (tmp_path / "configs" / "broken.py").write_text("lr = = 0.4\n")

    program = program_of(f"import importlib\nname = 'small'\ncfg = {call}\n")

    found = {} if call is None else {"big.lr": 0.2, "small.lr": 0.1}
    names = shortest_names(program)
    assert {names[each]: each.value for each in find_constants(program) if each.name == "lr"} == found


LOADED = {
    "a spec": """
        import importlib.util
        spec = importlib.util.spec_from_file_location("settings", "{here}/configs/small.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        LR = module.lr
        """,
    "a spec by a name": """
        from importlib.util import module_from_spec, spec_from_file_location
        name = "small"
        spec = spec_from_file_location("settings", f"configs/{name}.py".replace("configs", "{here}/configs"))
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        LR = module.lr
        """,
    "runpy": """
        import runpy
        FILE = "configs/small.py"
        NAMES = runpy.run_path("{here}/" + FILE, {"given": 3})
        LR = NAMES["lr"]
        assert NAMES["given"] == 3
        assert NAMES["__name__"] == "<run_path>"
        assert "__promoted__" not in NAMES
        """,
}


@pytest.mark.parametrize("text", LOADED.values(), ids=LOADED)
def test_a_file_that_is_loaded_by_its_path_has_the_trial_s_value(program_of, tmp_path, text):
    folder = tmp_path.as_posix()
    text = text.replace('configs/small.py")', "configs/small.py\")  # 'configs/small.py'").replace("{here}", folder)
    program = program_of(text, {"configs/small.py": "lr = 0.1\n"})
    constant = find_constant("lr", program, find_constants(program), "")
    snapshot = take_snapshot(program, tmp_path / "copy")

    with Executor(snapshot, {"lr": constant.sites}).import_program({"lr": 0.5}) as (module, in_force):
        assert module.LR == 0.5
        assert in_force.taken["lr"] == 1


def test_a_file_that_runpy_executes_finds_itself_among_the_modules(program_of, tmp_path):
    text = f"import runpy\nLR = runpy.run_path('{tmp_path.as_posix()}/configs/small.py')['lr']  # 'configs/small.py'\n"
    held = "from __future__ import annotations\nimport sys\nfrom dataclasses import dataclass\n"
    fields = "@dataclass\nclass Config:\n    rate: float = 0.1\nassert sys.argv[0].endswith('small.py')\nlr = 0.1\n"
    program = program_of(text, {"configs/small.py": held + fields})
    constant = find_constant("lr", program, find_constants(program), "")
    snapshot, words = take_snapshot(program, tmp_path / "copy"), [*sys.argv]

    with Executor(snapshot, {"lr": constant.sites}).import_program({"lr": 0.5}) as (module, _):
        assert module.LR == 0.5
    assert sys.argv == words
    assert "<run_path>" not in sys.modules


def test_a_file_of_another_project_is_loaded_as_ever(program_of, tmp_path):
    other = tmp_path.parent / f"{tmp_path.name}-other.py"
    other.write_text("lr = 0.1\n")
    program = program_of(f"import runpy\nLR = runpy.run_path({str(other)!r})['lr']\n")

    with Executor(take_snapshot(program, tmp_path / "copy"), {}).import_program({}) as (module, _):
        assert module.LR == 0.1

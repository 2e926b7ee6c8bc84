"""Values in config files that a program reads by itself: found, searched, proved, and written back."""

import json

import pytest

from tests.searched import Worker
from tests.trial.test_config_libraries import NET, searched  # noqa: F401 - a fixture
from tune.errors import ApplyError, ConstantError
from tune.promotion.configs import read_files
from tune.promotion.configs.config_file import ConfigPlace, rewrite_config
from tune.promotion.options.declared_options import find_options
from tune.promotion.options.option import OptionParser
from tune.promotion.program import find_program

CONFIG = "optim:\n  lr: 0.5  # of SGD\n  betas: [0.9, 0.99]\nmax_epochs: 1\n"
FIT = """
trainer = pl.Trainer(max_epochs=cfg["max_epochs"], logger=False)
model = Net(lr=float(cfg["optim"]["lr"]))
print("rate", model.lr)
trainer.fit(model)
"""
WAYS = {
    "yaml of an open file": 'import yaml\ncfg = yaml.safe_load(open("c.yaml"))\n',
    "yaml below with": 'import yaml\nwith open("c.yaml") as file:\n    cfg = yaml.load(file, Loader=yaml.SafeLoader)\n',
    "yaml of a text": 'import yaml\nfrom pathlib import Path\ncfg = yaml.safe_load(Path("c.yaml").read_text())\n',
    "beside the source": """
import yaml, pathlib
cfg = yaml.safe_load((pathlib.Path(__file__).parent / "c.yaml").open())
""",
    "a constant": 'import yaml\nCONFIG = "c.yaml"\nwith open(CONFIG, "rb") as file:\n    cfg = yaml.safe_load(file)\n',
    "OmegaConf": 'from omegaconf import OmegaConf\ncfg = OmegaConf.load("c.yaml")\n',
    "OmegaConf and the command line": """
from omegaconf import OmegaConf
cfg = OmegaConf.merge(OmegaConf.load("c.yaml"), OmegaConf.from_cli())
""",
    "ruamel": 'from ruamel.yaml import YAML\ncfg = YAML(typ="safe").load(open("c.yaml"))\n',
    "an option's default": """
import argparse, yaml
parser = argparse.ArgumentParser()
parser.add_argument("--config", default="c.yaml")
with open(parser.parse_args().config) as file:
    cfg = yaml.safe_load(file)
""",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_value_in_a_config_file_is_searched(searched, way):  # noqa: F811
    worker = searched(way + FIT, name='"optim.lr="', c=CONFIG)

    assert [item.value for item in worker.promoted] == [0.5]
    assert worker.promoted[0].constant.where == "c.yaml:2"

    baseline = worker.run({"optim.lr=": 0.5}, preflight=True, hardcoded=True)
    trial = worker.run({"optim.lr=": 1e-05})

    assert (baseline.failure, trial.failure) == (None, None)
    assert "rate 0.5\n" in baseline.log
    assert "rate 1e-05\n" in trial.log
    assert trial.record.in_force == {"optim.lr=": {"value": 1e-05, "where": "c.yaml:2"}}
    assert (trial.files.folder / "configs" / "c.yaml").read_text() == CONFIG.replace("0.5", "1.0e-05")
    assert not (baseline.files.folder / "configs").exists()


def test_json_is_a_config_file_too(tmp_path, monkeypatch, server):
    text = 'import json\nwith open("c.json") as file:\n    cfg = json.load(file)\n' + FIT
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "c.json").write_text('{\n\t"optim": {"lr": 0.5, "name": "sgd"},\n\t"max_epochs": 1\n}\n')
    (tmp_path / "train.py").write_text(NET + text)
    (tmp_path / "s.yaml").write_text(
        'script: train.py\nmetric: loss\nmode: min\nconstants:\n  "optim.lr=": {loguniform: [1e-3, 1]}\n'
        '  "optim.name=": {choice: [sgd, "a d"]}\n'
    )
    monkeypatch.chdir(tmp_path)
    worker = Worker(tmp_path / "s.yaml", tmp_path / "experiment", server)

    trial = worker.run({"optim.lr=": 2e-07, "optim.name=": "a d"})

    assert trial.failure is None
    assert "rate 2e-07\n" in trial.log
    held = json.loads((trial.files.folder / "configs" / "c.json").read_text())
    assert held == {"optim": {"lr": 2e-07, "name": "a d"}, "max_epochs": 1}


def test_toml_is_a_config_file_too(tmp_path, monkeypatch, server):
    text = 'import tomllib\nwith open("c.toml", "rb") as file:\n    cfg = tomllib.load(file)\n' + FIT
    (tmp_path / "pyproject.toml").write_text("[tool]\nlr = 3\n")
    (tmp_path / "c.toml").write_text("max_epochs = 1\n[optim]\nlr = 0.5  # of SGD\n")
    (tmp_path / "train.py").write_text(NET + text + 'MARK = "pyproject.toml"\n')
    (tmp_path / "s.yaml").write_text(
        'script: train.py\nmetric: loss\nmode: min\nconstants:\n  "optim.lr=": {loguniform: [1e-3, 1]}\n'
    )
    monkeypatch.chdir(tmp_path)
    worker = Worker(tmp_path / "s.yaml", tmp_path / "experiment", server)

    assert [option.name for option in find_options(worker.program)] == ["max_epochs=", "optim.lr="]
    trial = worker.run({"optim.lr=": 0.25})

    assert trial.failure is None
    assert "rate 0.25\n" in trial.log
    assert (trial.files.folder / "configs" / "c.toml").read_text().endswith("lr = 0.25  # of SGD\n")


def test_an_ini_file_is_a_config_file_too_and_its_keys_are_of_any_case(tmp_path, monkeypatch, server):
    text = 'import configparser\nini = configparser.ConfigParser()\nini.read("c.ini")\n'
    text += 'cfg = {"optim": {"lr": ini.getfloat("optim", "lr")}, "max_epochs": ini.getint("train", "max_epochs")}\n'
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "c.ini").write_text("; all\n[train]\nmax_epochs: 1\n[optim]\nLR = 0.5\n")
    (tmp_path / "train.py").write_text(NET + text + FIT)
    (tmp_path / "s.yaml").write_text(
        'script: train.py\nmetric: loss\nmode: min\nconstants:\n  "optim.LR=": {loguniform: [1e-3, 1]}\n'
    )
    monkeypatch.chdir(tmp_path)
    worker = Worker(tmp_path / "s.yaml", tmp_path / "experiment", server)

    assert [option.name for option in find_options(worker.program)] == ["train.max_epochs=", "optim.LR="]
    trial = worker.run({"optim.LR=": 0.25}, preflight=True)

    assert trial.failure is None
    assert "rate 0.25\n" in trial.log
    assert (trial.files.folder / "configs" / "c.ini").read_text().endswith("LR = 0.25\n")


def test_what_json_cannot_hold_is_refused(tmp_path):
    (tmp_path / "c.json").write_text('{"name": null}')
    place = ConfigPlace(path=tmp_path / "c.json", name="c.json", keys=("name",), line=1)

    with pytest.raises(ApplyError, match=r"c\.json:1: 'sgd' cannot be written here"):
        rewrite_config(tmp_path / "c.json", {place: "sgd"})


CHOSEN = """
import argparse, yaml
parser = argparse.ArgumentParser()
parser.add_argument("--config", default="c.yaml")
with open(parser.parse_args().config) as file:
    cfg = yaml.safe_load(file)
"""


@pytest.mark.parametrize("args", [["--config", "d.yaml"], ["--config=d.yaml"]], ids=" ".join)
def test_the_file_that_args_name_counts(searched, args):  # noqa: F811
    worker = searched(CHOSEN + FIT, args, name='"optim.lr="', c=CONFIG, d=CONFIG.replace("0.5", "0.25"))

    assert worker.promoted[0].value == 0.25
    assert worker.promoted[0].constant.where == "d.yaml:2"
    assert "rate 0.125\n" in worker.run({"optim.lr=": 0.125}).log


def test_a_word_that_args_give_counts_before_the_file(searched):  # noqa: F811
    text = """
from omegaconf import OmegaConf
cfg = OmegaConf.merge(OmegaConf.load("c.yaml"), OmegaConf.from_cli())
"""
    worker = searched(text + FIT, ["optim.lr=0.25"], name='"optim.lr="', c=CONFIG)

    assert worker.promoted[0].constant.parser is OptionParser.WORDS
    assert worker.promoted[0].value == 0.25
    assert "rate 0.125\n" in worker.run({"optim.lr=": 0.125}).log


def test_a_file_that_the_program_never_opens_is_refused(searched):  # noqa: F811
    text = 'NAME = "c.yaml"\ncfg = {"max_epochs": 1, "optim": {"lr": 0.5}}\n' + FIT
    trial = searched(text, name='"optim.lr="', c=CONFIG).run({"optim.lr=": 0.5}, preflight=True, hardcoded=True)

    assert trial.failure.message == ("optim.lr=: optim.lr= stands in c.yaml:2, and the program never opens that file")
    assert trial.failure.hint == "Search a value of the file that it reads; `args` can name it."


def test_a_key_that_the_program_never_names_is_refused(searched):  # noqa: F811
    text = WAYS["yaml of an open file"] + FIT
    worker = searched(text, name='"optim.momentum="', c=f"{CONFIG}  # end\n".replace("  lr", "  momentum: 0.9\n  lr"))
    trial = worker.run({"optim.momentum=": 0.9}, preflight=True, hardcoded=True)

    assert trial.failure.message.startswith(
        "optim.momentum=: the program holds optim.momentum= and never reads it (c.yaml:2)"
    )


def test_a_system_has_config_files_too(tmp_path, monkeypatch, server):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "c.yaml").write_text(CONFIG)
    loaded = 'import yaml\nCFG = yaml.safe_load(open("c.yaml"))\n'
    (tmp_path / "net.py").write_text(loaded + NET.replace("lr: float = LR", 'lr: float = CFG["optim"]["lr"]'))
    (tmp_path / "s.yaml").write_text(
        "system: net.py\nmetric: loss\nmode: min\ntrainer: {max_epochs: 1}\n"
        'constants:\n  "optim.lr=": {loguniform: [1e-3, 1]}\n'
    )
    monkeypatch.chdir(tmp_path)
    worker = Worker(tmp_path / "s.yaml", tmp_path / "experiment", server)

    same, other = worker.run({"optim.lr=": 0.5}), worker.run({"optim.lr=": 0.001})

    assert (same.failure, other.failure) == (None, None)
    assert other.record.in_force == {"optim.lr=": {"value": 0.001, "where": "c.yaml:2"}}
    assert same.reports != other.reports


LISTED = {
    "all scalars and lists": ("c.yaml", CONFIG, ["optim.lr=", "optim.betas=", "max_epochs="]),
    "no interpolation": ("c.yaml", "a: 1\nb: ${a}\nc: ???\n", ["a="]),
    "entries of lists": ("c.yaml", "layers:\n- {size: 3}\n- {size: 4}\n", ["layers.0.size=", "layers.1.size="]),
    "no odd keys": ("c.yaml", "a b: 1\nc.d: 2\n1: 2\ne: 3\n", ["e="]),
    "no data": ("c.yaml", "".join(f"a{n}: 1\n" for n in range(1001)), []),
    "no YAML": ("c.yaml", "a: [1\n", []),
    "another file": ("d.yaml", CONFIG, []),
}


@pytest.mark.parametrize(("name", "held", "listed"), LISTED.values(), ids=LISTED)
def test_what_config_files_hold_is_listed(tmp_path, monkeypatch, name, held, listed):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / name).write_text(held)
    (tmp_path / "train.py").write_text('cfg = load("c.yaml")\n')
    monkeypatch.chdir(tmp_path)

    assert [option.name for option in find_options(find_program(tmp_path / "train.py"))] == listed


ELSEWHERE = {
    "a folder and a default": """
import argparse
from pathlib import Path
parser = argparse.ArgumentParser()
parser.add_argument("--config", default="c.yaml")
cfg = load(Path(__file__).parent / "conf" / parser.parse_args().config)
""",
    "a name that is put together": """
import os, sys
name = sys.argv[1] if len(sys.argv) > 1 else "c"
cfg = load(open(os.path.join("conf/", name + ".yaml")))
""",
    "a folder in a constant": 'ROOT = "conf"\ncfg = load(f"{ROOT}/{NAME}.yaml", "c.yaml")\n',
}


@pytest.mark.parametrize("text", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_config_file_is_found_in_a_folder_that_the_program_names(tmp_path, monkeypatch, text):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "c.yaml").write_text("lr: 0.5\n")
    (tmp_path / "train.py").write_text(text)
    monkeypatch.chdir(tmp_path)

    (option,) = (each for each in find_options(find_program(tmp_path / "train.py")) if each.parser is OptionParser.FILE)
    assert (option.name, option.value, option.where) == ("lr=", 0.5, "conf/c.yaml:1")


PATHS = {
    "parts of a path": 'Path(__file__).parent / "conf" / "c.yaml"',
    "parts of a path in one": 'Path(__file__).parent / "conf/c.yaml"',
    "arguments of a path": 'Path("conf", "c.yaml")',
    "os.path": 'os.path.join(os.path.dirname(__file__), "conf", "c.yaml")',
    "a path that goes up": 'os.path.join(HERE, "../lib/conf/c.yaml")',
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("where", ["", "lib"])
def test_a_config_file_is_found_by_its_path(tmp_path, monkeypatch, path, where):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "lib" / "conf").mkdir(parents=True)
    (tmp_path / "lib" / "conf" / "c.yaml").write_text("lr: 0.5\n")
    (tmp_path / "lib" / "train.py").write_text(f"cfg = load({path})\n")
    monkeypatch.chdir(tmp_path / where)

    (option,) = find_options(find_program(tmp_path / "lib" / "train.py"))

    assert (option.name, option.value, option.where) == ("lr=", 0.5, "lib/conf/c.yaml:1")


def test_a_text_that_stands_many_times_is_looked_up_once(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "c.yaml").write_text("lr: 0.5\n")
    (tmp_path / "train.py").write_text('cfg = load("conf", "c", ".yaml")\n' * 5)
    monkeypatch.chdir(tmp_path)
    looked_up = []
    before = read_files._find_named_file
    monkeypatch.setattr(read_files, "_find_named_file", lambda *given: looked_up.append(given[0]) or before(*given))

    assert read_files.read_config_files(find_program(tmp_path / "train.py")) == (tmp_path / "conf" / "c.yaml",)
    assert sorted(looked_up) == sorted(set(looked_up))


@pytest.mark.parametrize(
    ("more", "args", "files"),
    [
        ("", ["--config", "b.yaml"], ["b.yaml"]),
        ("", ["--config=b.yaml"], ["b.yaml"]),
        ("", ["-c", "b.yaml"], ["b.yaml"]),
        ("", [], ["a.yaml"]),
        ("", ["--lr", "0.1"], ["a.yaml"]),
        (", action='append'", ["--config", "b.yaml"], ["b.yaml", "a.yaml"]),
    ],
)
def test_a_config_file_that_is_the_default_of_an_option_is_not_read_where_another_one_is_given(
    tmp_path, monkeypatch, more, args, files
):
    for name in ("pyproject.toml", "a.yaml", "b.yaml"):
        (tmp_path / name).touch()
    text = f"import argparse\np = argparse.ArgumentParser()\np.add_argument('--config', '-c', default='a.yaml'{more})\n"
    (tmp_path / "train.py").write_text(text)
    monkeypatch.chdir(tmp_path)

    found = read_files.read_config_files(find_program(tmp_path / "train.py"), args)
    assert [path.name for path in found] == files


def test_what_the_program_writes_is_no_config_file(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "metrics.json").write_text('{"loss": 0.5}')
    (tmp_path / "train.py").write_text('import json\njson.dump({"loss": 1}, open("metrics.json", "w"))\n')
    monkeypatch.chdir(tmp_path)

    assert find_options(find_program(tmp_path / "train.py")) == ()


def test_a_bare_key_is_told_how_it_is_written(searched):  # noqa: F811
    with pytest.raises(ConstantError, match=r"'lr' is not a constant of train\.py\n  Did you mean 'optim\.lr='\?"):
        searched('cfg = load("c.yaml")\n', name="lr", c=CONFIG)

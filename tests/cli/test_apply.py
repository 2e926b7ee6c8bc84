"""``apply`` puts a trial's values back: literals change, and not a byte beside them; what was edited is left alone."""

import json
import shutil
import subprocess

import pytest

from tune.cli import main
from tune.paths import ExperimentPaths
from tune.promotion.program import find_program
from tune.promotion.resolve import resolve_constants
from tune.promotion.snapshot import take_snapshot
from tune.search.study.study import create_search_study
from tune.space.space_file import read_space, write_space
from tune.trial.messages import EpochReport

NET = """\
from config import CFG
from torch import nn

LR = 1e-3  # of Adam
SIZES = (16, 16)   # units
NAME = 'adam'  # or 'sgd'
net = nn.Dropout(0.2), LR, SIZES, NAME, CFG
"""
CONFIG = 'CFG = {"width": 64, "depth": 3}\n'
SPACE = """\
system: net.py
metric: Accuracy/Val
mode: max
constants:
  LR: {loguniform: [1e-4, 1e-1]}
  SIZES: {choice: [[16, 16], [8, 32]]}
  NAME: {choice: [adam, sgd]}
  Dropout.p: {uniform: [0, 0.7]}
  "CFG['width']": {choice: [32, 64, 128]}
"""
BASELINE = {"LR": 1e-3, "SIZES": [16, 16], "NAME": "adam", "Dropout.p": 0.2, "CFG['width']": 64}
BEST = {"LR": 0.0044, "SIZES": [8, 32], "NAME": "sgd", "Dropout.p": 0.35, "CFG['width']": 128}
WORSE = {**BEST, "LR": 0.05, "SIZES": [16, 16]}

DIFF = """\
--- a/net.py
+++ b/net.py
@@ -1,7 +1,7 @@
 from config import CFG
 from torch import nn
{blank}
-LR = 1e-3  # of Adam
-SIZES = (16, 16)   # units
-NAME = 'adam'  # or 'sgd'
-net = nn.Dropout(0.2), LR, SIZES, NAME, CFG
+LR = 4.4e-3  # of Adam
+SIZES = (8, 32)   # units
+NAME = 'sgd'  # or 'sgd'
+net = nn.Dropout(0.35), LR, SIZES, NAME, CFG
--- a/config.py
+++ b/config.py
@@ -1 +1 @@
-CFG = {"width": 64, "depth": 3}
+CFG = {"width": 128, "depth": 3}
""".replace("{blank}", " ")
TITLE = "1: Accuracy/Val = 0.9 in epoch 1, the hardcoded values: 0.5\n"
DONE = "nothing to do: net.py holds LR=0.0044, SIZES=(8, 32), NAME=sgd, Dropout.p=0.35, CFG['width']=128\n"


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Return what searches a project by hand: scores and values of its trials, the first the baseline."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pyproject.toml").touch()
    monkeypatch.chdir(root)
    monkeypatch.setattr("sys.argv", ["run_search.py"])

    def experiment(files, space, trials):
        for name, raw in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(raw if isinstance(raw, bytes) else raw.encode())
        (root / "s.yaml").write_text(space)
        found = read_space(root / "s.yaml")
        program = find_program(found.program)
        paths = ExperimentPaths(tmp_path / "storage" / "exp")
        paths.folder.mkdir(parents=True)
        write_space(found, paths.space)
        take_snapshot(program, paths.source)
        ledger = create_search_study(paths, found, resolve_constants(found, program))
        for score, values in trials:
            draws = ledger.searcher
            is_first = values is trials[0][1]
            number, _ = (
                ledger.ask_baseline() if is_first else ledger._add_trial(draws._sample_config(draws.to_labels(values)))
            )
            ledger.set_attributes(number, constants=values)
            if score is None:
                ledger.fail_trial(number, "out of memory")
            else:
                ledger.write_epochs(number, [EpochReport(1, score)])
                ledger.complete_trial(number)
        return root

    return experiment


@pytest.fixture
def project(make):
    return make({"net.py": NET, "config.py": CONFIG}, SPACE, [(0.5, BASELINE), (0.9, BEST), (0.7, WORSE), (None, BEST)])


@pytest.fixture
def apply(tmp_path, capfd):
    def run(*words):
        capfd.readouterr()
        status = main(["apply", "exp", *words, "--storage", str(tmp_path / "storage")])
        told = capfd.readouterr()
        return status, told.out + told.err

    return run


def values_of(program, capfd):
    capfd.readouterr()
    assert main(["constants", program, "--json"]) == 0
    return {each["name"]: each["value"] for each in json.loads(capfd.readouterr().out)["constants"]}


def test_apply_when_not_told_to_write_then_shows_the_diff_and_writes_nothing(project, apply):
    assert apply() == (0, f"{TITLE}\n{DIFF}\nnothing is written yet: --write does it\n")
    assert (project / "net.py").read_text() == NET


def test_apply_in_a_copy_of_the_project_does_not_write_the_one_that_was_searched(project, apply, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    (copy / "net.py").write_text("# mine\n" + NET)
    monkeypatch.chdir(copy)

    status, told = apply("--write")

    what = f"{copy}: this is a copy of the project that was searched, {project}, and --write changes that one"
    patch = f"`python run_search.py apply exp --storage {tmp_path / 'storage'} | patch -p1`"
    assert told.endswith(f"{what}\n  Go there to write it; or write the copy: {patch}.\n")
    assert status == 2
    assert (project / "net.py").read_text() == NET


@pytest.mark.parametrize(("text", "status"), [(NET, 2), ("# another program\n", 0)], ids=["a copy", "another"])
def test_apply_in_a_folder_of_the_project_with_a_file_of_the_name(text, status, project, apply, monkeypatch):
    (project / "old").mkdir()
    (project / "old" / "net.py").write_text(text)
    monkeypatch.chdir(project / "old")

    assert apply("--write")[0] == status
    assert ((project / "net.py").read_text() == NET) is (status == 2)


def test_apply_when_written_then_the_literals_differ_and_a_second_time_there_is_nothing_to_do(project, apply, capfd):
    status, told = apply("--write")

    assert (status, told) == (0, f"{TITLE}\n{DIFF}\nwritten: net.py, config.py\n")
    assert (project / "net.py").read_text() == (
        NET.replace("1e-3", "4.4e-3").replace("(16, 16)", "(8, 32)").replace("'adam'", "'sgd'").replace("0.2", "0.35")
    )
    assert (project / "config.py").read_text() == CONFIG.replace("64", "128")
    held = values_of("net.py", capfd)
    assert {name: held[name] for name in BEST} == BEST
    assert apply("--write") == (0, f"{TITLE}{DONE}")


def test_apply_when_a_trial_is_named_then_takes_its_values(project, apply, capfd):
    status, told = apply("--trial", "2", "--write")

    assert (status, told.splitlines()[0]) == (0, "2: Accuracy/Val = 0.7 in epoch 1, the hardcoded values: 0.5")
    held = values_of("net.py", capfd)
    assert {name: held[name] for name in WORSE} == WORSE


def test_apply_when_the_trial_is_the_baseline_then_there_is_nothing_to_do(project, apply):
    told = "nothing to do: net.py holds LR=0.001, SIZES=(16, 16), NAME=adam, Dropout.p=0.2, CFG['width']=64\n"

    assert apply("--trial", "0", "--write") == (0, f"0: Accuracy/Val = 0.5 in epoch 1\n{told}")


def test_apply_when_written_before_then_another_trial_replaces_it_and_the_baseline_undoes_it(project, apply, capfd):
    apply("--trial", "2", "--write")
    status, told = apply("--write")

    assert status == 0
    assert "changed since" not in told
    assert "is not touched" not in told
    held = values_of("net.py", capfd)
    assert {name: held[name] for name in BEST} == BEST
    undone = apply("--trial", "0", "--write")[1]
    assert undone.endswith("\nwritten: net.py, config.py\n")
    assert "changed since" not in undone
    assert ((project / "net.py").read_text(), (project / "config.py").read_text()) == (NET, CONFIG)


def test_apply_when_a_literal_that_it_wrote_was_edited_by_hand_then_leaves_it(project, apply):
    apply("--write")
    path = project / "net.py"
    path.write_text(path.read_text().replace("4.4e-3", "7e-3"))
    told = apply("--trial", "0", "--write")[1]

    assert "LR is not touched: net.py:4 holds 0.007, and 0.001 was searched; the trial had 0.001\n" in told
    assert path.read_text() == NET.replace("1e-3", "7e-3")


def test_apply_when_the_trial_failed_then_says_so(project, apply):
    assert apply("--trial", "3")[1].startswith("3: failed\n\n--- a/net.py\n")


def test_apply_when_a_literal_was_edited_then_it_is_named_and_left_and_the_others_are_applied(project, apply):
    path = project / "net.py"
    path.write_text("# a word\n" + NET.replace("1e-3", "2e-3") + "more = 1\n")
    status, told = apply("--write")

    assert status == 0
    assert told.startswith(
        f"{TITLE}"
        "changed since the search: net.py: 3 lines from line 1 on\n"
        "LR is not touched: net.py:5 holds 0.002, and 0.001 was searched; the trial had 0.0044\n"
    )
    assert "\nLR = 2e-3  # of Adam\nSIZES = (8, 32)   # units\n" in path.read_text()
    assert apply("--write")[1].endswith("nothing to do in the source\n")


def test_apply_when_other_lines_were_edited_then_says_which_and_applies(project, apply):
    (project / "config.py").write_text(f"\n\nX = 1\n{CONFIG}")
    status, told = apply("--write")

    assert status == 0
    assert told.startswith(f"{TITLE}changed since the search: config.py: 3 lines from line 1 on\n\n--- a/net.py")
    assert told.endswith("written: net.py, config.py\n")
    assert (project / "config.py").read_text() == f"\n\nX = 1\n{CONFIG}".replace("64", "128")


def test_apply_when_a_constant_or_a_file_is_gone_then_it_is_named(project, apply):
    (project / "net.py").write_text(NET.replace("NAME = 'adam'  # or 'sgd'\n", "NAME = input()\n"))
    (project / "config.py").unlink()
    told = apply()[1]

    assert "changed since the search: config.py is gone\n" in told
    assert "NAME is not touched: the program has no such constant any more\n" in told
    assert "CFG['width'] is not touched: the program has no such constant any more\n" in told
    assert "+LR = 4.4e-3  # of Adam\n" in told


RATE = "system: p.py\nmetric: m\nmode: min\nconstants:\n  LR: {loguniform: [1e-4, 1]}\n"
RAW = [
    b"# -*- coding: latin-1 -*-\r\n# caf\xe9 \r\nLR = 1e-3  # d\xe9but\r\nprint(LR)\r\n",
    "\ufeffLR = 1e-3\nprint(LR)\n".encode(),
    "x = 'é'; LR = 1e-3 ; y = '√'\nprint(LR)".encode(),
]


@pytest.mark.parametrize("raw", RAW, ids=["latin-1 CRLF", "mark", "utf-8"])
def test_apply_when_the_file_has_odd_bytes_then_they_stay_and_patch_takes_the_diff(make, capfdbinary, raw, tmp_path):
    root = make({"p.py": raw}, RATE, [(2, {"LR": 1e-3}), (1, {"LR": 0.05})])
    assert main(["apply", "exp", "--storage", str(tmp_path / "storage")]) == 0
    shown = capfdbinary.readouterr().out
    assert main(["apply", "exp", "--write", "--storage", str(tmp_path / "storage")]) == 0

    written = raw.replace(b"1e-3", b"5e-2")
    assert (root / "p.py").read_bytes() == written
    if shutil.which("patch"):
        (root / "p.py").write_bytes(raw)
        subprocess.run(["patch", "-p1", "--binary"], input=shown, cwd=root, check=True, capture_output=True)
        assert (root / "p.py").read_bytes() == written


def test_apply_when_flags_were_searched_then_prints_the_command(make, apply):
    script = (
        "import argparse\nWIDTH = 8\nmake = argparse.ArgumentParser()\n"
        'make.add_argument("--lr", type=float, default=1e-3)\nmake.add_argument("--fast", action="store_true")\n'
        'make.add_argument("--out")\nprint(make.parse_args(), WIDTH)\n'
    )
    space = (
        "script: train.py\nargs: [--out, my folder]\nmetric: m\nmode: min\nconstants:\n"
        '  "--lr": {loguniform: [1e-4, 1]}\n  "--fast": {choice: [true, false]}\n'
    )
    trials = [(2, {"--lr": 1e-3, "--fast": False}), (1, {"--lr": 0.05, "--fast": True})]
    make({"train.py": script}, space, trials)

    assert apply("--write") == (
        0,
        """\
1: m = 1 in epoch 1, the hardcoded values: 2

--- a/train.py
+++ b/train.py
@@ -1,7 +1,7 @@
 import argparse
 WIDTH = 8
 make = argparse.ArgumentParser()
-make.add_argument("--lr", type=float, default=1e-3)
+make.add_argument("--lr", type=float, default=5e-2)
 make.add_argument("--fast", action="store_true")
 make.add_argument("--out")
 print(make.parse_args(), WIDTH)

written: train.py
not written, for their defaults are no literals of the source:
  --fast=True (train.py:5, False now)
to run it with its options:
  python train.py --out 'my folder' --fast
""",
    )


PARSED = """\
import argparse
WIDTH = 8  # units
def main():
    make = argparse.ArgumentParser()
    make.add_argument("--lr", "--rate", type=float, default=1e-3, help="of Adam")
    make.add_argument("--size", type=int, default="16")
    make.add_argument("--drop", type=float, default=0)
    make.add_argument("--layers", nargs="+", type=int, default=[4, 2])
    print(make.parse_args(), WIDTH)
main()
"""
PARSED_SPACE = """\
script: train.py
metric: m
mode: min
constants:
  WIDTH: {choice: [8, 32]}
  --lr: {loguniform: [1e-4, 1]}
  --size: {choice: [8, 16]}
  --drop: {uniform: [0.0, 0.5]}
  --layers: {choice: [[4, 2], [4, 8]]}
"""
PARSED_HELD = {"WIDTH": 8, "--lr": 1e-3, "--size": 16, "--drop": 0.0, "--layers": [4, 2]}
PARSED_CHOSEN = {"WIDTH": 32, "--lr": 0.05, "--size": 8, "--drop": 0.25, "--layers": [4, 8]}


def test_apply_when_defaults_of_options_are_literals_then_writes_them(make, apply):
    root = make({"train.py": PARSED}, PARSED_SPACE, [(2, PARSED_HELD), (1, PARSED_CHOSEN)])

    told = apply("--write")[1]

    wanted = PARSED
    for old, new in (("= 8 ", "= 32 "), ("1e-3", "5e-2"), ('"16"', "8"), ("=0)", "=0.25)"), ("[4, 2]", "[4, 8]")):
        wanted = wanted.replace(old, new)
    assert (root / "train.py").read_text() == wanted
    assert told.endswith("\nwritten: train.py\n")
    done = "nothing to do: train.py holds WIDTH=32, --lr=0.05, --size=8, --drop=0.25, --layers=[4, 8]\n"
    assert apply("--write")[1].endswith(done)
    assert "changed since" not in apply("--write")[1]
    assert apply("--trial", "0", "--write")[0] == 0
    assert (root / "train.py").read_text() == PARSED


def test_apply_when_a_default_was_edited_then_it_is_left_alone(make, apply):
    root = make({"train.py": PARSED}, PARSED_SPACE, [(2, PARSED_HELD), (1, PARSED_CHOSEN)])
    edited = PARSED.replace("1e-3", "2e-3")
    (root / "train.py").write_text(edited)

    told = apply("--write")[1]

    assert "--lr is not touched: train.py:5 holds 0.002, and 0.001 was searched; the trial had 0.05\n" in told
    assert "2e-3" in (root / "train.py").read_text()
    assert "WIDTH = 32" in (root / "train.py").read_text()


@pytest.mark.parametrize(
    ("args", "change"),
    [
        ("args: [--lr, '0.01']\n", ("", "")),
        ("args: [--rate=0.001]\n", ("", "")),
        ("", ("print(make", 'make.set_defaults(**{"lr": 0.01}); print(make')),
        ("", ("default=1e-3", "default=1e-3 if WIDTH else 1")),
        ("", ("make.parse_args()", "make.parse_args(namespace=argparse.Namespace())")),
    ],
    ids=["args", "args by another name", "set_defaults", "no literal", "namespace"],
)
def test_apply_when_a_default_is_not_in_force_then_it_is_not_written(args, change, make, apply):
    script = PARSED.replace(*change) if change[0] else PARSED
    space = f"script: train.py\n{args}metric: m\nmode: min\nconstants:\n  --lr: {{loguniform: [1e-4, 1]}}\n"
    root = make({"train.py": script}, space, [(2, {"--lr": 0.01}), (1, {"--lr": 0.05})])

    told = apply("--write")[1]

    assert (root / "train.py").read_text() == script
    assert "\nnot written, for their defaults are no literals of the source:\n  --lr=0.05 (" in told
    assert told.splitlines()[-1].endswith(" --lr=0.05")


CLICKED = """\
import click
@click.command()
@click.option("--lr", type=float, default=1e-3, show_default=True)
@click.option("--steps", default=10, envvar="STEPS")
def main(lr, steps): print(lr, steps)
main()
"""
TYPED = "import typer\ndef main(lr: float = 1e-3, steps: int = 10): print(lr, steps)\ntyper.run(main)\n"
LATER = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=1)
parser.add_argument("--steps", type=int)
parser.set_defaults(lr=1e-3, steps=10)  # ours
print(parser.parse_args().lr, parser.parse_args().steps)
"""
OF_CLI = """\
from lightning.pytorch.cli import LightningCLI
class Lit:
    def __init__(self, lr: float = 1e-3, steps: int = 10): self.held = lr, steps
LightningCLI(Lit)
"""


@pytest.mark.parametrize(
    ("script", "prefix", "wanted"),
    [
        (CLICKED, "--", CLICKED.replace("1e-3", "5e-2")),
        (TYPED, "--", TYPED.replace("1e-3", "5e-2").replace("10", "30")),
        (LATER, "--", LATER.replace("1e-3", "5e-2").replace("10", "30")),
        (OF_CLI, "--model.", OF_CLI.replace("1e-3", "5e-2").replace("10", "30")),
    ],
    ids=["click", "typer", "set_defaults", "LightningCLI"],
)
def test_apply_when_defaults_stand_in_a_decorator_or_a_signature_then_writes_those_in_force(
    script, prefix, wanted, make, apply
):
    space = (
        f"script: train.py\nmetric: m\nmode: min\nconstants:\n  {prefix}lr: {{loguniform: [1e-4, 1]}}\n"
        f"  {prefix}steps: {{choice: [10, 30]}}\n"
    )
    values = ({f"{prefix}lr": 1e-3, f"{prefix}steps": 10}, {f"{prefix}lr": 0.05, f"{prefix}steps": 30})
    root = make({"train.py": script}, space, [(2, values[0]), (1, values[1])])

    assert apply("--write")[0] == 0
    assert (root / "train.py").read_text() == wanted


HYDRA = {
    "src/train.py": """
import hydra

@hydra.main(version_base=None, config_path="../conf", config_name="train")
def main(cfg): ...
""",
    "conf/train.yaml": "defaults:\n  - net: small  # or large\n  - _self_\nlr: 0.001  # of Adam\nrate: ${lr}\n",
    "conf/net/small.yaml": "# @package model\nwidth: 8\nsizes: [4, 2]   # units\n",
    "conf/net/large.yaml": "# @package model\nwidth: 64\n",
}
HYDRA_SPACE = """\
script: src/train.py
metric: m
mode: min
constants:
  lr=: {loguniform: [1e-4, 1e-1]}
  model.width=: {choice: [4, 8, 16]}
  model.sizes=: {choice: [[4, 2], [8, 2]]}
  rate=: {choice: [0.1, 0.2]}
"""
HELD = {"lr=": 1e-3, "model.width=": 8, "model.sizes=": [4, 2], "rate=": 1e-3}
CHOSEN = {"lr=": 0.02, "model.width=": 16, "model.sizes=": [8, 2], "rate=": 0.2}
HYDRA_TOLD = """\
1: m = 1 in epoch 1, the hardcoded values: 2

--- a/conf/train.yaml
+++ b/conf/train.yaml
@@ -1,5 +1,5 @@
 defaults:
   - net: small  # or large
   - _self_
-lr: 0.001  # of Adam
+lr: 0.02  # of Adam
 rate: ${lr}
--- a/conf/net/small.yaml
+++ b/conf/net/small.yaml
@@ -1,3 +1,3 @@
 # @package model
-width: 8
-sizes: [4, 2]   # units
+width: 16
+sizes: [8, 2]   # units

written: conf/train.yaml, conf/net/small.yaml
not written, for their defaults are no literals of the source:
  rate=0.2
to run it with its options:
  python src/train.py rate=0.2
"""


def test_apply_when_values_stand_in_configs_of_hydra_then_writes_them_there(make, apply):
    root = make(HYDRA, HYDRA_SPACE, [(2, HELD), (1, CHOSEN)])

    assert apply("--write") == (0, HYDRA_TOLD)
    assert "nothing to do: conf/train.yaml, conf/net/small.yaml hold lr=0.02, " in apply("--write")[1]
    assert apply("--trial", "0", "--write")[0] == 0
    assert {name: (root / name).read_text() for name in HYDRA} == HYDRA


def test_apply_when_a_config_was_edited_then_the_value_is_left_alone(make, apply):
    root = make(HYDRA, HYDRA_SPACE, [(2, HELD), (1, CHOSEN)])
    edited = HYDRA["conf/net/small.yaml"].replace("width: 8", "width: 9")
    (root / "conf/net/small.yaml").write_text(edited)

    told = apply("--write")[1]

    assert "model.width= is not touched: conf/net/small.yaml:2 holds 9, and 8 was searched; the trial had 16\n" in told
    assert (root / "conf/net/small.yaml").read_text() == edited.replace("[4, 2]", "[8, 2]")


def test_apply_when_values_stand_in_a_config_of_lightning_cli_then_writes_them_there(make, apply):
    script = """
from lightning.pytorch.cli import LightningCLI
class Lit:
    def __init__(self, width=32): self.width = width
LightningCLI(Lit)
"""
    config = "fit:\n  model: {width: 48} # units\n  optimizer:\n    class_path: Adam\n    init_args: {lr: 1e-3}\n"
    space = (
        "script: train.py\nargs: [--config, c.yaml, fit]\nmetric: m\nmode: min\nconstants:\n"
        "  --model.width: {choice: [16, 48]}\n  --optimizer.lr: {loguniform: [1e-5, 1]}\n"
        "  --trainer.max_epochs: {choice: [1, 2]}\n"
    )
    held = {"--model.width": 48, "--optimizer.lr": 1e-3, "--trainer.max_epochs": 1}
    chosen = {"--model.width": 16, "--optimizer.lr": 2.5e-05, "--trainer.max_epochs": 2}
    root = make({"train.py": script, "c.yaml": config}, space, [(2, held), (1, chosen)])

    told = apply("--write")[1]

    assert told.endswith("  python train.py --config c.yaml fit --trainer.max_epochs=2\n")
    assert (root / "c.yaml").read_text() == config.replace("48", "16").replace("1e-3", "2.5e-05")


OWN = {
    "train.py": 'import json, yaml\ncfg = yaml.safe_load(open("c.yaml"))\nmore = json.load(open("d.json"))\n',
    "c.yaml": "optim:\n    lr: 0.001   # of Adam\nname: adam\n",
    "d.json": '{"width": 8, "name": "a"}\n',
}
OWN_SPACE = """\
script: train.py
metric: m
mode: min
constants:
  optim.lr=: {loguniform: [1e-4, 1e-1]}
  width=: {choice: [4, 8, 16]}
"""
OWN_HELD, OWN_CHOSEN = {"optim.lr=": 1e-3, "width=": 8}, {"optim.lr=": 0.02, "width=": 16}


def test_apply_when_the_program_reads_config_files_itself_then_writes_them(make, apply):
    root = make(OWN, OWN_SPACE, [(2, OWN_HELD), (1, OWN_CHOSEN)])

    told = apply("--write")[1]

    assert told.endswith("\nwritten: c.yaml, d.json\n")
    assert (root / "c.yaml").read_text() == OWN["c.yaml"].replace("0.001", "0.02")
    assert (root / "d.json").read_text() == OWN["d.json"].replace("8", "16")
    assert apply("--write")[1].endswith("\nnothing to do: c.yaml, d.json hold optim.lr=0.02, width=16\n")
    assert apply("--trial", "0", "--write")[0] == 0
    assert {name: (root / name).read_text() for name in OWN} == OWN


def test_apply_when_a_config_file_or_its_key_is_gone_then_it_is_named(make, apply):
    root = make(OWN, OWN_SPACE, [(2, OWN_HELD), (1, OWN_CHOSEN)])
    (root / "c.yaml").write_text("name: adam\n")

    status, told = apply("--write")

    assert status == 0
    assert "optim.lr= is not touched: no config file that the program names holds it any more\n" in told
    assert told.endswith("\nwritten: d.json\n")


ODD = """\
import torch
BATCH = 32 if torch.cuda.is_available() else 8  # by the machine
class Net:
    def __init__(self, width=5): self.width = width
net = Net(width=10)
"""
ODD_SPACE = """\
script: odd.py
metric: m
mode: min
constants:
  BATCH: {choice: [2, 4]}
  Net.width: {choice: [5, 9]}
"""


def test_apply_when_the_baseline_is_written_then_each_place_holds_its_own_expression_again(make, apply):
    root = make({"odd.py": ODD}, ODD_SPACE, [(2, {"Net.width": 10}), (1, {"BATCH": 4, "Net.width": 9})])

    assert apply("--write")[1].endswith("\nwritten: odd.py\n")
    assert "BATCH = 4  # by" in (root / "odd.py").read_text()
    assert (root / "odd.py").read_text().count("width=9") == 2
    assert apply("--trial", "0", "--write")[1].endswith("\nwritten: odd.py\n")
    assert (root / "odd.py").read_text() == ODD
    assert apply("--trial", "0", "--write")[1].endswith("nothing to do in the source\n")


def test_apply_when_there_is_no_such_trial_then_lists_those_that_are(project, apply, tmp_path):
    told = f"{tmp_path}/storage/exp: no trial 9\n  The trials are 0 to 3.\n"

    assert apply("--trial", "9") == (2, told)


def test_apply_when_the_program_is_gone_or_broken_then_says_so(project, apply):
    (project / "net.py").write_text("LR = = 1\n")
    assert apply() == (2, "net.py:1: this is not Python: invalid syntax\n  Mend the file; nothing was run.\n")
    (project / "net.py").unlink()
    assert apply() == (
        2,
        f"the program is gone: {project}/net.py\n  Put it back where it was searched.\n",
    )


def test_apply_when_the_project_was_moved_then_writes_in_its_new_folder(project, apply, tmp_path, monkeypatch):
    moved = project.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    hint = "Put it back where it was searched, or run this in its new folder."
    assert apply() == (2, f"the program is gone: {project}/net.py\n  {hint}\n")
    monkeypatch.chdir(moved)
    assert apply("--write")[1].endswith("\nwritten: net.py, config.py\n")


def test_apply_when_a_literal_has_two_names_then_says_what_to_do(make, apply):
    space = "system: p.py\nmetric: m\nmode: min\nconstants:\n  A: {randint: [1, 9]}\n"
    root = make({"p.py": "A = B = 7\nprint(A, B)\n"}, space, [(2, {"A": 7}), (1, {"A": 3})])

    assert apply("--write") == (
        2,
        """\
p.py:1: A shares its literal with B, which would change with it
  Assign A on a line of its own, then apply again.
""",
    )
    assert (root / "p.py").read_text() == "A = B = 7\nprint(A, B)\n"


def test_apply_when_no_trial_ended_then_says_so(make, apply, tmp_path):
    make({"net.py": NET, "config.py": CONFIG}, SPACE, [(None, BASELINE)])

    assert apply() == (
        2,
        (
            f"{tmp_path}/storage/exp: no trial has a score yet\n"
            f"  Continue the search: python run_search.py resume {tmp_path}/storage/exp\n"
        ),
    )


def test_apply_when_digits_are_asked_for_then_rounds_what_was_drawn_and_nothing_else(make, apply):
    space = (
        "system: net.py\nmetric: m\nmode: max\nconstants:\n  LR: {loguniform: [1e-4, 0.0360009]}\n"
        "  WIDTH: {choice: [8.0, 0.123456]}\n  DROPOUT: {uniform: [0, 0.7]}\n"
    )
    best = {"LR": 0.0360004129, "WIDTH": 0.123456, "DROPOUT": 0.6082475588}
    files = {"net.py": "LR = 1e-3\nWIDTH = 8.0\nDROPOUT = 0.2\n"}
    root = make(files, space, [(1, {"LR": 1e-3, "WIDTH": 8.0, "DROPOUT": 0.2}), (2, best)])
    status, _out = apply("--digits", "3", "--write")

    assert status == 0
    assert (root / "net.py").read_text() == "LR = 3.6e-2\nWIDTH = 0.123456\nDROPOUT = 0.608\n"
    assert apply("--digits", "3")[1].endswith("nothing to do: net.py holds LR=0.036, WIDTH=0.123456, DROPOUT=0.608\n")


def test_apply_when_a_rounded_value_would_leave_the_range_then_it_is_not_rounded(make, apply):
    space = "system: net.py\nmetric: m\nmode: max\nconstants:\n  LR: {loguniform: [0.001, 0.0123451]}\n"
    root = make({"net.py": "LR = 0.005\n"}, space, [(1, {"LR": 0.005}), (2, {"LR": 0.012345})])
    apply("--digits", "2", "--write")
    assert (root / "net.py").read_text() == "LR = 0.012\n"

    apply("--digits", "4", "--write")
    assert (root / "net.py").read_text() == "LR = 0.012345\n"  # 0.01235 is outside


@pytest.mark.parametrize("digits", ["0", "-1"])
def test_apply_when_digits_are_fewer_than_one_then_refuses(digits, project, capfd):
    assert main(["apply", "exp", "--digits", digits]) == 2
    assert capfd.readouterr().err == f"--digits: must be 1 or more, got {digits}\n  Write `--digits 3`.\n"

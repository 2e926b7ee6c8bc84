"""The completion scripts, in the shells themselves."""

import shlex
import shutil
import subprocess

import pytest

from tests.projects import write_program
from tune.cli import main
from tune.cli.command_parsers import build_parser
from tune.cli.commands import completion
from tune.cli.parser import COMMANDS
from tune.search.steering import change_settings

pytest.importorskip("shtab")

PROGRAM = """\
import argparse
import pytorch_lightning as pl
LR: float = 1e-3
BATCH_SIZE = 64
NET = build()
make = argparse.ArgumentParser()
make.add_argument("--depth", type=int, default=2)
"""

BASH = """
source {script}
COMP_WORDS=({words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
COMPREPLY=()
_promotune 2>/dev/null
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


SPACE = """\
system: /net.py
metric: m
mode: min
constants:
  LR:
    loguniform: [0.001, 0.1]
  "--depth":
    choice: [2, 4]
  "optimizer.lr=":
    uniform: [0.0, 1.0]
trials: 4
"""


def write_searched(folder, n_ended=2):
    """Write the files of a search from which words are completed."""
    (folder / "space.yaml").write_text(SPACE)
    stages = dict.fromkeys(range(n_ended), "complete") | {n_ended: "running", n_ended + 1: "preflight"}
    for number, stage in stages.items():
        version = folder / f"{number:03d},LR={number}"
        version.mkdir()
        (version / "trial.json").write_text(f'{{\n  "number": {number},\n  "stage": "{stage}",\n  "pid": 1\n}}\n')


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMOTUNE_STORAGE", str(tmp_path / "st"))
    for name in ("lr_bs", "net"):
        (tmp_path / "st" / name).mkdir(parents=True)
        (tmp_path / "st" / name / "space.yaml").touch()
    write_searched(tmp_path / "st" / "lr_bs")
    (tmp_path / "st" / "strange").mkdir()
    folder = tmp_path / "here"
    write_program(folder, "train", PROGRAM)
    (folder / "search_spaces").mkdir()
    (folder / "search_spaces" / "lr.yaml").touch()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def script(tmp_path, capfd):
    """Return what writes the script of a shell, and its path."""

    def write(shell):
        assert main(["completion", shell]) == 0
        path = tmp_path / f"script.{shell}"
        path.write_text(capfd.readouterr().out)
        return path

    return write


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]


def in_bash(script, line):
    *words, last = line.split(" ")
    quoted = " ".join([*map(shlex.quote, words), shlex.quote(last)])
    return {word for word in run("bash", "-c", BASH.format(script=script("bash"), words=quoted)) if word}


def in_fish(script, line):
    return {
        each.partition("\t")[0]
        for each in run("fish", "-c", f"source {script('fish')}; complete -C {shlex.quote(line)}")
    }


SHELLS = [
    in_bash,
    pytest.param(in_fish, marks=pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")),
]

WORDS = {
    "promotune re": {"resume", "results", "report", "retrain"},
    "promotune tr": {"train.py"},
    "promotune results ": {"lr_bs", "net"},
    "promotune retrain n": {"net"},
    "promotune apply lr_bs --tr": {"--trial"},
    "promotune --space ": {"lr.yaml"},
    "promotune train.py B": {"BATCH_SIZE"},
    "promotune train.py LR ": {"LR", "BATCH_SIZE", "--depth"},
    "promotune train.py --yes B": {"BATCH_SIZE"},
    "promotune train.py LR --tria": {"--trials"},
    "promotune train.py LR --sampler ": {"tpe", "gp", "cmaes", "qmc", "random", "grid"},
    "promotune promote train.py ": {"LR", "BATCH_SIZE", "--depth"},
    "promotune train.py LR --trainer.max_e": {"--trainer.max_epochs"},
    "promotune completion z": {"zsh"},
    "promotune propose ": {"lr_bs", "net"},
    "promotune propose lr_bs ": {"LR=", "--depth=", "optimizer.lr="},
    "promotune propose lr_bs L": {"LR="},
    "promotune propose lr_bs LR=1 o": {"optimizer.lr="},
    "promotune propose lr_bs --why w L": {"LR="},
    "promotune propose lr_bs --others ": {"hardcoded", "best", "sampler"},
    "promotune stop lr_bs ": {"002", "003"},
    "promotune stop lr_bs 002 ": {"002", "003"},
    "promotune set lr_bs ": {"trials=", "concurrency=", "time_budget="},
    "promotune retrain lr_bs --trial 00": {"000", "001", "002", "003"},
    "promotune delete lr_bs ": {"000", "001", "002", "003"},
}


@pytest.mark.parametrize("complete", SHELLS)
@pytest.mark.parametrize("line", WORDS)
def test_a_line_is_completed_with_what_may_stand_there(line, complete, folder, script):
    assert complete(script, line) == WORDS[line]


def test_every_command_and_option_is_completed(folder, script):
    assert in_bash(script, "promotune ") >= set(COMMANDS)
    for name in COMMANDS:
        wanted = {option for option in build_parser(name).option_spellings if option != "--trainer.ARGUMENT"}
        assert in_bash(script, f"promotune {name} -") >= wanted


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh here")
def test_the_script_for_zsh_is_understood_and_lists_experiments_and_constants(folder, script):
    lines = [
        "autoload -Uz compinit; compinit -u -D",
        f"source {script('zsh')}",
        "compadd() { shift $argv[(i)--]; print -l -- $argv }",
        "_promotune_experiments_of",
        "words=(promotune train.py); _promotune_constants_of",
        "_promotune_spaces_of",
        "words=(promotune propose lr_bs L); _promotune_searched_of; _promotune_running_of",
    ]
    shown = subprocess.run(["zsh", "-f", "-c", "\n".join(lines)], capture_output=True, text=True, check=False).stdout
    of_search = ["LR=", "--depth=", "optimizer.lr=", "002", "003"]
    assert shown.split() == ["lr_bs", "net", "LR", "BATCH_SIZE", "--depth", "lr.yaml", *of_search]


def test_completing_starts_no_python(folder, script, tmp_path, monkeypatch):
    told = tmp_path / "told"
    for name in ("python", "python3", "promotune"):
        fake = tmp_path / "bin" / name
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(f"#!/bin/sh\ntouch {told}\n")
        fake.chmod(0o755)
    path = script("bash")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert in_bash(lambda shell: path, "promotune train.py B") == {"BATCH_SIZE"}
    assert not told.exists()


def test_trials_of_a_long_search_are_completed_at_once(folder, script, tmp_path):
    long = tmp_path / "st" / "long"
    long.mkdir()
    write_searched(long, n_ended=2000)
    path = script("bash")
    lines = [f"source {path}", "COMP_WORDS=(promotune stop long 2); COMP_CWORD=3; COMPREPLY=()", "began=$EPOCHREALTIME"]
    lines += ["_promotune 2>/dev/null", "echo $(( ${EPOCHREALTIME/./} - ${began/./} ))", "echo ${COMPREPLY[@]}"]
    took, found = run("bash", "-c", "\n".join(lines))

    assert found == "2000 2001"
    assert int(took) < 150_000 * 2  # microseconds; on a machine that does nothing else a fifth of that


def test_what_can_be_set_is_what_is_completed():
    assert [f"{name}=" for name in change_settings.STEERABLE] == completion.STEERABLE.split()

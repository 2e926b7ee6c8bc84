"""The completion scripts, in the shells themselves."""

import shlex
import shutil
import subprocess

import pytest

from tests.projects import write_program
from tune.cli import main
from tune.cli.parser import COMMANDS, import_command

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


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMOTUNE_STORAGE", str(tmp_path / "st"))
    for name in ("lr_bs", "net"):
        (tmp_path / "st" / name).mkdir(parents=True)
        (tmp_path / "st" / name / "space.yaml").touch()
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
}


@pytest.mark.parametrize("complete", SHELLS)
@pytest.mark.parametrize("line", WORDS)
def test_a_line_is_completed_with_what_may_stand_there(line, complete, folder, script):
    assert complete(script, line) == WORDS[line]


def test_every_command_and_option_is_completed(folder, script):
    assert in_bash(script, "promotune ") >= set(COMMANDS)
    for name in COMMANDS:
        wanted = {option for option in import_command(name).parser().option_spellings if option != "--trainer.ARGUMENT"}
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
    ]
    shown = subprocess.run(["zsh", "-f", "-c", "\n".join(lines)], capture_output=True, text=True, check=False).stdout
    assert shown.split() == ["lr_bs", "net", "LR", "BATCH_SIZE", "--depth", "lr.yaml"]


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

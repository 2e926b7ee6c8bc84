"""``promotune`` alone says what is in the folder, and what to type next."""

import sys
import time
from pathlib import Path

import pytest

from tests.projects import write_program
from tests.terminal import Terminal, python
from tune.cli import main
from tune.cli.parser import split_command
from tune.promotion import find_programs as programs
from tune.promotion.find_programs import find_programs

ROOT = Path(__file__).parents[2]

PROGRAM = """\
import pytorch_lightning as pl
LR = 1e-3
BATCH_SIZE = 64
HIDDEN = 32
class Net(pl.LightningModule):
    def configure_optimizers(self):
        return Adam(self.parameters(), lr=LR, betas=(HIDDEN, BATCH_SIZE))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PROMOTUNE_STORAGE", str(tmp_path / "storage"))
    monkeypatch.setattr(sys, "argv", ["promotune"])
    return folder


def test_no_word_at_all_asks_for_the_overview():
    assert split_command([]) == ("overview", [])


def test_an_empty_folder_is_told_with_the_help(folder, capfd):
    assert main([]) == 0
    assert capfd.readouterr().out == (
        "no program with a LightningModule or a Trainer is in this folder\n\nnext: promotune --help\n"
    )


def test_programs_space_files_and_experiments_are_told_with_the_next_commands(folder, tmp_path, capfd):
    write_program(folder, "net", PROGRAM)
    (folder / "helper.py").write_text("LR = 1\n")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "net.py").write_text(PROGRAM)
    (folder / "env").mkdir()
    (folder / "env" / "pyvenv.cfg").touch()
    (folder / "env" / "net.py").write_text(PROGRAM)
    (folder / "search_spaces").mkdir()
    (folder / "search_spaces" / "lr.yaml").touch()
    (tmp_path / "storage" / "old").mkdir(parents=True)
    (tmp_path / "storage" / "old" / "space.yaml").touch()
    (tmp_path / "storage" / "strange").mkdir()

    assert main([]) == 0
    assert capfd.readouterr().out.splitlines() == [
        "programs, and the constants that a search may gain most from",
        "  net.py  LR 0.001, BATCH_SIZE 64, HIDDEN 32",
        "",
        "space files: lr.yaml",
        "",
        f"experiments in {tmp_path / 'storage'}, the last first: old",
        "",
        "next: promotune net.py LR BATCH_SIZE",
        "      promotune net.py",
        "      promotune results old",
        "      promotune --help",
    ]


def test_a_program_that_is_no_python_is_told_and_the_others_are_read(folder, capfd):
    write_program(folder, "net", PROGRAM)
    write_program(folder, "broken", f"{PROGRAM}def\n")

    assert main([]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[1].split()[:2] == ["net.py", "LR"]
    assert lines[2].startswith("  broken.py  this is not Python")


def test_a_program_with_a_trainer_comes_first_and_then_the_nearest(folder):
    (folder / "deep").mkdir()
    write_program(folder, "a_model", PROGRAM)
    (folder / "deep" / "z_train.py").write_text("import lightning as L\nL.Trainer().fit()\n")
    (folder / "deep" / "model.py").write_text(PROGRAM)
    (folder / "deep" / "cli.py").write_text(
        "from lightning.pytorch.cli import LightningCLI\nclass CLI(LightningCLI): ...\n"
    )

    names = [path.name for path in find_programs(folder, 60).programs]
    assert names == ["cli.py", "z_train.py", "a_model.py", "model.py"]


def test_a_folder_of_many_files_is_not_looked_through_to_its_end(folder, monkeypatch, capfd):
    monkeypatch.setattr(programs, "MOST_FILES", 3)
    for number in range(5):
        write_program(folder, f"p{number}", PROGRAM)

    found = find_programs(folder, 60)
    assert (found.n_files, found.is_whole, len(found.programs)) == (3, False, 3)
    assert main([]) == 0
    assert "stopped looking after 3 Python files; name another program by its path" in capfd.readouterr().out


def test_the_look_ends_when_its_time_is_over(folder):
    write_program(folder, "net", PROGRAM)
    found = find_programs(folder, -time.monotonic())
    assert (found.programs, found.is_whole) == ((), False)


def test_a_program_alone_lists_its_constants(folder, capfd):
    write_program(folder, "net", PROGRAM)

    assert main(["net.py"]) == 0
    told = capfd.readouterr().out
    assert main(["constants", "net.py"]) == 0
    assert capfd.readouterr().out == told
    assert told.splitlines()[1].split()[:2] == ["LR", "0.001"]


def test_on_a_terminal_the_constants_are_followed_by_a_first_search_of_two_kinds(folder):
    write_program(folder, "net", f"{PROGRAM}HEAD_LR = 1e-2\nmake = torch.optim.SGD(parameters, lr=HEAD_LR)\n")
    terminal = Terminal(python(ROOT / "run_search.py", "net.py"), cwd=folder)
    try:
        shown = terminal.wait_for("^next: ")
    finally:
        terminal.close()
    assert shown.endswith("\n\nnext: python run_search.py net.py LR BATCH_SIZE")

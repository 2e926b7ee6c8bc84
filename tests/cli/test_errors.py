"""Whatever a user gets wrong is told at once, whole, and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from tune.cli.parser import COMMANDS
from tune.errors import suggest_name

ROOT = Path(__file__).parents[2]

HEAVY = {"torch", "ray", "pytorch_lightning", "lightning", "optuna", "tensorboard"}

ARGUMENTS = {
    "no space": (
        [],
        "the following arguments are required: --space\n  `python run_search.py --help` lists all options.\n",
    ),
    "an unknown option": (
        ["--space", "s.yaml", "--trails", "3"],
        "no such option: '--trails'\n  Did you mean '--trials'?\n",
    ),
    "half an option": (
        ["--space", "s.yaml", "--concur", "3"],
        "no such option: '--concur'\n  Did you mean '--concurrency'?\n",
    ),
    "a word too many": (
        ["--space", "s.yaml", "more"],
        "one word too many, got 'more'\n  `python run_search.py --help` shows what goes where.\n",
    ),
    "an option without its value": (
        ["--trials", "3", "--space"],
        "argument --space: expected one argument\n  `python run_search.py --help` lists all options.\n",
    ),
    "an unknown command": (["retrian", "lr_bs"], "no such command: 'retrian'\n  Did you mean 'retrain'?\n"),
    "a space file as the command": (
        ["s.yaml"],
        "no such command: 's.yaml'\n  To search a space: python run_search.py --space s.yaml\n",
    ),
    "an unknown Trainer argument": (
        ["--space", "s.yaml", "--trainer.max_epoch", "3"],
        "--trainer.max_epoch: trainer: no such argument, got 'max_epoch'\n  Did you mean 'max_epochs'?\n",
    ),
    "a Trainer argument of the wrong type": (
        ["--space", "s.yaml", "--trainer.max_epochs", "ten"],
        "--trainer.max_epochs: trainer: max_epochs takes int, got 'ten'\n  Write a value of type int.\n",
    ),
    "a Trainer argument without its value": (
        ["--space", "s.yaml", "--trainer.max_epochs"],
        "--trainer.max_epochs needs a value\n  Write --trainer.max_epochs VALUE.\n",
    ),
    "a Trainer argument of ours": (
        ["--space", "s.yaml", "--trainer.logger", "false"],
        """\
--trainer.logger: trainer: 'logger' is set by the search
  Take it out: every trial logs into its own version.
""",
    ),
    "trials that are no number": (
        ["--space", "s.yaml", "--trials", "many"],
        "--trials: must be a whole number, 1 or more, got 'many'\n  Write `--trials 20`.\n",
    ),
    "an unknown sampler": (
        ["--space", "s.yaml", "--sampler", "tpee"],
        "--sampler: no such sampler, got 'tpee'\n  Did you mean 'tpe'?\n",
    ),
    "a time that is none": (
        ["--space", "s.yaml", "--time-budget", "soon"],
        "--time-budget: must be a time above 0, got 'soon'\n  Write `30m`, `1h30m` or seconds.\n",
    ),
    "a name that leaves the storage": (
        ["--space", "s.yaml", "--name", "../x"],
        "--name: a name is letters, digits, '.', '_', '-', '=' and ',', got '../x'\n  Give it another name.\n",
    ),
    "no such GPU": (
        ["--space", "s.yaml", "-g", "99"],
        "--gpu: no such GPU, got 99\n  This machine has no GPU.\n",
    ),
    "no such experiment": (
        ["retrain", "lr_bs"],
        "{storage}: no experiment 'lr_bs'\n  Experiments: none.\n",
    ),
    "a grid over a continuous range": (
        ["--space", "s.yaml", "--sampler", "grid"],
        """\
s.yaml: sampler: a grid has no points on a continuous range, got LR: loguniform 0.0001 to 0.1
  Write LR as a choice, an int range or `quniform: [low, high, q]`, or take another sampler.
""",
    ),
}


def refused(ran, storage, message):
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == message
    assert not storage.exists()
    assert ran.modules & HEAVY == set()


@pytest.mark.parametrize(
    ("arguments", "message"),
    ARGUMENTS.values(),
    ids=ARGUMENTS,
)
def test_a_wrong_command_line_is_refused(command, storage, monkeypatch, arguments, message):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    refused(command(*arguments), storage, message.format(storage=storage))


FILES = {
    "an unknown constant": (
        "BATCH_SIZE:",
        "BATCHSIZE:",
        """\
s.yaml:6: 'BATCHSIZE' is not a constant of scripted.py
  Did you mean 'BATCH_SIZE' (8, line 11)?  `python run_search.py constants scripted.py` lists them all.
""",
    ),
    "an unknown key": (
        "trials:",
        "trails:",
        "s.yaml:7: 'trails' is not a key of a space file\n  Did you mean 'trials'?\n",
    ),
    "low above high": (
        "[1e-4, 1e-1]",
        "[1e-1, 1e-4]",
        "s.yaml:5: LR: low must be below high, got low=0.1 high=0.0001\n  Swap them.\n",
    ),
    "a range of the wrong type": (
        "{choice: [8, 16]}",
        "{uniform: [8, 16]}",
        """\
s.yaml:6: BATCH_SIZE: an int constant gets no float range, got uniform 8 to 16 for BATCH_SIZE = 8 (scripted.py:11)
  Write `randint: [8, 16]`, or write 8.0 in the program if it is a float.
""",
    ),
    "a missing key": (
        "mode: max\n",
        "",
        "s.yaml: 'mode' is missing\n  Write a line such as `mode: max`.\n",
    ),
}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    FILES.values(),
    ids=FILES,
)
def test_a_wrong_space_file_is_refused(command, project, storage, old, new, message):
    file = project / "s.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))

    refused(command("--space", "s.yaml"), storage, message)


def test_a_program_that_is_not_python_is_refused(command, project, storage):
    (project / "scripted.py").write_text("x = 1\ny = = 2\n")

    ran = command("--space", "s.yaml")
    refused(ran, storage, "scripted.py:2: this is not Python: invalid syntax\n  Mend the file; nothing was run.\n")


def test_a_program_without_epochs_needs_them(command, project, storage):
    file = project / "scripted.py"
    file.write_text(file.read_text().replace("MAX_EPOCHS = 4", ""))

    refused(
        command("--space", "s.yaml"),
        storage,
        "s.yaml: nothing says how many epochs a trial has, and scripted.py has no MAX_EPOCHS\n"
        "  Write `trainer: {max_epochs: 10}`, or give --trainer.max_epochs 10.\n",
    )


def test_an_experiment_that_exists_is_not_touched(command, storage):
    (storage / "mine").mkdir(parents=True)
    (storage / "mine" / "notes.txt").write_text("of the user")
    ran = command("--space", "s.yaml", "--name", "mine")

    assert ran.status == 2
    assert ran.err == f"{storage / 'mine'}: there is an experiment of this name\n  Give another --name, or none.\n"
    assert [path.name for path in (storage / "mine").iterdir()] == ["notes.txt"]


LONG = "n" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        *([name, LONG] for name in ("results", "report", "resume", "retrain", "apply")),
        ["compare", LONG, LONG],
        ["constants", f"{LONG}.py"],
        ["--space", "s.yaml", "--from", LONG],
        ["list", "--storage", f"/{LONG}"],
    ],
    ids=lambda words: " ".join(words).replace(LONG, "..."),
)
def test_a_name_that_no_file_can_have_is_told(command, arguments):
    ran = command(*arguments, with_storage="--storage" not in arguments and "constants" not in arguments)

    told, hint = ran.err.splitlines()
    assert ran.status == 2
    assert LONG in told
    assert told.endswith(": File name too long")
    assert hint == "  Write a shorter name."


@pytest.mark.parametrize("arguments", [["lit/digits.py"], ["--space", "lr_bs"], ["results", "lr_bs"]], ids=" ".join)
def test_an_interpreter_without_our_packages_is_told(arguments):
    without_packages = [sys.executable, "-S", ROOT / "run_search.py"]
    ran = subprocess.run([*without_packages, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)

    told, hint = ran.stderr.splitlines()
    assert ran.returncode == 2
    assert told.endswith(f": not installed for {sys.executable}, which runs this command")
    assert hint.endswith("or install it here: pip install -e .")


def test_a_link_that_leads_to_itself_is_told(command, storage):
    storage.mkdir(parents=True)
    (storage / "loop").symlink_to("loop")
    ran = command("results", "loop")

    assert ran.status == 2
    assert "Traceback" not in ran.err


def test_what_is_refused_is_repeated_in_part_where_it_goes_on_for_ever(command):
    word = f"--{'x' * 100_000}"
    ran = command("--space", "s.yaml", word)

    first, hint = ran.err.splitlines()
    assert ran.status == 2
    assert first == f"no such option: '{word}'"[:2000] + "... (100,020 characters)"
    assert hint.startswith("  Options: --address, ")


DEPENDENCIES = HEAVY | {"rich", "ruamel", "numpy", "filelock"}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join
)
def test_help_imports_no_dependency_and_makes_nothing(command, storage, arguments):
    ran = command(*arguments, with_storage=False)

    assert (ran.status, ran.err) == (0, "")
    assert ran.modules & DEPENDENCIES == set()
    assert not storage.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--space", "s.yaml", "--trails", "3"],
        ["results", "x", "--jsn"],
        ["retrain", "x", "--seedz"],
        ["apply", "x", "y"],
    ],
    ids=" ".join,
)
def test_a_refused_word_imports_no_dependency(command, arguments):
    ran = command(*arguments)

    assert ran.status == 2
    assert ran.modules & DEPENDENCIES == set()


def test_a_hint_of_many_names_shows_the_first_of_them_and_how_many_more_there_are():
    names = [f"{number:03d},LR=0.001,BATCH_SIZE=16,DROPOUT=0.2" for number in range(100)]
    hint = suggest_name("x", names, what="versions")

    shown, more = hint.removeprefix("Versions: ").rsplit(", and ", 1)
    assert shown.startswith(f"{names[0]}, {names[1]}, ")
    assert len(hint) < 560
    assert more == f"{100 - shown.count('LR=')} more."
    assert suggest_name("x", ["a", "b"]) == "Known: a, b."

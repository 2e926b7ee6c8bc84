"""The commands and their options, as people may rely on them: a new one is a decision."""

import ast
import gc
import subprocess
import sys
from pathlib import Path

import pytest

from tune import cli
from tune.cli import main
from tune.cli.command_parsers import build_parser
from tune.cli.parser import COMMANDS

ROOT = Path(__file__).parents[2]

HELP = {"-h", "--help"}
OPTIONS = {
    "search": HELP
    | {
        "--version",
        "--space",
        "--own-folder",
        "--name",
        "--from",
        "--repeats",
        "--no-report",
        "--profile",
        "--fast-dev-run",
        "-q",
        "--quiet",
        "-g",
        "--gpu",
        "--address",
        "--storage",
        "--trainer.ARGUMENT",
    }
    | {"--trials", "--time-budget", "--seed", "--sampler", "--scheduler", "--concurrency"}
    | {"--cpus-per-trial", "--gpus-per-trial", "--max-failures", "--give-up-after", "--hang-after"}
    | {
        "--keep-checkpoints",
        "--checkpoints",
        "--workers-per-trial",
        "--fits",
        "--holdout",
        "--confirm",
        "--seeds-per-trial",
    },
    "constants": HELP | {"--all", "--refused", "--args", "--json"},
    "promote": HELP
    | {"-o", "--output", "--force", "--script", "--system", "--args", "--metric", "--mode"}
    | {"--trainer.ARGUMENT"},
    "resume": HELP
    | {"--space", "-q", "--quiet", "-g", "--gpu", "--address", "--storage", "--no-report", "--profile"}
    | {
        "--trust-checkpoints",
        "--trials",
        "--time-budget",
        "--concurrency",
        "--keep-checkpoints",
        "--checkpoints",
        "--confirm",
    }
    | {"--cpus-per-trial", "--gpus-per-trial", "--max-failures", "--give-up-after", "--hang-after"},
    "results": HELP | {"--sort", "--json", "--csv", "--storage"},
    "status": HELP | {"--json", "--follow", "--storage"},
    "propose": HELP | {"--why", "--outside", "--others", "--json", "--storage"},
    "stop": HELP | {"--finish", "--why", "--json", "--storage"},
    "pause": HELP | {"--json", "--storage"},
    "set": HELP | {"--json", "--storage"},
    "report": HELP | {"-o", "--output", "--storage"},
    "export": HELP | {"--to", "-o", "--output", "--project", "--storage"},
    "dashboards": HELP | {"--storage"},
    "retrain": HELP
    | {"-q", "--quiet", "-g", "--gpu", "--address", "--storage", "--trainer.ARGUMENT"}
    | {"--trial", "--top", "--seeds", "--seed", "--current-source"},
    "apply": HELP | {"--trial", "--write", "--digits", "--storage"},
    "list": HELP | {"--json", "--storage"},
    "compare": HELP | {"-o", "--output", "--storage"},
    "delete": HELP | {"--yes", "--storage"},
    "agents": HELP,
    "mcp": HELP | {"--storage"},
    "completion": HELP,
}


def test_the_commands_are_these_and_no_others():
    assert ["search", *COMMANDS] == list(OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_command_takes_these_options_and_no_others(name):
    assert set(build_parser(name).option_spellings) == OPTIONS[name]


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_when_asked_for_then_says_what_the_command_is_for(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)

    told = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    if len(words) > 1:
        assert COMMANDS[words[0]][1:] in told
    else:
        assert all(what in told for what in COMMANDS.values())


WRONG = [
    (
        "constants",
        "the following arguments are required: program\n  `promotune constants --help` lists all options.",
    ),
    ("constants p.py q.py", "one word too many, got 'q.py'\n  `promotune constants --help` shows what goes where."),
    ("constants p.py --jason", "no such option: '--jason'\n  Did you mean '--json'?"),
    ("--trainer.max_epochs", "--trainer.max_epochs needs a value\n  Write --trainer.max_epochs VALUE."),
    ("lr_bs.yaml", "no such command: 'lr_bs.yaml'\n  To search a space: promotune --space lr_bs.yaml"),
    ("help", "no such command: 'help'\n  For all commands: promotune --help"),
    ("help results", "no such command: 'help'\n  For help: promotune results --help"),
    ("search", "no such command: 'search'\n  A search needs no command: promotune PROGRAM NAME..., or --space FILE"),
    (
        "seerch x.py LR",
        "no such command: 'seerch'\n  A search needs no command: promotune x.py NAME..., or --space FILE",
    ),
    ("version", "no such command: 'version'\n  For the version: promotune --version"),
    ("--json results s1", "the command comes first, got --json before results\n  Write `promotune results --json s1`."),
    ("delete s1 --force", "no such option: '--force'\n  Did you mean '--yes'?"),
    ("results s1 --force", "no such option: '--force'\n  Did you mean '--storage'?"),
    ("--space s.yaml --n-trials 3", "no such option: '--n-trials'\n  Did you mean '--trials'?"),
    ("--space s.yaml --num_samples=3", "no such option: '--num_samples'\n  Did you mean '--trials'?"),
    ("lit/digits.py LR --log_dir out", "no such option: '--log_dir'\n  Did you mean '--storage'?"),
    ("--space s.yaml --epochs 3", "no such option: '--epochs'\n  Did you mean '--trainer.max_epochs'?"),
    ("lit/digits.py LR --timeout 3", "no such option: '--timeout'\n  Did you mean '--time-budget'?"),
    ("lit/digits.py LR --max-epochs 3", "no such option: '--max-epochs'\n  Did you mean '--trainer.max_epochs'?"),
    ("-V", "no such option: '-V'\n  For the version: promotune --version"),
    ("-v", "no such option: '-v'\n  For the version: promotune --version"),
    ("retrian lr_bs", "no such command: 'retrian'\n  Did you mean 'retrain'?"),
]


@pytest.mark.parametrize(("line", "message"), WRONG)
def test_words_that_no_command_takes_are_told_with_what_to_do(line, message, capsys):
    assert main(line.split()) == 2
    assert capsys.readouterr().err == f"{message}\n"


LIGHT = [
    "--help",
    "constants lit/digits.py",
    "constants lit/digits.py --json",
    "constants lit/none.py",
    "promote lit/digits.py LR -o {folder}/lr",
    "promote lit/digits.py LRR",
    "lit/digits.py LRR",
    "lit/digits.py LR=1e-1..1e-4",
    "--space {folder}/none.yaml",
    "results none --storage {folder}",
]
"""Command lines that need none of the libraries below."""


def run_in_process(words):
    """Run a command in a process of its own; return its exit status and the modules that it imported."""
    code = (
        "import sys\nfrom tune.cli import main\n"
        f"try: status = main({words!r})\nexcept SystemExit as end: status = end.code or 0\n"
        "print('\\0' + repr((status, set(sys.modules))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return ast.literal_eval(done.stdout.rpartition("\0")[2])


@pytest.mark.parametrize("line", LIGHT)
def test_a_light_command_when_run_then_imports_no_heavy_library(line, tmp_path):
    _, imported = run_in_process(line.format(folder=tmp_path).split())

    assert not imported & {"torch", "ray", "pytorch_lightning", "lightning", "optuna", "numpy", "tensorboard"}


OF_A_SEARCH = ("tune.search.search_plan", "tune.cluster", "tune.results", "tune.trial", "tune.storage.")
MISTAKES = [*LIGHT[-4:-1], "promote lit/digits.py LRR"]


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_when_told_then_nothing_that_only_a_search_needs_was_imported(line, tmp_path):
    status, imported = run_in_process(line.format(folder=tmp_path).split())

    assert status == 2
    assert not [name for name in imported if name.startswith(OF_A_SEARCH)]


def test_a_process_of_ours_looks_for_no_cycles_and_ends_with_the_commands_status(monkeypatch):
    seen = []

    def look():
        seen.append(gc.isenabled())
        return 2

    monkeypatch.setattr(cli, "main", look)
    with pytest.raises(SystemExit) as end:
        cli.program()

    assert (seen, end.value.code) == ([False], 2)
    assert gc.isenabled()


def test_the_list_of_commands_fits_a_terminal_of_80_columns():
    listed = build_parser("search").format_help().partition("commands (")[2].splitlines()[1:]

    assert len(listed) == len(COMMANDS)
    assert [line for line in listed if len(line) >= 80] == []

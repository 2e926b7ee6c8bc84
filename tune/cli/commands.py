"""The words that may stand first on the command line. Each is a module of its name, imported when it is asked for."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from tune.cli.parser import Parser
from tune.errors import OptionError, suggest

COMMANDS = {
    "constants": "list what a program hardcodes, and how to name it",
    "promote": "write a space file for some of them, with ranges suggested",
    "resume": "go on with a search that was interrupted, or add trials to one that is through",
    "results": "show what came of searches, running ones too",
    "report": "write one HTML file that shows all of it, to look at or to send",
    "dashboards": "start TensorBoard and optuna-dashboard on an experiment, until Ctrl-C",
    "retrain": "train an experiment's best configuration again, and say whether its gain is real",
    "apply": "put an experiment's best values back into the source",
    "list": "list the experiments: state, trials, best score, age, size",
    "compare": "compare experiments of the same metric",
    "delete": "delete an experiment, or some of its versions",
}
"""In the order of their use; without one of them, a space is searched."""

SEARCH = "search"


def described(name: str) -> str:
    """Return a command's line as a sentence, for its own help."""
    what = COMMANDS[name]
    return f"{what[0].upper()}{what[1:]}."


class Command(Protocol):
    """What the module of a command holds."""

    def parser(self) -> Parser:
        """Return what it takes on the command line."""

    def run(self, given: argparse.Namespace) -> int:
        """Run it with what its parser read; return the exit status."""


def command_of(name: str) -> Command:
    """Return the command called ``name``, or the search."""
    assert name in (*COMMANDS, SEARCH)
    return cast("Command", import_module(f"tune.cli.{name}"))


def split(argv: Sequence[str]) -> tuple[str, list[str]]:
    """Return the command and the words after it; raise OptionError where there is no such command."""
    if not argv or argv[0].startswith("-"):
        return SEARCH, list(argv)
    if argv[0] not in COMMANDS:
        hint = suggest(argv[0], COMMANDS, what="commands")
        if Path(argv[0]).suffix in (".yaml", ".yml"):
            hint = f"To search a space: run_search.py --space {argv[0]}"
        raise OptionError(None, f"no such command, got {argv[0]!r}", hint)
    return argv[0], list(argv[1:])

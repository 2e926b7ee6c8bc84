"""``promotune agents``: what a coding agent has to know, as an AGENTS.md has it."""

import argparse

from tune.agents.guide import GUIDE
from tune.cli.parser import Parser, describe_command
from tune.cli.terminal.summary import Screen


def parser() -> Parser:
    """Return what it takes on the command line."""
    return Parser("agents", description=describe_command("agents"))


def run(given: argparse.Namespace) -> int:
    """Print it."""
    Screen().print_bytes(GUIDE.encode())
    return 0

"""``promotune agents``: what a coding agent has to know, as an AGENTS.md has it."""

import argparse

from tune.agents.guide import GUIDE
from tune.cli.terminal.screen import Screen


def run(given: argparse.Namespace) -> int:
    """Print it."""
    Screen().print_bytes(GUIDE.encode())
    return 0

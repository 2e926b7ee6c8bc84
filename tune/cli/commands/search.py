"""The search itself: ``promotune --space FILE``."""

import argparse
import time
from dataclasses import replace

from tune.cli.arguments import Arguments
from tune.cli.parser import storage_of
from tune.cli.terminal.screen import Screen
from tune.space.space_file import find_space, read_space


def run(given: argparse.Namespace) -> int:
    """Check everything, then search."""
    began = time.time() if given.profile else None
    arguments = Arguments.from_namespace(given)
    space = read_space(find_space(given.space))
    space = replace(space, settings=arguments.apply_settings(space.settings))
    screen = Screen(quiet=given.quiet)
    from tune.cli.run_plan import run_plan  # what only a search needs: a mistake in the space file is told before
    from tune.search.search_plan import prepare_search

    with arguments.choose_backend(screen.print_line) as machine:
        return run_plan(prepare_search(space, machine, storage_of(given.storage), given.name), given, screen, began)

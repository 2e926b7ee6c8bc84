"""The search itself: ``promotune --space FILE``."""

import argparse
import time
from dataclasses import replace

from tune.cli.arguments import Arguments, SearchParser, add_profile, add_settings
from tune.cli.parser import COMMANDS, Parser, both_given_error, is_program, storage_of
from tune.errors import OptionError
from tune.invocation import this_command
from tune.version import __version__

DESCRIPTION = """\
Search the hyperparameters that a PyTorch Lightning program hardcodes.

A program and names of its constants are a search; so is a space file. A program
alone lists its constants. Without arguments it says what it finds in the folder.
"""


class SpaceParser(SearchParser):
    """Takes a space file, and no program."""

    def _unknown_word_error(self, word: str) -> OptionError:
        return both_given_error(word, self._words) if is_program(word) else super()._unknown_word_error(word)


def parser() -> SearchParser:
    """Return what it takes on the command line; its help names the commands too."""
    called = this_command()
    commands = "\n".join(f"  {name:<10}  {what}" for name, what in COMMANDS.items())
    forms = ("PROGRAM NAME[=RANGE]... [options]", "--space FILE [options]", "PROGRAM", "COMMAND ...", "")
    parser = SpaceParser(
        usage="\n       ".join(f"{called} {form}".rstrip() for form in forms),
        description=DESCRIPTION,
        epilog=f"commands ({called} COMMAND --help):\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"promotune {__version__}",
        help="show the version; with -v those of the libraries, too",
    )
    parser.add_argument("--space", metavar="FILE", required=True, help="a path, or a name in search_spaces/")
    add_settings(parser)
    add_search_options(parser)
    add_profile(parser)
    return parser


def add_search_options(parser: Parser) -> None:
    """Add what a search takes beside its settings."""
    parser.add_argument("--name", help="name of the experiment; default: the file's")
    parser.add_argument(
        "--from", dest="known", metavar="EXPERIMENT", help="start with the trials of this experiment as known"
    )
    parser.add_argument("--no-report", action="store_true", help="write no report.html at the end")
    parser.add_argument(
        "--fast-dev-run", action="store_true", help="train one or two batches of the baseline, and keep nothing"
    )


def run(given: argparse.Namespace) -> int:
    """Check everything, then search."""
    from tune.cli.run_plan import run_plan  # here: help and a refused word need none of it
    from tune.cli.terminal.summary import Screen
    from tune.search.search_plan import prepare_search
    from tune.space.space_file import find_space, read_space

    began = time.time() if given.profile else None
    arguments = Arguments.from_namespace(given)
    space = read_space(find_space(given.space))
    space = replace(space, settings=arguments.apply_settings(space.settings))
    screen = Screen(quiet=given.quiet)
    with arguments.choose_backend(screen.print_line) as machine:
        return run_plan(prepare_search(space, machine, storage_of(given.storage), given.name), given, screen, began)

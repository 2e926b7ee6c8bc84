"""``--profile``: where the time of a search went, once it is through."""

from collections.abc import Sequence

from tune.cli.parser import Parser
from tune.cli.screen import Screen
from tune.paths import ExperimentPaths
from tune.results.profile import read_profile
from tune.results.profile_table import time_columns, time_rows
from tune.trial.outcome import Outcome


def add_profile(parser: Parser) -> None:
    """Add the option."""
    parser.add_argument("--profile", action="store_true", help="say at the end where each worker's time went")


def show_profile(screen: Screen, outcomes: Sequence[Outcome], paths: ExperimentPaths) -> None:
    """Show the table; nothing where no trial came to its end."""
    found = read_profile(outcomes, paths)
    if found is not None:
        screen.table(time_columns(found), time_rows(found))
        screen.line()

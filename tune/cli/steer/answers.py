"""How the driver's answers are shown."""

import argparse
from collections.abc import Sequence

from tune.cli.parser import Parser, add_storage
from tune.cli.terminal.summary import Screen
from tune.errors import ExperimentError
from tune.experiment.requests import RequestAnswer


class SteerParser(Parser):
    """Takes options between the words that name an experiment and what is asked of it."""

    def _parse_known(self, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        return self.parse_known_intermixed_args(words)


def add_target(parser: Parser) -> None:
    """Let a command know which experiment is meant."""
    parser.add_argument("experiment", help="its name, or its folder")


def add_answer_options(parser: Parser) -> None:
    """Let a command print its answer for machines; add where experiments lie."""
    parser.add_argument("--json", action="store_true", help="the answer as one object, for machines")
    add_storage(parser)


def show_answer(answer: RequestAnswer, *, as_json: bool) -> int:
    """Print what the driver says; raise ExperimentError where it refuses."""
    screen = Screen()
    if as_json:
        told = {"taken": answer.taken, "trial": answer.trial, "what": answer.what, "hint": answer.hint}
        screen.print_json(told)
        return 0 if answer.taken else ExperimentError.exit_status
    if not answer.taken:
        raise ExperimentError(None, answer.what, answer.hint)
    screen.print_line(answer.what)
    if answer.hint is not None:
        screen.print_line(f"  {answer.hint}")
    return 0

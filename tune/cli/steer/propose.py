"""``promotune propose EXPERIMENT NAME=VALUE...``: let a configuration run next, beside those of the sampler."""

import argparse
from collections.abc import Iterable, Sequence

from tune.cli.parser import Parser, describe_command, storage_of
from tune.cli.steer.answers import SteerParser, add_answer_options, add_target, show_answer
from tune.errors import OptionError, UserError
from tune.experiment.open import open_experiment
from tune.experiment.proposals import OTHERS, split_assignment
from tune.experiment.requests import RequestAnswer
from tune.experiment.steer import propose_trial
from tune.space.dimensions import Value


class ProposeParser(SteerParser):
    """Takes the option of a program, ``--lr=0.1``, for a constant where it is none of its own."""

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say."""
        own = {*self.option_spellings}
        taken = [word for word in words if word.startswith("--") and "=" in word and word.partition("=")[0] not in own]
        found = super().parse_words([word for word in words if word not in taken])
        found.values = [*found.values, *taken]
        if not found.values:
            raise OptionError(None, "no constant was named", f"Write `{self.prog} {found.experiment} LR=3e-4`.")
        return found


def parser() -> Parser:
    """Return what it takes on the command line."""
    parser = ProposeParser("propose", description=describe_command("propose"))
    add_target(parser)
    parser.add_argument("values", nargs="*", metavar="NAME=VALUE", help="a constant of the search, and its value")
    parser.add_argument("--why", metavar="TEXT", default="", help="the reason, which the tables and the report show")
    parser.add_argument("--outside", action="store_true", help="let values pass that the space does not hold")
    others = "where the other constants come from: hardcoded, best or sampler; default: hardcoded"
    parser.add_argument("--others", metavar="WHERE", default="hardcoded", help=others)
    add_answer_options(parser)
    return parser


def run(given: argparse.Namespace) -> int:
    """Propose it, and show what the search says."""
    if given.others not in OTHERS:
        raise OptionError("--others", f"must be {', '.join(OTHERS)}, got {given.others!r}", "Leave it out.")
    experiment = open_experiment(given.experiment, storage_of(given.storage))
    try:
        answer = propose_trial(
            experiment,
            _read_constants(given.values, experiment.space.dimensions),
            why=given.why,
            outside=given.outside,
            others=given.others,
        )
    except UserError as error:
        if not given.json:
            raise
        answer = RequestAnswer.of_error(error)
    return show_answer(answer, as_json=given.json)


def _read_constants(words: Iterable[str], known: Iterable[str]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for word in words:
        name, value = split_assignment(word, known)
        if name in found:
            raise OptionError(None, f"{name}: named twice", "Keep one of the two.")
        found[name] = value
    return found

"""``promotune propose EXPERIMENT NAME=VALUE...``: let a configuration run next, beside those of the sampler."""

import argparse
from collections.abc import Iterable

from tune.cli.parser import storage_of
from tune.cli.steer.answers import show_answer
from tune.errors import OptionError, UserError
from tune.experiment.open import open_experiment
from tune.experiment.proposals import OTHERS, split_assignment
from tune.experiment.requests import RequestAnswer
from tune.experiment.steer import propose_trial
from tune.space.dimensions import Value


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

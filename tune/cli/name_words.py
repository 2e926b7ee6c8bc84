"""The names of constants and options as words of a command line, each perhaps with a range."""

import argparse
import difflib
import re
import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tune.cli.arguments import SearchParser, split_trainer_words
from tune.cli.parser import is_program
from tune.errors import ConstantError, OptionError, ProgramError, UserError, relative_if_shorter
from tune.invocation import join_words, this_command
from tune.promotion.find.project import project_of
from tune.promotion.find_constants import find_all
from tune.promotion.find_programs import find_programs
from tune.promotion.options.declared_options import SIMILAR, find_options, is_lightning_cli
from tune.promotion.program import Program, find_program
from tune.promotion.program_kind import defines_settings_alone
from tune.space.dimensions import canonical_name
from tune.space.range_words import split_range

NAMES_HELP = "a constant, as `constants` names it, or --option; with a range: LR=1e-4..1e-1, BATCH_SIZE=16,32,64"

LOOK_S = 0.5
"""Seconds in which other programs are looked for."""
MOST_ASKED = 10
"""Programs that are read, to find one that imports another."""

LOOSE_RANGE = re.compile(r"[-+]?\.?\d|[\w.]+(,[\w.]+)+$")
"""A word that is a range, or a choice, and no name."""


class NamesParser(SearchParser):
    """Takes a script's own options as names too: ``promote train.py --lr``."""

    def _parse_known(self, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        return self.parse_known_intermixed_args(words)  # options may stand between the names

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say; the names in their order."""
        words, trainer = split_trainer_words(join_args_option(words), lambda: _has_trainer_options(words))
        known = {text.partition("=")[0] for text in self.option_spellings}
        unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]
        theirs = [word for word in unknown if word.startswith("--")]
        theirs += _find_short_names([word for word in unknown if not word.startswith("--")], words)
        found = super().parse_words([word for word in words if word not in theirs])
        found.names = sorted((*found.names, *theirs), key=list(words).index)
        found.trainer = trainer
        if not found.names:
            raise self._no_names(found)
        return found

    def _no_names(self, given: argparse.Namespace) -> OptionError:
        listing = f"`{this_command()} constants {join_program(given.program, given.args)}` lists them all."
        return OptionError(None, "promote takes the names of constants, got none", listing)


def join_program(program: str, args: str | None) -> str:
    """Return a program, and what it is given on its command line, as words of ours."""
    return join_words([program] if args is None else [program, "--args", args])


def parse_args_option(given: argparse.Namespace) -> tuple[str, ...]:
    """Return the words of ``--args``; raise OptionError where a quote is not closed."""
    try:
        return tuple(shlex.split(given.args or ""))
    except ValueError as error:
        raise OptionError(None, f"--args: {error}, got {given.args!r}", "Close the quote.") from error


def _has_trainer_options(words: Sequence[str]) -> bool:
    """Tell whether the program has options of its own for the Trainer's arguments: a LightningCLI gives it these."""
    program = next(filter(is_program, words), None)
    try:
        project = None if program is None else project_of(find_program(Path(program)))
    except UserError:
        return False  # the command tells it
    surveys = () if project is None else project.surveys.values()
    return any(is_lightning_cli(called, survey, project) for survey in surveys for called in survey.calls if project)


def _find_short_names(unknown: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return those of the words that are options of the program with one dash: ``-lr``, ``-lr=1e-4..1e-1``."""
    program = next(filter(is_program, words), None)
    if program is None or not unknown:
        return []
    try:
        names = {name for option in find_options(find_program(Path(program))) for name in option.names}
    except UserError:
        return []  # the command tells it
    return [word for word in unknown if word.partition("=")[0] in names]


def join_args_option(words: Sequence[str]) -> list[str]:
    """Return the words with ``--args`` and what follows it as one: argparse would take ``--fast`` for an option."""
    found: list[str] = []
    for word in words:
        if found and found[-1] == "--args":
            found[-1] = f"--args={word}"
        else:
            found.append(word)
    return found


def check_trains(program: Program, names: Sequence[str]) -> None:
    """Raise ProgramError at a module of settings; the error names a program that imports it."""
    if not defines_settings_alone(program):
        return
    near = find_programs(program.root, LOOK_S).programs[:MOST_ASKED]
    users = [path for path in near if _imports(path, program.path)]
    what = "it trains nothing: it has no LightningModule, and running it does nothing"
    hint = "Name the program that trains."
    if users:
        command = join_words([relative_if_shorter(users[0]), *names])
        hint = f"Name the program that trains, and imports it: `{this_command()} {command}`."
    raise ProgramError(program.source.name, what, hint)


def _imports(path: Path, module: Path) -> bool:
    """Tell whether the program at ``path`` imports a module of its project."""
    try:
        return any(source.path == module for source in find_program(path).sources.values())
    except UserError:
        return False


def check_ranges(names: Sequence[str], program: Program, args: Sequence[str]) -> None:
    """Raise OptionError at a range that stands apart from its name, and at a name whose range is missing."""
    for before, word in pairwise(names):
        name = before.rstrip("=")
        if split_range(before).start is None and LOOSE_RANGE.match(word):
            what = f"a range stands behind an equals sign, got {word!r} as a word of its own"
            raise OptionError(name, what, f"Write {name}={word}.")
    options = {each for option in find_options(program, args) for each in option.names}
    constants = {canonical_name(each) for constant in find_all(program).constants for each in constant.names}
    for word in names:
        name = word.removesuffix("=")
        if name == word or word in options:
            continue
        if not (name.startswith("-") or canonical_name(name) in constants):
            _check_spelling(name, program, [*constants, *(each.rstrip("=") for each in options)])
            continue
        hint = f"Write {name}=LOW..HIGH, or {name} alone for a suggested range."
        marks = f"{word}\n  {' ' * len(word)}^\n  {hint}"
        raise OptionError(name, "a range is missing behind the equals sign", marks)


def _check_spelling(name: str, program: Program, known: Sequence[str]) -> None:
    """Raise ConstantError at a ``name=`` that is nearly a known one; others may be taken, which no source names."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=SIMILAR)
    if near:
        listing = f"`{this_command()} constants {program.source.name}` lists them all."
        what = f"{name!r} is not a constant of {program.source.name}"
        raise ConstantError(None, what, f"Did you mean {near[0]!r}?  {listing}")

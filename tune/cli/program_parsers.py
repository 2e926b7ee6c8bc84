"""Parsers of the commands whose words name a program: its constants, its own options, what it is given."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tune.cli.arguments import SearchParser, join_program, parse_args_option, split_trainer_words
from tune.cli.parser import Parser, is_program
from tune.errors import OptionError, UserError
from tune.invocation import join_words, this_command

# The source of a program is read where its words ask for it: help needs no module that reads it.


class ConstantsParser(Parser):
    """Takes what follows ``--args`` as its value, even where that begins with a dash."""

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say."""
        return super().parse_words(_join_args_option(words))


class NamesParser(SearchParser):
    """Takes a script's own options as names too: ``promote train.py --lr``."""

    def _parse_known(self, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        return self.parse_known_intermixed_args(words)  # options may stand between the names

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say; the names in their order."""
        words, trainer = split_trainer_words(_join_args_option(words), lambda: _has_trainer_options(words))
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


class ProgramParser(NamesParser):
    """Takes the options of a search, and those of `promote` that say what the program is."""

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say, and the words themselves as ``words``."""
        found = super().parse_words(words)
        found.words = list(words)
        return found

    def _no_names(self, given: argparse.Namespace) -> OptionError:
        from tune.cli.commands.constants import choose_names, find_promising
        from tune.promotion.program import find_program

        names = choose_names(find_promising(find_program(Path(given.program)), parse_args_option(given)))
        command = this_command() if given.args is None else f"{this_command()} constants"
        hint = f"`{command} {join_program(given.program, given.args)}` lists its constants."
        if names:
            words = [given.program, *names, *([] if given.args is None else ["--args", given.args])]
            hint = f"Write `{this_command()} {join_words(words)}`. {hint}"
        return OptionError(None, "a search varies constants of the program, and none was named", hint)


def _join_args_option(words: Sequence[str]) -> list[str]:
    """Return the words with ``--args`` and what follows it as one: argparse would take ``--fast`` for an option."""
    found: list[str] = []
    for word in words:
        if found and found[-1] == "--args":
            found[-1] = f"--args={word}"
        else:
            found.append(word)
    return found


def _has_trainer_options(words: Sequence[str]) -> bool:
    """Tell whether the program has options of its own for the Trainer's arguments: a LightningCLI gives it these."""
    from tune.promotion.find.project import project_of
    from tune.promotion.options.declared_options import is_lightning_cli
    from tune.promotion.program import find_program

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
    from tune.promotion.options.declared_options import find_options
    from tune.promotion.program import find_program

    try:
        names = {name for option in find_options(find_program(Path(program))) for name in option.names}
    except UserError:
        return []  # the command tells it
    return [word for word in unknown if word.partition("=")[0] in names]

"""A parser of words that raises what argparse would print, and offers the option that was meant."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from tune.errors import OptionError, suggest


class Parser(argparse.ArgumentParser):
    """Raises OptionError; takes no abbreviations, which would break when an option is added."""

    def __init__(self, **arguments: object) -> None:
        super().__init__(allow_abbrev=False, **arguments)  # type: ignore[arg-type]

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say; raise OptionError where they ask for what is not there."""
        found, unknown = self._parse(words)
        if unknown:
            raise self._unknown(unknown[0])
        return found

    def _parse(self, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        return self.parse_known_args(words)

    def error(self, message: str) -> NoReturn:
        """Raise OptionError."""
        raise OptionError(None, message, f"`{self.prog} --help` lists all options.")

    @property
    def options(self) -> tuple[str, ...]:
        """Every spelling of every option: ``--storage``, ``-g``."""
        return tuple(text for action in self._actions for text in action.option_strings)

    def _unknown(self, word: str) -> OptionError:
        option = word.partition("=")[0]
        if not option.startswith("-"):
            return OptionError(None, f"one word too many, got {word!r}", f"`{self.prog} --help` shows what goes where.")
        known = [text for text in self.options if text.startswith("--")]
        return OptionError(None, f"no such option, got {option!r}", suggest(option, known, what="options"))


def add_quiet(parser: Parser) -> None:
    """Let a command that trains say no more than what came of it."""
    parser.add_argument("-q", "--quiet", action="store_true", help="print what came of it, and errors, alone")


def add_storage(parser: Parser) -> None:
    """Let a command that reads or makes an experiment know where they lie."""
    parser.add_argument("--storage", metavar="FOLDER", help="of all experiments, or s3://...; default: ~/ray_results")

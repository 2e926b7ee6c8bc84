"""What a search and a retraining take on the command line beside their target: settings, devices, the Trainer's."""

import argparse
import contextlib
import re
import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tune.cli.parser import Parser, add_quiet, add_storage
from tune.errors import OptionError, SpaceError
from tune.invocation import join_words
from tune.space.library_args import parse_trainer_value
from tune.space.range_words import BETWEEN, COMMA
from tune.space.settings import SETTINGS, Settings, set_to

if TYPE_CHECKING:
    from tune.cluster.backend import Backend

TRAINER_PREFIX = "--trainer."
OPTION_WORD = re.compile(r"-[^0-9.]")
"""How an option begins, and no negative number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What the user gave."""

    given: dict[str, str]
    """Settings by their name in a space file, as text."""
    trainer: dict[str, str]
    """Trainer arguments, as text."""
    gpus: tuple[int, ...] | None
    """Indices of the GPUs to use; None: all there are."""
    address: str | None = None
    """Of the Ray cluster to join; None: a Ray of our own, on this machine."""

    def apply_settings(self, base: Settings) -> Settings:
        """Return ``base`` with what was given on the command line."""
        for name, text in self.given.items():
            value = text if SETTINGS[name].is_text else parse_trainer_value(text)
            option = f"--{name.replace('_', '-')}"
            try:
                base = set_to(base, name, value, option)
            except SpaceError as error:
                # The error of a setting as one of its option: a space file's `trials: 20` is `--trials 20` here
                hint = re.sub(rf"`{name}: ([^`]*)`", rf"`{option} \1`", error.hint or "") or None
                raise OptionError(option, error.what.removeprefix(f"{name}: "), hint) from None
        for name, text in self.trainer.items():
            base = set_to(base, "trainer", {name: parse_trainer_value(text)}, f"{TRAINER_PREFIX}{name}")
        return base

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> "Arguments":
        """Return what a SearchParser read."""
        names = [name for name, setting in SETTINGS.items() if setting.help is not None]
        return cls(
            given={name: text for name in names if (text := getattr(given, name, None)) is not None},
            trainer=getattr(given, "trainer", {}),
            gpus=None if given.gpu is None else tuple(given.gpu),
            address=given.address,
        )

    def choose_backend(self, tell: Callable[[str], None]) -> contextlib.AbstractContextManager["Backend"]:
        """Return where trials run; ``tell`` hears of a cluster that is joined."""
        from tune.cluster.backend import open_backend  # here: help and a refused word look at no device

        return open_backend(self.address, self.gpus, tell)


class SearchParser(Parser):
    """Takes ``--trainer.ANY VALUE`` beside its own options."""

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say, the Trainer's arguments as ``trainer``."""
        rest, trainer = split_trainer_words(words)
        found = super().parse_words(rest)
        found.trainer = trainer
        return found


def add_settings(parser: Parser, names: Collection[str] = SETTINGS, **helps: str) -> None:
    """Add options: settings of these names, devices, the storage; a SearchParser's the Trainer's arguments too.

    ``helps``: what the help says of a setting where it means something else.
    """
    for name in names:
        told, option = helps.get(name, SETTINGS[name].help), f"--{name.replace('_', '-')}"
        if told is not None and SETTINGS[name].placeholder:
            parser.add_argument(option, metavar=SETTINGS[name].placeholder, help=told)
        elif told is not None:
            parser.add_argument(option, action="store_const", const="true", help=told)
    parser.add_argument("-g", "--gpu", type=int, nargs="+", metavar="INDEX", help="use exactly these GPUs")
    where = "join this Ray cluster: auto, HOST:6379 or ray://HOST:10001"
    parser.add_argument("--address", metavar="WHERE", help=where)
    add_storage(parser)
    add_quiet(parser)
    if isinstance(parser, SearchParser):
        add_trainer(parser)


def add_trainer(parser: Parser) -> None:
    """Show that any argument of the Trainer may be given."""
    parser.add_argument(
        "--trainer.ARGUMENT",
        dest="trainer_argument",
        metavar="VALUE",
        help="any argument of pytorch_lightning.Trainer, such as --trainer.max_epochs 10",
    )


def split_trainer_words(
    words: Sequence[str], has_such_options: Callable[[], bool] = lambda: False
) -> tuple[list[str], dict[str, str]]:
    """Take ``--trainer.NAME VALUE`` and ``--trainer.NAME=VALUE`` out of the words.

    ``has_such_options``: whether the program has options of these names, as one with a LightningCLI. Then one without a
    value, or with a range, is a name to search, and stays.
    """
    rest: list[str] = []
    trainer: dict[str, str] = {}
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        if not word.startswith(TRAINER_PREFIX):
            rest.append(word)
            continue
        name, equals, text = word.removeprefix(TRAINER_PREFIX).partition("=")
        if equals:
            is_range = BETWEEN in text or (COMMA in text and name != "devices")
            if is_range and has_such_options():
                rest.append(word)
            else:
                trainer[name] = text
        elif place < len(words) and not OPTION_WORD.match(words[place]):
            trainer[name] = words[place]
            place += 1
        elif has_such_options():
            rest.append(word)
        else:
            raise OptionError(None, f"{word} needs a value", f"Write {word} VALUE.")
    return rest, trainer


def add_profile(parser: Parser) -> None:
    """Add `--profile`."""
    parser.add_argument("--profile", action="store_true", help="say at the end where each worker's time went")


def join_program(program: str, args: str | None) -> str:
    """Return a program, and what it is given on its command line, as words of ours."""
    return join_words([program] if args is None else [program, "--args", args])


def parse_args_option(given: argparse.Namespace) -> tuple[str, ...]:
    """Return the words of ``--args``; raise OptionError where a quote is not closed."""
    try:
        return tuple(shlex.split(given.args or ""))
    except ValueError as error:
        raise OptionError(None, f"--args: {error}, got {given.args!r}", "Close the quote.") from error

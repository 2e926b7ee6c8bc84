"""An option of a program's command line, and the words that give it a value."""

import enum
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tune.promotion.configs.config_file import ConfigPlace
from tune.promotion.constant import Site
from tune.promotion.find.literals import Unknown
from tune.space.dimensions import Value
from tune.space.parse_dimension import parse_scalar

REPLACED = "configure_optimizers alone reads it, and the given `optimizer` replaces that"
HYDRA_PLAIN = re.compile(r"[A-Za-z_./\-][\w./\-]*")
"""Text that is itself in hydra's grammar."""


class OptionParser(enum.Enum):
    """What reads an option from the command line."""

    ARGPARSE = enum.auto()
    """Or a parser with its interface: jsonargparse's, configargparse's."""
    CLICK = enum.auto()
    ABSL = enum.auto()
    FUNCTION = enum.auto()
    """Fire or typer, by a function's signature; docopt, by a text."""
    LIGHTNING_CLI = enum.auto()
    HYDRA = enum.auto()
    """``key=value``, over what its config files compose."""
    WORDS = enum.auto()
    """Whatever else reads ``key=value``."""
    FILE = enum.auto()
    """The program itself, from a config file: no word stands for it, and a trial reads a copy with its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """Something that a script takes on its command line, or from a config file."""

    name: str
    """As a space file writes it: ``--lr``, ``--model.lr``, ``optimizer.lr=``."""
    value: Value | Unknown
    """What it holds where the command line does not name it; Unknown where only running the program can tell."""
    parser: OptionParser
    dest: str
    """Its name in what the parser returns: ``lr``, ``model.lr``."""
    is_float: bool = False
    """Whether the parser makes a float of what is written."""
    is_read: bool = True
    """False where the source shows that the function which is given it never reads it."""
    is_replaced: bool = False
    """Whether ``configure_optimizers`` alone reads it, in the place of which the LightningCLI puts an optimizer."""
    takes_several: bool = False
    """Whether more than one word may follow its name."""
    place: str
    """``file:line`` of the declaration; of the program for ``key=value``."""
    names: tuple[str, ...]
    """All its spellings: ``--learning-rate``, ``--lr``."""
    is_flag: bool = False
    """Takes no value."""
    sets: bool = True
    """What a flag that stands on the command line is worth; it is left out for the other value."""
    off: str | None = None
    """The word for False where True is the name alone: ``--no-fast`` of argparse's ``BooleanOptionalAction``."""
    choices: tuple[Value, ...] = ()
    """The values that the parser takes alone, where the source names them."""
    makes_true: bool = False
    """Every word is True to argparse's ``type=bool``: False is what it holds without one, if at all."""
    config: ConfigPlace | None = None
    """Where its value stands in a config file; None: in none, or not certain."""
    default: Site | None = None
    """The literal of its default in the program's source; None: there is none, or another value is in force."""

    @property
    def where(self) -> str:
        """Its place, as of a constant."""
        return self.place


def option_words(options: Mapping[str, Option], values: Mapping[str, Value]) -> list[str]:
    """Return what stands on the command line for these options, in their order; of two the last counts, so add them."""
    return [word for key, option in options.items() if key in values for word in _words_for(key, option, values[key])]


def _words_for(key: str, option: Option, value: Value) -> list[str]:
    match value:
        case _ if option.parser is OptionParser.FILE:
            return []
        case _ if option.is_flag:
            return [key] if value == option.sets else []
        case False if option.makes_true:
            return []
        case bool() if option.off is not None:
            return [key if value else option.off]
        case _ if option.parser is OptionParser.HYDRA:
            return [f"{key}{_hydra_word(value)}"]
        case _ if key.endswith("="):
            return [f"{key}{_format_word(value)}"]
        case list() | tuple() if option.parser is OptionParser.LIGHTNING_CLI:
            return [f"{key}={json.dumps(value)}"]
        case list() | tuple():
            return [key, *map(_format_word, value)]
        case _:
            return [f"{key}={_format_word(value)}"]  # a word of its own could begin with a minus


def _format_word(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)


def _hydra_word(value: Value) -> str:
    """Return a value in hydra's grammar, in which text may need quotes."""
    match value:
        case str() if not HYDRA_PLAIN.fullmatch(value) or parse_scalar(value) != value:
            return "'" + value.replace("\\'", "\\\\'").replace("'", "\\'") + "'"
        case list() | tuple():
            return f"[{','.join(map(_hydra_word, value))}]"
        case dict():
            return f"{{{','.join(f'{key}:{_hydra_word(each)}' for key, each in value.items())}}}"
        case _:
            return _format_word(value)

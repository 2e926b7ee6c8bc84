"""What may be written on the command line, and what was. Imports nothing that a search needs."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from tune import __version__
from tune.errors import OptionError, suggest
from tune.space.settings import Settings, set_to
from tune.space.trainer_args import parse_trainer_value

TRAINER_PREFIX = "--trainer."

COMMANDS = {
    "resume": "go on with a search that was interrupted, or add trials to one that is through",
    "retrain": "train an experiment's best configuration again, for the full budget",
}
"""Every word that may stand first; without one, a space is searched."""

SETTINGS = {
    "trials": "how many, the baseline included",
    "time-budget": "30m, 2h, 1h30m or seconds: then no new trial starts",
    "seed": "of the sampler and of every trial",
    "sampler": "tpe, gp, cmaes, qmc, random or grid",
    "scheduler": "asha or none",
    "concurrency": "trials at a time",
    "cpus-per-trial": "cores for each trial",
    "gpus-per-trial": "GPUs for each trial, a share such as 0.5 too",
    "max-failures": "how often a trial goes on after its worker died",
}
"""Options that have a key of the same name in the space file, and win over it."""

RESUMED = ("trials", "time-budget", "concurrency", "cpus-per-trial", "gpus-per-trial", "max-failures")
"""Those of SETTINGS that may change in the middle of a search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What the user gave."""

    command: str
    """`search`, or one of COMMANDS."""
    target: str
    """The space of a search, else the experiment."""
    given: dict[str, str]
    """Settings by their name in a space file, as text."""
    trainer: dict[str, str]
    """Trainer arguments, as text."""
    name: str | None
    """Of the experiment; None: the space file's."""
    storage: str | None
    """The folder of the experiments; None: ``~/ray_results``."""
    gpus: tuple[int, ...] | None
    """Indices of the GPUs to use; None: all there are."""
    fast_dev_run: bool
    """Only the pre-flight, and nothing is kept."""

    def settings(self, base: Settings) -> Settings:
        """Return ``base`` with what was given on the command line; ``--trials +20`` adds to what a search had."""
        for name, text in self.given.items():
            if name == "trials" and self.command == "resume" and text[:1] == "+" and text[1:].isdecimal():
                base = replace(base, trials=base.trials + int(text))
                continue
            value = text if name in ("sampler", "scheduler", "time_budget") else parse_trainer_value(text)
            base = set_to(base, name, value, f"--{name.replace('_', '-')}")
        for name, text in self.trainer.items():
            base = set_to(base, "trainer", {name: parse_trainer_value(text)}, f"{TRAINER_PREFIX}{name}")
        return base


def parse(argv: Sequence[str]) -> Arguments:
    """Read the command line; raise OptionError where it asks for what is not there."""
    command, rest = _command(argv)
    rest, trainer = _take_trainer(rest)
    parser = {"search": search_parser, "resume": resume_parser, "retrain": retrain_parser}[command]()
    found, unknown = parser.parse_known_args(rest)
    if command == "resume":  # its trials would not be those of one search
        unknown += [f"{TRAINER_PREFIX}{name}" for name in trainer]
    if unknown:
        raise _unknown(unknown[0], parser)
    return Arguments(
        command=command,
        target=found.space if command == "search" else found.experiment,
        given={name: text for name in _keys() if (text := getattr(found, name, None)) is not None},
        trainer=trainer,
        name=found.name if command == "search" else None,
        storage=found.storage,
        gpus=None if found.gpu is None else tuple(found.gpu),
        fast_dev_run=command == "search" and found.fast_dev_run,
    )


def search_parser() -> "Parser":
    """Return the parser of a search."""
    commands = "\n".join(f"  {name:<10} {what}" for name, what in COMMANDS.items())
    parser = Parser(
        prog="run_search.py",
        description="Search the hyperparameters that a PyTorch Lightning program hardcodes.",
        epilog=f"commands (run_search.py COMMAND --help):\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"promotune {__version__}")
    parser.add_argument("--space", metavar="FILE", required=True, help="a path, or a name in search_spaces/")
    _add_settings(parser, SETTINGS)
    parser.add_argument("--name", help="of the experiment; default: the space file's")
    parser.add_argument("--fast-dev-run", action="store_true", help="one or two batches of the baseline; keeps nothing")
    return parser


def resume_parser() -> "Parser":
    """Return the parser of `resume`."""
    parser = Parser(prog="run_search.py resume", description=f"{COMMANDS['resume'].capitalize()}.")
    parser.add_argument("experiment", help="its name, or its folder")
    settings = {name: SETTINGS[name] for name in RESUMED}
    settings["trials"] = "how many in all; +20: so many more than it was to have"
    _add_settings(parser, settings, trainer=False)
    return parser


def retrain_parser() -> "Parser":
    """Return the parser of `retrain`."""
    parser = Parser(prog="run_search.py retrain", description=f"{COMMANDS['retrain'].capitalize()}.")
    parser.add_argument("experiment", help="its name, or its folder")
    _add_settings(parser, {})
    return parser


class Parser(argparse.ArgumentParser):
    """Raises what argparse would print."""

    def __init__(self, **arguments: object) -> None:
        super().__init__(allow_abbrev=False, **arguments)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Raise OptionError."""
        raise OptionError(None, message, f"`{self.prog} --help` lists all options.")


def _add_settings(parser: Parser, settings: dict[str, str], *, trainer: bool = True) -> None:
    for name, what in settings.items():
        parser.add_argument(f"--{name}", metavar=name.rpartition("-")[2].upper(), help=what)
    parser.add_argument("-g", "--gpu", type=int, nargs="+", metavar="INDEX", help="use exactly these GPUs")
    parser.add_argument("--storage", metavar="FOLDER", help="of all experiments; default: ~/ray_results")
    if trainer:
        parser.add_argument(
            "--trainer.ARGUMENT",
            dest="trainer_argument",
            metavar="VALUE",
            help="any argument of pytorch_lightning.Trainer, such as --trainer.max_epochs 10",
        )


def _command(argv: Sequence[str]) -> tuple[str, list[str]]:
    if not argv or argv[0].startswith("-"):
        return "search", list(argv)
    if argv[0] not in COMMANDS:
        hint = suggest(argv[0], COMMANDS, what="commands")
        if Path(argv[0]).suffix in (".yaml", ".yml"):
            hint = f"To search a space: run_search.py --space {argv[0]}"
        raise OptionError(None, f"no such command, got {argv[0]!r}", hint)
    return argv[0], list(argv[1:])


def _take_trainer(argv: list[str]) -> tuple[list[str], dict[str, str]]:
    """Take ``--trainer.NAME VALUE`` and ``--trainer.NAME=VALUE`` out of the arguments."""
    rest: list[str] = []
    trainer: dict[str, str] = {}
    waiting = iter(argv)
    for word in waiting:
        if not word.startswith(TRAINER_PREFIX):
            rest.append(word)
            continue
        name, equals, text = word.removeprefix(TRAINER_PREFIX).partition("=")
        value = text if equals else next(waiting, None)
        if value is None or (not equals and value.startswith("--")):
            raise OptionError(None, f"{word} needs a value", f"Write {word} VALUE.")
        trainer[name] = value
    return rest, trainer


def _unknown(word: str, parser: Parser) -> OptionError:
    option = word.partition("=")[0]
    known = [text for action in parser._actions for text in action.option_strings if text.startswith("--")]  # noqa: SLF001
    if not option.startswith("-"):
        return OptionError(None, f"one word too many, got {word!r}", f"`{parser.prog} --help` shows what goes where.")
    return OptionError(None, f"no such option, got {option!r}", suggest(option, known, what="options"))


def _keys() -> list[str]:
    return [name.replace("-", "_") for name in SETTINGS]

"""The words of the command line: a parser that raises, and the commands, each imported when it is asked for."""

import argparse
import shlex
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn, Protocol, cast

from tune.errors import OptionError, did_you_mean, suggest_name
from tune.invocation import this_command
from tune.paths import display_path, shell_word
from tune.storage_url import STORAGE_VARIABLE, USUAL_STORAGE, default_storage, local_folder_of, url_of

NO_EXPERIMENT = "the following arguments are required: experiment"
"""What argparse says, but for the case, where a command that takes an experiment has none."""
N_NAMED = 5
"""Experiments that an error names."""


class Parser(argparse.ArgumentParser):
    """Raises OptionError; takes no abbreviations, which would break when an option is added."""

    def __init__(self, command: str = "", **arguments: object) -> None:
        called = f"{this_command()} {command}".rstrip()
        super().__init__(prog=called, allow_abbrev=False, **arguments)  # type: ignore[arg-type]
        self._words: Sequence[str] = ()

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say; raise OptionError where they ask for what is not there."""
        self._words = words
        found, unknown = self._parse_known(words)
        if unknown:
            raise self._unknown_word_error(unknown[0])
        return found

    def _parse_known(self, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        return self.parse_known_args(words)

    def error(self, message: str) -> NoReturn:
        """Raise OptionError."""
        if message.casefold().partition(", ")[0] == NO_EXPERIMENT:
            raise _no_experiment_error(self._words)
        raise OptionError(None, message, f"`{self.prog} --help` lists all options.")

    @property
    def actions(self) -> tuple[argparse.Action, ...]:
        """All that it takes, in the order of its help."""
        return tuple(self._actions)

    @property
    def option_spellings(self) -> tuple[str, ...]:
        """Every spelling of every option: ``--storage``, ``-g``."""
        return tuple(text for action in self._actions for text in action.option_strings)

    def _unknown_word_error(self, word: str) -> OptionError:
        option = word.partition("=")[0]
        if not option.startswith("-"):
            return OptionError(None, f"one word too many, got {word!r}", f"`{self.prog} --help` shows what goes where.")
        known = [text for text in self.option_spellings if text.startswith("--")]
        hint = suggest_name(option, known, what="options")
        if (meant := find_other_spelling(option, known)) is not None:
            hint = f"Did you mean {meant!r}?"
        return OptionError(None, f"no such option: {option!r}", hint)


OTHER_SPELLINGS = {
    "--force": "--yes",
    **dict.fromkeys(("--n-trials", "--num-trials", "--num-samples", "--n-samples"), "--trials"),
    **dict.fromkeys(("--timeout", "--time-limit"), "--time-budget"),
    **dict.fromkeys(("--n-jobs", "--jobs", "--parallel"), "--concurrency"),
    **dict.fromkeys(("--epochs", "--max-epochs"), "--trainer.max_epochs"),
    **dict.fromkeys(("--logdir", "--log-dir", "--output-dir"), "--storage"),
    "--gpus": "--gpu",
    "--dry-run": "--fast-dev-run",
    "--pruner": "--scheduler",
    "--algorithm": "--sampler",
}
"""What other tools call our options, with hyphens or underscores."""


def find_other_spelling(option: str, known: Iterable[str]) -> str | None:
    """Return which of our options another tool's is; None where it is none, or this command has it not."""
    meant = OTHER_SPELLINGS.get(option.replace("_", "-"))
    return meant if meant is not None and {meant, f"{meant.partition('.')[0]}.ARGUMENT"} & set(known) else None


def _no_experiment_error(words: Sequence[str]) -> OptionError:
    """Return the error of a command that lacks its experiment; it names those of the storage."""
    from tune.results.experiments import list_experiments  # here: the words that are right need no experiment

    finder = Parser()
    add_storage(finder)
    given = finder.parse_known_args(words)[0].storage
    storage = storage_of(given)
    url = url_of(storage)
    option = f" --storage {shlex.quote(url) if url else shell_word(storage)}" if given else ""
    listing = f"{this_command()} list{option}"
    what = "no experiment was named"
    if url is not None:
        return OptionError(None, what, f"All experiments: {listing}")  # a URL is not asked for an error
    names = [each.name for each in list_experiments(storage)]
    if not names:
        return OptionError(None, what, f"There are no experiments in {display_path(storage)}.")
    more = f", and {len(names) - N_NAMED} more: `{listing}`" if len(names) > N_NAMED else ""
    return OptionError(None, what, f"Experiments, the last first: {', '.join(names[:N_NAMED])}{more}.")


def both_given_error(program: str, words: Sequence[str]) -> OptionError:
    """Return the error of a program beside a space file."""
    option = next(word for word in words if word.partition("=")[0] == SPACE)
    _, equals, file = option.partition("=")
    if not equals:
        file = next(iter(words[words.index(option) + 1 :]), "FILE")
    what = f"a program and a space file exclude each other, got {program} and {SPACE} {file}"
    hint = f"Write `{this_command()} {SPACE} {shlex.quote(file)}`, or leave {SPACE} out."
    return OptionError(None, what, hint)


def add_quiet(parser: Parser) -> None:
    """Let a command that trains say no more than what came of it."""
    parser.add_argument("-q", "--quiet", action="store_true", help="print only results and errors")


def add_storage(parser: Parser) -> None:
    """Let a command that reads or makes an experiment know where they lie."""
    what = f"folder of all experiments, or s3://...; default: ${STORAGE_VARIABLE}, else {USUAL_STORAGE}"
    parser.add_argument("--storage", metavar="FOLDER", help=what)


COMMANDS = {
    "constants": "list what a program hardcodes, and how to name it",
    "promote": "write a space file for some constants, with suggested ranges",
    "resume": "continue an interrupted search, or add trials to a finished one",
    "results": "show the results of searches, also of those that run",
    "status": "show how far a search is, or follow it as JSON lines",
    "propose": "let a configuration run next in a search",
    "stop": "stop trials of a running search, or end it as Ctrl-C does",
    "pause": "let no trial of a running search start until `resume`",
    "set": "change the trials, concurrency or time budget of a running search",
    "report": "write the report of a search: one HTML file",
    "export": "send a search to W&B or MLflow, or write it as tables",
    "dashboards": "show TensorBoard and optuna-dashboard until Ctrl-C",
    "retrain": "train the best trial again, to see whether its gain is real",
    "apply": "write an experiment's best values into the source",
    "list": "list the experiments: state, trials, best score, age, size",
    "compare": "compare experiments of the same metric",
    "delete": "delete an experiment, or some of its versions",
    "agents": "print what a coding agent has to know, for an AGENTS.md",
    "mcp": "serve coding agents over the Model Context Protocol",
    "completion": "print a completion script for bash, zsh or fish",
}
"""In the order of their use; without one of them, a space is searched."""
FOLDERS = {
    **dict.fromkeys(("propose", "stop", "pause", "set", "status"), "steer"),
    **dict.fromkeys(("agents", "mcp"), "for_agents"),
}
"""The folders of the commands that do not stand in ``commands``."""
SPACE = "--space"
SEARCH = "search"
SEARCH_PROGRAM = "search_program"
"""A search whose space is drafted: a program and names stand where else a command stands."""
OVERVIEW = "overview"
"""What is done where no word is given."""
VERSION_WORDS = frozenset({"-V", "-v", "-version"})
"""What other programs take for ``--version``."""
SEARCH_WORDS = frozenset({"search", "tune", "run", "init", "start", "optimize", "optimise"})
"""What a search may be called elsewhere."""
OF_CONSTANTS = frozenset({"--all", "--refused", "--json"})
"""Options behind a program alone that ask for its constants, as the program alone does."""


def describe_command(name: str) -> str:
    """Return a command's line as a sentence, for its own help."""
    what = COMMANDS[name]
    return f"{what[0].upper()}{what[1:]}."


class Command(Protocol):
    """What the module of a command holds."""

    def run(self, given: argparse.Namespace) -> int:
        """Run it with what its parser read (`tune.cli.command_parsers`); return the exit status."""


def import_command(name: str) -> Command:
    """Return the command called ``name``, or the search."""
    assert name in (*COMMANDS, SEARCH, SEARCH_PROGRAM, OVERVIEW)
    folder = "tune.cli" if name == OVERVIEW else f"tune.cli.{FOLDERS.get(name, 'commands')}"
    return cast("Command", import_module(f"{folder}.{name}"))


def split_command(argv: Sequence[str]) -> tuple[str, list[str]]:
    """Return the command and the words after it; raise OptionError where there is no such command."""
    if not argv:
        return OVERVIEW, []
    if argv[0] in VERSION_WORDS and "--version" not in argv:
        raise OptionError(None, f"no such option: {argv[0]!r}", f"For the version: {this_command()} --version")
    if argv[0] == "-m":
        # The error of a program that is named as ``python -m package.module`` names it
        module = next(iter(argv[1:]), "")
        file = _file_of_module(module) or "PROGRAM.py"
        what = f"a program is named by its file, got -m {module}".rstrip()
        hint = f"Write `{this_command()} {shlex.join([file, *argv[2:]])}`: it runs as `python -m` runs it."
        raise OptionError(None, what, hint)
    if argv[0].startswith("-"):
        command = next((word for word in argv if word in COMMANDS), None)
        if command is not None and not any(is_program(word) or word.partition("=")[0] == SPACE for word in argv):
            ordered = [command, *(word for word in argv if word != command)]
            hint = f"Write `{this_command()} {shlex.join(ordered)}`."
            raise OptionError(None, f"the command comes first, got {argv[0]} before {command}", hint)
        names_program = any(map(is_program, argv)) and not any(word.partition("=")[0] == SPACE for word in argv)
        return SEARCH_PROGRAM if names_program else SEARCH, list(argv)
    if is_program(argv[0]):
        return "constants" if OF_CONSTANTS.issuperset(argv[1:]) else SEARCH_PROGRAM, list(argv)
    if argv[0] not in COMMANDS:
        raise _no_command_error(argv)
    return argv[0], list(argv[1:])


def _no_command_error(argv: Sequence[str]) -> OptionError:
    """Return the error of a first word that is no command, no program and no option."""
    word = argv[0]
    if word.endswith(".pyc"):
        source = Path(word).with_suffix(".py")
        hint = f"Did you mean {str(source)!r}?" if source.is_file() else "Give the path of a Python file."
        return OptionError(None, f"a program is a .py file, got {word}", hint)
    if Path(word).suffix in (".yaml", ".yml"):
        hint = f"To search a space: {this_command()} --space {word}"
    elif Path("search_spaces", f"{word}.yaml").is_file():
        hint = f"To search a space: {this_command()} --space {word}.yaml"
    elif (file := _file_of_module(word)) is not None:
        hint = f"Did you mean the program {file!r}?"
    elif word == "help":
        command = next((f"{each} " for each in argv[1:2] if each in COMMANDS), "")
        hint = f"For {'help' if command else 'all commands'}: {this_command()} {command}--help"
    elif word in SEARCH_WORDS or did_you_mean(word, [SEARCH]):
        program = next(filter(is_program, argv[1:]), None)
        hint = f"A search needs no command: {this_command()} {program or 'PROGRAM'} NAME..., or --space FILE"
    elif word == "version":
        hint = f"For the version: {this_command()} --version"
    else:
        hint = suggest_name(word, COMMANDS, what="commands")
    return OptionError(None, f"no such command: {word!r}", hint)


def _file_of_module(module: str) -> str | None:
    """Return the file of a module below the working directory, or of a package that can be run; None: there is none."""
    path = module.replace(".", "/")
    found = (f"{module}.py", f"{path}.py", f"{path}/__main__.py", f"src/{path}.py", f"src/{path}/__main__.py")
    return next((each for each in found if module and Path(each).is_file()), None)


def is_program(word: str) -> bool:
    """Tell whether a word is the path of a program."""
    return word.endswith(".py")


def storage_of(given: str | None) -> Path:
    """Return the folder of all experiments, absolute; of a URL the folder where they are worked on."""
    return local_folder_of(given) if given else default_storage()


def storage_option(storage: Path) -> str:
    """Return what a command needs beside an experiment's name to find it in a folder of experiments."""
    return "" if storage == default_storage() else f" --storage {shell_word(storage)}"

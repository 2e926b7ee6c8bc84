"""A script's command line: the words that a trial puts there, and what the program's parser makes of them.

What the parser returned goes into the trial's record. In the pre-flight it is noted, too, what the program reads: an
option that certainly nobody reads would make every trial the baseline.
"""

# ruff: noqa: SLF001 - argparse has no public list of a parser's actions

import argparse
import contextlib
import functools
import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any

from tune.errors import ProgramError, UnreadOptionError
from tune.internals.private_apis import patch_attribute
from tune.promotion.configs.read_files import parses_configs
from tune.promotion.execute import IN_FORCE
from tune.promotion.options.option import Option, OptionParser, option_words
from tune.space.dimensions import Value
from tune.space.space import Script
from tune.trial.describe_exception import program_frames
from tune.trial.inputs.word_reads import ANY, NamespaceLog, NotedWords, ReadLog, note_reads
from tune.trial.messages import Job

REFUSED = "the program ended with status"
"""How it is told that a parser refused the command line."""

NESTED_CONFIG = re.compile(r"Subcommand '(\w+)' does not accept option '\1\.")
"""jsonargparse's words for a config file that has a part for each subcommand, where it is given to one of them."""

HYDRA_FOLDER = "hydra"
"""Of a version: what hydra would write into ``outputs/``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionReads:
    """What one execution of the program read of its command line. Options are named as in the space file."""

    unread: frozenset[str] = frozenset()
    """Options whose words stood there, and nobody read them."""
    unused: frozenset[str] = frozenset()
    """Options that argparse parsed, and whose value nobody took from its Namespace."""
    overwritten: Mapping[str, str] = field(default_factory=dict)
    """Options that argparse parsed, and that held another value as the program first read them, with that value."""
    unopened: frozenset[str] = frozenset()
    """Options whose values stood in a config file that nobody opened."""
    by_others: bool = False
    """Whether anything but argparse looked at the words, or at a place where they would stand."""


class CommandLine:
    """The command line of one execution."""

    def __init__(self, job: Job, values: Mapping[str, Value], folder: Path, *, notes_reads: bool) -> None:
        """``values``: those of the options that stand there. ``folder``: where the program logs."""
        self._folder = folder
        self._options = {key: each for key, each in job.options.items() if each.parser is not OptionParser.FILE}
        self._values = {key: value for key, value in values.items() if key in self._options}
        self._program = job.program
        self._words = [str(job.program.path), *(job.shape.args if isinstance(job.shape, Script) else ())]
        self._words += option_words(self._options, values)
        self._notes_reads = notes_reads
        self._log = ReadLog()
        self._parsed: list[tuple[dict[str, str], NamespaceLog]] = []  # of each Namespace: its names by option
        self._n_parsing = 0
        self._is_script = isinstance(job.shape, Script)
        self._refusal: str | None = None
        self._said: str | None = None  # the same, also where the program called the parser's `error`
        self.found: dict[str, dict[str, Any]] = {}
        """For trial.json, by option: ``value``, as the program's parser returned it, and ``where``: which one."""

    @contextlib.contextmanager
    def install_patches(self) -> Iterator[None]:
        """Let the program find its words, and follow its parser."""
        sys.argv[:] = self._words
        with contextlib.ExitStack() as patches:
            if self._notes_reads:
                patches.enter_context(patch_attribute(sys, "argv", NotedWords(self._words, self._log, named=True)))
                fill = argparse.Namespace.__init__
                patches.enter_context(patch_attribute(argparse.Namespace, "__init__", self._wrap_namespace(fill)))
            for owner, name, follow in self._list_parser_hooks():
                patches.enter_context(patch_attribute(owner, name, follow(getattr(owner, name))))
            yield

    @property
    def observed_reads(self) -> OptionReads:
        """What was read so far."""
        if not self._notes_reads:
            return OptionReads()
        words = {key: option_words({key: self._options[key]}, self._values) for key in self._options}
        parsed = [(key, dest, log) for dests, log in self._parsed for key, dest in dests.items()]
        used = {key for key, dest, log in parsed if {dest, ANY} & log.read}
        kept = {key for key, dest, log in parsed if dest not in log.overwritten}
        overwritten = {key: log.overwritten[dest] for key, dest, log in parsed if key not in kept}
        return OptionReads(
            unread=frozenset(key for key, each in words.items() if each and not self._log.words & set(each)),
            unused=frozenset(key for key, _, _ in parsed if key not in used),
            overwritten=overwritten,
            by_others=self._log.by_others,
        )

    def check_refusal(self, end: SystemExit) -> None:
        """Raise what a parser said where a parser ended the program: of the trial's options an UnreadOptionError."""
        if not self._values:
            self._raise_parser_message(end)
        is_probe = self._notes_reads and bool(self._values)
        if self._refusal is not None:
            said = _one_line(self._refusal)
            refusal = UnreadOptionError(None, said) if is_probe else SystemExit(said)
            raise refusal.with_traceback(end.__traceback__) from end
        if not is_probe or (end.__context__ is not None and program_frames(end.__context__)):
            return  # the program raised something, and its library made an exit of it
        *_, last = _walk_tracebacks(end.__traceback__)
        module = last.tb_frame.f_globals
        if IN_FORCE not in module and module.get("__name__") != "argparse":  # its `error` may be called by the program
            said = str(end.__context__ or "") or f"exit status {end.code}"
            raise UnreadOptionError(None, _one_line(said)) from end

    def _raise_parser_message(self, end: SystemExit) -> None:
        """Raise ProgramError with the words of a parser that ended the program, whatever was searched."""
        said = self._said or _message_of_exit(end)
        if said is None:
            return
        shape = "" if self._is_script else "`script:`, and "
        hint = f"Write {shape}what it asks for under `args:`{' in the space file' if self._is_script else ''}"
        if (nested := NESTED_CONFIG.search(said)) is not None:
            hint = (
                f"The config file has a part for `{nested[1]}`: write its `--config` before `{nested[1]}` under `args:`"
            )
        what = f"{REFUSED} {end.code}: {_one_line(said)}"
        place = self._program.name_of(self._program.path)
        raise ProgramError(place, what, f"{hint}; `promote` takes it as --args.") from end

    def _list_parser_hooks(self) -> Iterator[tuple[Any, str, Callable[[Any], Any]]]:
        """Yield the functions of parsers that are followed: owner, name, and what makes the one in its place."""
        parser = argparse.ArgumentParser
        yield parser, "exit", self._wrap_exit
        yield parser, "parse_args", self._wrap_parse
        yield parser, "parse_known_args", self._wrap_parse_known_args
        if parses_configs(self._program):
            with contextlib.suppress(ImportError):
                other = importlib.import_module("jsonargparse").ArgumentParser
                yield other, "error", self._wrap_error
                yield other, "parse_args", self._wrap_config_parse
        texts = [source.raw for source in self._program.sources.values()]
        if any(b"hydra" in text for text in texts):
            with contextlib.suppress(ImportError, AttributeError):
                loader = importlib.import_module("hydra._internal.config_loader_impl").ConfigLoaderImpl
                yield loader, "load_configuration", self._wrap_compose
        if any(b"click" in text or b"typer" in text for text in texts):
            with contextlib.suppress(ImportError):
                click = importlib.import_module("click")
                yield click.Command, "invoke", self._wrap_invoke
                yield click.UsageError, "show", self._wrap_show

    def _wrap_namespace(self, before: Callable[..., Any]) -> Callable[..., Any]:
        """Note what the program puts in a Namespace of its own in the place of what was parsed."""

        @functools.wraps(before)
        def replacement(namespace: Any, **given: Any) -> None:
            before(namespace, **given)
            for _, log in self._parsed:
                log.note_namespace(given)

        return replacement

    def _wrap_exit(self, before: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(before)
        def replacement(parser: Any, status: int = 0, message: str | None = None) -> Any:
            if status and message:
                self._said = message.strip().removeprefix(f"{parser.prog}: error: ")
                self._refusal = self._said if self._n_parsing else self._refusal
            return before(parser, status, message)

        return replacement

    def _wrap_error(self, before: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(before)
        def replacement(parser: Any, message: str, *args: Any, **given: Any) -> Any:
            self._said = message
            self._refusal = message if self._n_parsing else self._refusal
            return before(parser, message, *args, **given)

        return replacement

    def _wrap_parse(self, before: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(before)
        def replacement(*args: Any, **given: Any) -> Any:
            self._n_parsing += 1
            try:
                return before(*args, **given)
            finally:
                self._n_parsing -= 1

        return replacement

    def _wrap_parse_known_args(self, before: Callable[..., Any]) -> Callable[..., Any]:
        inner = [0]  # how many of them run: a subparser's is called by its parser's
        parse = self._wrap_parse(before)

        @functools.wraps(before)
        def replacement(parser: Any, args: Any = None, namespace: Any = None, **given: Any) -> Any:
            given_words = sys.argv[1:] if args is None else args
            words = given_words.copy_silently() if isinstance(given_words, NotedWords) else list(given_words)
            args = args if isinstance(args, NotedWords | None) else words  # it may be an iterator
            inner[0] += 1
            try:
                parsed, rest = parse(parser, args, namespace, **given)
            finally:
                inner[0] -= 1
            if inner[0]:
                return parsed, rest
            self._log.words.update(set(words) - set(rest))
            if type(parsed) is not argparse.Namespace:
                return parsed, rest
            actions = dict(_list_actions(parser))
            ours = {
                key: actions[name]
                for key, option in self._options.items()
                for name in option.names
                if name in actions and actions[name].dest in vars(parsed)
            }
            dests = {key: action.dest for key, action in ours.items()}
            for key, action in ours.items():
                if _takes_number_untyped(action) and getattr(parsed, action.dest) == str(self._values.get(key)):
                    setattr(parsed, action.dest, self._values[key])
                self._note_value(key, getattr(parsed, action.dest), "argparse")
            if not self._notes_reads:
                return parsed, rest
            # Whether an action does nothing but set its attribute, where that is ``dest``
            own = {
                key
                for key, dest in dests.items()
                if all(each.dest != dest or type(each).__module__ == "argparse" for each in actions.values())
            }
            log = note_reads(parsed) if namespace is None else NamespaceLog(read={ANY})
            self._parsed.append(({key: dests[key] for key in own}, log))
            return parsed, NotedWords(rest, self._log)

        return replacement

    def _wrap_config_parse(self, before: Callable[..., Any]) -> Callable[..., Any]:
        parse = self._wrap_parse(before)

        @functools.wraps(before)
        def replacement(*args: Any, **given: Any) -> Any:
            config = parse(*args, **given)
            if not self._n_parsing:
                self._log.words.update(self._words)  # it has left none over
                held = config.as_dict()
                for key, option in self._options.items():
                    for value in _find_in_config(held, option):
                        self._note_value(key, value, "jsonargparse")
            return config

        return replacement

    def _wrap_compose(self, before: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(before)
        def replacement(*args: Any, **given: Any) -> Any:
            config = before(*args, **given)
            omegaconf = importlib.import_module("omegaconf")
            with omegaconf.read_write(config), omegaconf.open_dict(config):
                config.hydra.run.dir = str(self._folder / HYDRA_FOLDER)  # trials of one second would share it
            for key, option in self._options.items():
                for value in _find_composed_value(config, option, omegaconf.OmegaConf):
                    self._note_value(key, value, "hydra")
            return config

        return replacement

    def _wrap_invoke(self, before: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(before)
        def replacement(command: Any, context: Any) -> Any:
            for key, option in self._options.items():
                if option.dest in context.params:
                    self._note_value(key, context.params[option.dest], "click")
            return before(command, context)

        return replacement

    def _wrap_show(self, before: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(before)
        def replacement(error: Any, *args: Any, **given: Any) -> Any:
            self._refusal = self._said = error.format_message()
            return before(error, *args, **given)

        return replacement

    def _note_value(self, key: str, value: Any, parser: str) -> None:
        wanted = self._values.get(key)
        if isinstance(wanted, bool) and isinstance(value, bool) and value != wanted:
            what = f"{key} is not in force: the search set {wanted}, and {parser} made {value} of the word for it"
            raise ProgramError(self._options[key].where, what, "Give the option a type that reads both true and false.")
        self.found[key] = {"value": _to_json_value(value), "where": f"what {parser} returned"}


def _takes_number_untyped(action: argparse.Action) -> bool:
    """Tell an option without a type whose default is a number: argparse makes a text of its word.

    The program is written for its default, and `apply` writes a number there: so a trial's is one, too.
    """
    is_number = isinstance(action.default, int | float) and not isinstance(action.default, bool)
    return isinstance(action, argparse._StoreAction) and action.type is None and action.nargs is None and is_number


def _list_actions(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Yield a parser's actions by the names of their options; those of subparsers too."""
    for action in parser._actions:
        yield from ((name, action) for name in action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _list_actions(inner)


def _find_in_config(held: Mapping[str, Any], option: Option) -> Iterator[Any]:
    """Yield what jsonargparse's config says of an option: in a subcommand's part, and where a class is chosen too."""
    command = held.get("subcommand")
    found: Any = held.get(command, held) if isinstance(command, str) else held
    for name in option.dest.split("."):
        found = found[-1] if isinstance(found, list) and found else found  # of several callbacks the last is meant
        if isinstance(found, Mapping) and name not in found and isinstance(found.get("init_args"), Mapping):
            found = found["init_args"]
        if not isinstance(found, Mapping) or name not in found:
            return
        found = found[name]
    yield found


def _find_composed_value(config: Any, option: Option, reader: Any) -> Iterator[Any]:
    """Yield what hydra's config says of a value, or of a config group; nothing where only the program can tell."""
    with contextlib.suppress(Exception):  # an interpolation of the program's own resolvers
        value = config.hydra.runtime.choices.get(option.dest, reader.select(config, option.dest, default=reader))
        if value is not reader:
            yield reader.to_container(value, resolve=True) if reader.is_config(value) else value


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _message_of_exit(end: SystemExit) -> str | None:
    """Return what fire or typer printed before it ended the program; None where another did."""
    elements = getattr(getattr(end, "trace", None), "elements", ())  # fire's
    if elements and elements[-1].HasError():
        return str(elements[-1].ErrorAsStr())
    message = getattr(end.__context__, "format_message", None)  # of a click.ClickException
    return None if message is None else str(message())


def _to_json_value(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_to_json_value(each) for each in value]
        case PurePath():
            return str(value)
        case _:
            return repr(value)


def _walk_tracebacks(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next

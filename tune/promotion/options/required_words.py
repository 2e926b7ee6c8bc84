"""What a script's parser refuses to do without, as its source tells."""

import ast
import os
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tune.errors import relative_if_shorter
from tune.invocation import join_words, this_command
from tune.promotion.configs.config_file import SUFFIXES, read_mapping, read_values
from tune.promotion.configs.read_files import OF_TOOLS
from tune.promotion.find.literals import Unknown
from tune.promotion.find.module_scan import CallSite, ModuleScan, dotted_path
from tune.promotion.find.project import Project, ProjectSymbol, project_of
from tune.promotion.find.signatures import signature_of
from tune.promotion.find.usages import is_open_cli, takes_any_class_by_cli
from tune.promotion.options.declared_options import find_options, is_lightning_cli
from tune.promotion.options.fire_components import (
    TRAINS,
    find_fire_commands,
    find_positionals,
    find_required_parameters,
)
from tune.promotion.options.option import Option, OptionParser
from tune.promotion.options.option_reads import may_be_executed, reads_command_line
from tune.promotion.options.parser_defaults import is_add_argument
from tune.promotion.program import Program

CONFIG_NAMES = ("config.y*ml", "*.y*ml", "config/*.y*ml", "configs/*.y*ml")
"""Where a config file of LightningCLI's may lie, below the working directory or beside the program."""
CONFIG_FOLDERS = ("config.*", "configs/*", "config/*", "conf/*", "*.y*ml")
"""Where that of another program may lie, likewise."""
OF_OTHERS = OF_TOOLS | {
    "environment.yml",
    "environment.yaml",
    "mkdocs.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
}
OF_A_FILE = re.compile(r"(^|_)(config|cfg|conf|settings?|hparams|params|ya?ml|json|toml)(_file|_path)?$", re.IGNORECASE)
"""Names of options that name a config file."""
CONFIG_KEYS = frozenset({"model", "trainer", "fit"})
"""Keys by which one is told from other files."""

UNKNOWN_WORDS = "unrecognized arguments"
"""What argparse says of words that it does not take."""
REQUIRED_NAMES = re.compile(r"arguments are required: (.+)")
"""What it says of words that it misses."""

TRAINING = frozenset({"train", "fit"})
"""Words of a command that trains."""
MAY_BE_LEFT_OUT = frozenset({"?", "*", "argparse.OPTIONAL", "argparse.REMAINDER", "argparse.ZERO_OR_MORE"})
"""Values of `nargs` with which no word has to stand on the command line."""


@dataclass(frozen=True, slots=True)
class RequiredWord:
    """A word that has to stand on a script's command line."""

    name: str
    """``--data``, the name of a positional argument, or ``fit`` of a LightningCLI."""
    place: str
    """``file:line`` of its declaration."""
    example: str
    """What the user may write."""
    files: tuple[str, ...] = ()
    """The config files that lie there, of which it may name another."""
    is_of_cli: bool = False
    """Whether LightningCLI itself requires it: its command stands before the options of it."""
    is_command: bool = False
    """Whether it is the command that trains: no other word would be given in its place."""


def find_required_words(program: Program) -> tuple[RequiredWord, ...]:
    """Return them in the order of the files; those of argparse, click, fire, jsonargparse and LightningCLI alone.

    What the config file says that is proposed for a LightningCLI no word has to say.
    """
    project = project_of(program)
    found = [word for survey in project.surveys.values() for word in _find_required(survey, project)]
    of_cli = [_with_config(word, found) for word in found if word.is_of_cli]
    said = {key for word in of_cli for key in _keys_of_config(word.example)}
    return (*of_cli, *(word for word in found if not word.is_of_cli and word.name.lstrip("-") not in said))


def find_command(program: Program) -> str | None:
    """Return the command line of a program that requires nothing but the command that trains; None for others."""
    required = find_required_words(program)
    is_certain = bool(required) and all(word.is_command for word in required)
    return " ".join(word.example for word in required) if is_certain else None


def _with_config(word: RequiredWord, found: Sequence[RequiredWord]) -> RequiredWord:
    """Return LightningCLI's word with the first config file, where that says what the parser requires beside it."""
    if "--config" in word.example or not word.files:
        return word
    example = f"{word.example} --config {shlex.quote(word.files[0])}"
    said = set(_keys_of_config(example))
    is_said = any(each.name.lstrip("-") in said for each in found if not each.is_of_cli)
    return replace(word, example=example) if is_said else word


def _keys_of_config(example: str) -> Iterator[str]:
    """Yield the keys at the top of the config file that an example names, and of its part for the command."""
    command, _, file = example.partition("--config ")
    held = read_mapping(Path(*shlex.split(file))) or {} if file else {}
    part = held.get(command.strip())
    yield from (str(key) for each in (held, part) if isinstance(each, Mapping) for key in each)


def suggest_args(program: Program, args: Sequence[str], said: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return a command line for a program that its parser refused, and the config files of which it names the first.

    The command line is empty where the source tells nothing beside ``args``. ``said``: the parser's words.
    """
    required = find_required_words(program)
    words = shlex.split(" ".join(each.example for each in required))
    files = tuple(dict.fromkeys(file for each in required for file in each.files))
    kept = [] if UNKNOWN_WORDS in said else list(args)
    if files and "--config" not in words and any(each.is_of_cli for each in required):
        words += ["--config", files[0]]
    names = {word.partition("=")[0] for word in kept}
    if {"--config", "-c"} & names and not {word for word in words if word.startswith("-")} - names - {"--config"}:
        words = []
    missing: list[str] = []
    for place, word in enumerate(words):
        is_value = place > 0 and words[place - 1].startswith("-") and not word.startswith("-")
        is_there = words[place - 1] in names if is_value else word in names
        missing += [] if is_there else [word]
    if not missing:
        missing = [word for word in _read_required_names(said, kept) if word not in names]
    return ((*kept, *missing) if missing else ()), files


def _read_required_names(said: str, args: Sequence[str]) -> Iterator[str]:
    """Yield words for options that a parser misses: ``--model.width WIDTH`` of ``fit.model.width``."""
    required = REQUIRED_NAMES.search(said)
    for text in [] if required is None else required[1].split(","):
        name = text.strip().partition("/")[0]
        parts = name.split(".")
        if not name.startswith("-") and len(parts) > 1:
            name = f"--{'.'.join(parts[1:] if parts[0] in args else parts)}"
        if name.startswith("-"):
            yield from (name, parts[-1].lstrip("-").replace("-", "_").upper())


@dataclass(frozen=True, slots=True)
class UnnamedFile:
    """An option that may name a config file, and names none."""

    option: str
    files: tuple[str, ...]
    """The config files that lie there."""

    def find_holding(self, key: str) -> list[str]:
        """Return the files that hold a value: ``optim.lr``."""
        return [file for file in self.files if tuple(key.split(".")) in read_values(Path(file).absolute())]


def find_unnamed_file(
    program: Program, args: Sequence[str], options: Sequence[Option] | None = None
) -> UnnamedFile | None:
    """Return the first option that may name a config file, and names none by its default or ``args``.

    ``options``: the program's, where they were found already.
    """
    said = {word.partition("=")[0] for word in args}
    for option in find_options(program, args) if options is None else options:
        is_unset = option.value in (None, "") or isinstance(option.value, Unknown)
        if option.parser in (OptionParser.ARGPARSE, OptionParser.CLICK) and is_unset and OF_A_FILE.search(option.dest):
            return None if said & {*option.names} else UnnamedFile(option.name, find_config_files(program))
    return None


def describe_unnamed_file(names: Sequence[str], program: Program, args: Sequence[str]) -> str | None:
    """Return the words with which values of a config file are known that names may mean; None where there are none."""
    unnamed = find_unnamed_file(program, args)
    for name in names if unnamed is not None else ():
        assert unnamed is not None
        key = name.strip("-=")
        for file in unnamed.find_holding(key):
            words = join_words(["--args", join_words([*args, unnamed.option, file])])
            return f"Did you mean '{key}=' of {file}?  Then add {words}."
    return None


def describe_positional(names: Sequence[str], program: Program) -> str | None:
    """Return what helps where a name is that of a word without a name on the command line; None where none is."""
    for word in find_required_words(program):
        if word.name in names:
            return f"{word.name} is a word of the command line, without a name ({word.place}): only --args gives it."
    return None


def describe_hidden_options(program: Program, written: str) -> str | None:
    """Return what lists the options of a LightningCLI whose classes its command line, or a config file, names.

    ``written``: the program as the user named it. None for another program.
    """
    if not takes_any_class_by_cli(project_of(program)):
        return None
    example = " ".join(each.example for each in find_required_words(program))
    if "--config" not in example and program.naming_files:
        file = relative_if_shorter(program.naming_files[0])
        example = f"{example} --config {join_words([file])}".lstrip()
    command = f"{this_command()} constants {written} {join_words(['--args', example or '--model CLASS'])}"
    return f"the command line says which classes LightningCLI builds: `{command}` lists their options and values too"


def _find_configs(program: Program) -> tuple[str, ...]:
    """Return LightningCLI's config files as the command line would name them, those of the first place with any."""
    folders = dict.fromkeys((Path.cwd(), program.path.parent))
    for name in CONFIG_NAMES:
        for folder in folders:
            found = [path for path in sorted(folder.glob(name)) if CONFIG_KEYS & (read_mapping(path) or {}).keys()]
            if found:
                return tuple(map(os.path.relpath, found))
    return ()


def _words_of_cli(called: CallSite, survey: ModuleScan, project: Project) -> Iterator[RequiredWord]:
    """Yield the command that a LightningCLI requires, with the config file that it cannot do without; or that alone.

    Where it can do without, the file is proposed if it is the only one.
    """
    takes_command = _takes_a_command(called, survey, project)
    reads_words = is_lightning_cli(called, survey, project) and reads_command_line(called)
    if not (takes_command or reads_words):
        return
    files = _find_configs(project.program)
    is_needed = is_open_cli(called.node) or _requires_parameters(called.node, survey, project)
    is_proposed = files and (is_needed or (takes_command and len(files) == 1))
    words = (["fit"] if takes_command else []) + ([f"--config {shlex.quote(files[0])}"] if is_proposed else [])
    if words:
        place = survey.place_of_line(called.node.lineno)
        name, is_certain = words[0].partition(" ")[0], len(files) == 1 or not (files or is_needed)
        yield RequiredWord(name, place, " ".join(words), files, is_of_cli=True, is_command=is_certain)


def _requires_parameters(node: ast.Call, survey: ModuleScan, project: Project) -> bool:
    """Tell whether a class that a LightningCLI builds has a parameter without a default, which no link fills."""
    keywords = {each.arg: each.value for each in node.keywords}
    if "parser_kwargs" in keywords:
        return False  # it may name config files
    for place, (keyword, part) in enumerate((("model_class", "model"), ("datamodule_class", "data"))):
        given = node.args[place] if place < len(node.args) else keywords.get(keyword)
        own = project.resolve_name(dotted_path(given) or "", survey) if given is not None else None
        signature = signature_of(own, project) if isinstance(own, ProjectSymbol) else None
        for each in signature.parameters if signature is not None else ():
            is_linked = any(f"{part}.{each.name}" in survey.strings for survey in project.surveys.values())
            if each.default is None and not is_linked:
                return True
    return False


def _find_required(survey: ModuleScan, project: Project) -> Iterator[RequiredWord]:
    commands = _find_subcommands(survey)
    chosen = next((each for each in commands.values() if TRAINS.search(each.name)), None)
    told: set[str] = set()
    for called in filter(lambda each: may_be_executed(each, project), survey.calls):
        node = called.node
        yield from _words_of_cli(called, survey, project)
        command = commands.get(_receiver_of(node))
        if command is not None and chosen is not None:
            if command.name != chosen.name:
                continue  # it is required behind another command
            if command.name not in told:
                told.add(command.name)
                place = survey.place_of_line(command.line)
                is_command = _is_certain(command.name, [each.name for each in commands.values()])
                yield RequiredWord(command.name, place, command.name, is_command=is_command)
        if fire := find_fire_commands(called, survey, project):
            name = next((each for each in fire if TRAINS.search(each)), next(iter(fire)))
            yield RequiredWord(name, survey.place_of_line(node.lineno), name, is_command=_is_certain(name, fire))
        yield from _words_of_function(called, survey, project)
        yield from _find_declared(node, survey, project.program)


def _is_certain(name: str, names: Collection[str]) -> bool:
    """Tell whether a command is the only one of several whose name says that it trains."""
    training = [each for each in names if TRAINING & set(re.split(r"[_-]", each.casefold()))]
    return training == [name] or name in TRAINING


def _words_of_function(called: CallSite, survey: ModuleScan, project: Project) -> Iterator[RequiredWord]:
    """Yield what fire or jsonargparse require for a function's parameters without a default."""
    positionals = find_positionals(called, survey, project)
    for parameter in find_required_parameters(called, survey, project):
        name = parameter.name if parameter.name in positionals else f"--{parameter.name}"
        files = find_config_files(project.program) if OF_A_FILE.search(parameter.name) else ()
        place = parameter.survey.place_of_line(parameter.declared.lineno)
        yield RequiredWord(name, place, _example(name, files), files)


def _find_declared(node: ast.Call, survey: ModuleScan, program: Program) -> Iterator[RequiredWord]:
    """Yield the word that a declaration of argparse's or click's requires."""
    names = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    keywords = {each.arg: each.value for each in node.keywords}
    callee = node.func.attr if isinstance(node.func, ast.Attribute) else (dotted_path(node.func) or "")
    callee = "add_argument" if is_add_argument(node.func, survey) else callee
    if not names or callee not in ("add_argument", "option", "argument") or "default" in keywords:
        return
    is_positional = not names[0].startswith("-") and callee != "option"
    if _is_true(keywords.get("required")) or (is_positional and _must_be_there(keywords)):
        name, slash, _ = max(names, key=len).partition("/")  # click's `--lstm/--cnn` are two flags
        if slash or _is_true(keywords.get("is_flag")):
            yield RequiredWord(name, survey.place_of_line(node.lineno), name)
            return
        files = find_config_files(program) if OF_A_FILE.search(name.lstrip("-").replace("-", "_")) else ()
        yield RequiredWord(name, survey.place_of_line(node.lineno), _example(name, files), files)


@dataclass(frozen=True, slots=True)
class _Subcommand:
    name: str
    line: int


def _find_subcommands(survey: ModuleScan) -> dict[str, _Subcommand]:
    """Return the parsers of subcommands by the names that hold them: ``train = parts.add_parser("train")``."""
    found: dict[str, _Subcommand] = {}
    for variable, values in survey.held.items():
        match values:
            case [ast.Call(func=ast.Attribute(attr="add_parser"), args=[ast.Constant(value=str(name)), *_]) as node]:
                found[variable] = _Subcommand(name, node.lineno)
    return found


def _receiver_of(node: ast.Call) -> str:
    """Return the name of the parser that an option is declared of; nothing where it has none."""
    match node.func:
        case ast.Attribute(value=ast.Name(id=name)):
            return name
        case _:
            return ""


def _takes_a_command(called: CallSite, survey: ModuleScan, project: Project) -> bool:
    """Tell whether a call builds a LightningCLI that runs what the command line says: ``fit``."""
    keywords = {each.arg: each.value for each in called.node.keywords}
    is_named = (dotted_path(called.node.func) or "").rpartition(".")[2] == "LightningCLI"
    if not is_named and not is_lightning_cli(called, survey, project):
        return False
    if _is_false(keywords.get("run")) or not reads_command_line(called):
        return False
    meaning = project.resolve_name(dotted_path(called.node.func) or "", survey)
    calls = ast.walk(meaning.node) if isinstance(meaning, ProjectSymbol) else ()
    inner = [each.value for node in calls if isinstance(node, ast.Call) for each in node.keywords if each.arg == "run"]
    return not any(map(_is_false, inner))


def _example(name: str, files: Sequence[str]) -> str:
    said = join_words(files[:1]) if files else name.lstrip("-").replace("-", "_").upper()
    return f"{name} {said}" if name.startswith("-") else said


def find_config_files(program: Program) -> tuple[str, ...]:
    """Return the config files below the working directory, or beside the program, those of the first place with any."""
    folders = dict.fromkeys((Path.cwd(), program.path.parent))
    for pattern in CONFIG_FOLDERS:
        for folder in folders:
            paths = (path for path in sorted(folder.glob(pattern)) if path.suffix in SUFFIXES)
            own = [path for path in paths if path.name not in OF_OTHERS and not path.name.startswith(".")]
            if found := tuple(os.path.relpath(path) for path in own if read_mapping(path)):
                return found
    return ()


def _must_be_there(keywords: dict[str | None, ast.expr]) -> bool:
    """Tell whether a positional argument takes at least one word."""
    match keywords.get("nargs"):
        case None:
            return not _is_false(keywords.get("required"))
        case ast.Constant(value=int(number)):
            return number > 0
        case ast.Constant(value=text):
            return text not in MAY_BE_LEFT_OUT
        case other:
            return (dotted_path(other) or "") not in MAY_BE_LEFT_OUT


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False

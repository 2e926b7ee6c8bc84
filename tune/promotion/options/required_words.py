"""What a script's parser refuses to do without, as its source tells."""

import ast
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tune.errors import relative_if_shorter
from tune.invocation import join_words, this_command
from tune.promotion.configs.config_file import SUFFIXES, read_mapping
from tune.promotion.configs.read_files import OF_TOOLS
from tune.promotion.find.module_scan import CallSite, ModuleScan, dotted_path
from tune.promotion.find.project import Project, ProjectSymbol, project_of
from tune.promotion.find.usages import is_open_cli, takes_any_class_by_cli
from tune.promotion.options.declared_options import is_lightning_cli
from tune.promotion.options.option_reads import may_be_executed
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

TRAINS = re.compile(r"train|fit")
"""In the name of the command that a search gives."""

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


def find_required_words(program: Program) -> tuple[RequiredWord, ...]:
    """Return them in the order of the files; those of argparse, click and LightningCLI alone."""
    project = project_of(program)
    return tuple(word for survey in project.surveys.values() for word in _find_required(survey, project))


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


def _find_config(program: Program, *, is_needed: bool) -> str | None:
    """Return LightningCLI's config file as the command line would name it; None where there is none.

    Of several it is the first one where the CLI cannot do without (``is_needed``), else none.
    """
    folders = dict.fromkeys((Path.cwd(), program.path.parent))
    for name in CONFIG_NAMES:
        for folder in folders:
            found = [path for path in sorted(folder.glob(name)) if CONFIG_KEYS & (read_mapping(path) or {}).keys()]
            if found:
                return os.path.relpath(found[0]) if len(found) == 1 or is_needed else None
    return None


def _find_required(survey: ModuleScan, project: Project) -> Iterator[RequiredWord]:
    commands = _find_subcommands(survey)
    chosen = next((each for each in commands.values() if TRAINS.search(each.name)), None)
    told: set[str] = set()
    for called in filter(lambda each: may_be_executed(each, project), survey.calls):
        node = called.node
        if _takes_a_command(called, survey, project):
            config = _find_config(project.program, is_needed=is_open_cli(node))
            words = "fit" if config is None else f"fit --config {shlex.quote(config)}"
            yield RequiredWord("fit", survey.place_of_line(node.lineno), words)
        command = commands.get(_receiver_of(node))
        if command is not None and chosen is not None:
            if command.name != chosen.name:
                continue  # it is required behind another command
            if command.name not in told:
                told.add(command.name)
                yield RequiredWord(command.name, survey.place_of_line(command.line), command.name)
        yield from _find_declared(node, survey, project.program)


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
        name = max(names, key=len)
        yield RequiredWord(name, survey.place_of_line(node.lineno), _example(name, program))


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
    if "args" in keywords or _is_false(keywords.get("run")):
        return False
    meaning = project.resolve_name(dotted_path(called.node.func) or "", survey)
    calls = ast.walk(meaning.node) if isinstance(meaning, ProjectSymbol) else ()
    inner = [each.value for node in calls if isinstance(node, ast.Call) for each in node.keywords if each.arg == "run"]
    return not any(map(_is_false, inner))


def _example(name: str, program: Program) -> str:
    metavar = name.lstrip("-").replace("-", "_").upper()
    file = find_config_file(program) if OF_A_FILE.search(name.lstrip("-").replace("-", "_")) else None
    said = metavar if file is None else join_words([file])
    return f"{name} {said}" if name.startswith("-") else said


def find_config_file(program: Program) -> str | None:
    """Return the first config file below the working directory, or beside the program; None where there is none."""
    folders = dict.fromkeys((Path.cwd(), program.path.parent))
    paths = (path for pattern in CONFIG_FOLDERS for folder in folders for path in sorted(folder.glob(pattern)))
    for path in paths:
        is_other = path.name in OF_OTHERS or path.name.startswith(".") or path.suffix not in SUFFIXES
        if not is_other and read_mapping(path):
            return os.path.relpath(path)
    return None


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

"""What an option holds in the baseline, which gets no word for it: by the space's ``args``, a config file, its default.

Where that is not certain the value is Unknown: the sampler would learn a wrong one as the baseline's.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tune.promotion.configs.config_file import ConfigPlace, read_mapping, read_values
from tune.promotion.configs.config_layers import COMMANDS, CONFIG
from tune.promotion.configs.hydra_values import compose_config
from tune.promotion.configs.read_files import parses_configs
from tune.promotion.find.literals import Unknown
from tune.promotion.find.module_scan import dotted_path
from tune.promotion.find.project import ProjectSymbol, project_of
from tune.promotion.options.declared_options import imported_packages
from tune.promotion.options.option import Option, OptionParser
from tune.promotion.program import Program
from tune.space.dimensions import Value, is_int
from tune.space.parse_dimension import parse_scalar

UNSAID = Unknown("not in this file")
CONFIG_SUFFIXES = (".yaml", ".yml", ".json", ".toml", ".ini", ".cfg")


def option_in_force(option: Option, program: Program, args: Sequence[str], args_place: str) -> Option:
    """Return an option with the value that it holds where ``args`` alone stand on the command line, and its place.

    ``args_place``: of ``args``, which may name a config file.
    """
    if option.parser is OptionParser.FILE:
        return option
    value = value_in_force(option, program, args)
    config = None if isinstance(value, Unknown) else _config_place(option, program, args)
    if config is not None:
        return replace(option, value=value, config=config, place=str(config), default=None)
    said = option.parser is OptionParser.HYDRA and option.dest in {word.lstrip("+~").partition("=")[0] for word in args}
    changed = said or repr(value) != repr(option.value)
    given = changed or any(word.partition("=")[0] in option.names or _may_mean(word, option) for word in args)
    place, default = args_place if changed else option.place, None if given else option.default
    return replace(option, value=value, config=None, place=place, default=default)


def value_in_force(option: Option, program: Program, args: Sequence[str]) -> Value | Unknown:
    """Return what an option holds where ``args`` alone stand on the command line."""
    if option.parser is OptionParser.FILE:
        return option.value
    if option.parser is OptionParser.HYDRA:
        composed = compose_config(program, args)
        return _by_word(option, args) if composed is None else composed.values.get(option.dest, option.value)
    if option.parser is OptionParser.WORDS:
        return _by_word(option, args)
    value = option.value
    if parses_configs(program):
        found = _by_config(option, args)
    elif _reads_elsewhere(program):
        found = _by_name(replace(option, value=Unknown("may stand in a config file")), args)
    else:
        found = _by_name(_as_loaded(option, program, args), args)
    return float(found) if found is not value and option.is_float and is_int(found) else found


def _config_place(option: Option, program: Program, args: Sequence[str]) -> ConfigPlace | None:
    """Return where the value in force stands in a config file; None where it stands in none."""
    if option.parser is OptionParser.HYDRA:
        composed = compose_config(program, args)
        return None if composed is None else composed.places.get(option.dest)
    if not parses_configs(program):
        return None
    path, commands = option.dest.split("."), [word for word in args if word in COMMANDS]
    place: ConfigPlace | None = None
    for position, word in enumerate(args):
        name, equals, text = word.partition("=")
        if name in CONFIG:
            file = text if equals else next(iter(args[position + 1 : position + 2]), "")
            if _in_file(file, path, commands, UNSAID) is not UNSAID:
                place = _place_in(Path(file).absolute(), path, commands, program)
        elif name in option.names:
            place = None
    return place


def _place_in(file: Path, path: Sequence[str], commands: Sequence[str], program: Program) -> ConfigPlace | None:
    held: Any = read_mapping(file)
    if held is None:
        return None
    keys: list[str | int] = [*[command for command in commands if isinstance(held.get(command), Mapping)][:1]]
    held = held[keys[0]] if keys else held
    for key in path:
        if held is not _last_of(held):
            keys, held = [*keys, len(held) - 1], _last_of(held)
        if isinstance(held, Mapping) and key not in held and isinstance(held.get("init_args"), Mapping):
            keys, held = [*keys, "init_args"], held["init_args"]
        if not isinstance(held, Mapping) or key not in held:
            return None
        keys, held = [*keys, key], held[key]
    found = read_values(file).get(tuple(keys))
    name = program.name_of(file) if file.is_relative_to(program.root) else str(file)
    return None if found is None else ConfigPlace(path=file, name=name, keys=tuple(keys), line=found[1])


def _by_word(option: Option, args: Sequence[str]) -> Value | Unknown:
    """Return what the last ``key=value`` says."""
    texts = [text for name, equals, text in (word.partition("=") for word in args) if f"{name}=" in option.names]
    return parse_scalar(texts[-1]) if texts else option.value


def _by_name(option: Option, args: Sequence[str]) -> Value | Unknown:
    """Return what follows an option's name, the last time that it is given."""
    value = option.value
    for position, word in enumerate(args):
        name, equals, text = word.partition("=")
        if name in option.names:
            value = _parse_given_value(option, text if equals else None, args[position + 1 :])
        elif _may_mean(word, option):
            value = Unknown(word)
    return value


def _parse_given_value(option: Option, text: str | None, following: Sequence[str]) -> Value | Unknown:
    """Return what an option that is given is worth; ``text`` stands behind its equals sign."""
    if option.is_flag:
        return option.sets
    if option.takes_several or isinstance(option.value, list | tuple):
        return Unknown("given in args")
    if text is None:
        return parse_scalar(following[0]) if following else option.value
    return parse_scalar(text)


def _as_loaded(option: Option, program: Program, args: Sequence[str]) -> Option:
    """Return an option whose value an action of the program's own may have set, of a file that ``args`` name."""
    for position, word in enumerate(args) if args else ():
        name, equals, text = word.partition("=")
        file = text if equals else next(iter(args[position + 1 : position + 2]), "")
        if name.startswith("-") and file.endswith(CONFIG_SUFFIXES) and name in _names_with_own_action(program):
            held = read_mapping(Path(file).absolute())
            if held is None or option.dest in held:
                return replace(option, value=Unknown(f"in {file}, as {name} may set it"))
    return option


def _names_with_own_action(program: Program) -> Iterator[str]:
    """Yield the names of options whose action is a class of the program: ``add_argument("--conf", action=Load)``."""
    project = project_of(program)
    for survey in project.surveys.values():
        for called in survey.calls:
            action = next((each.value for each in called.node.keywords if each.arg == "action"), None)
            path = None if action is None else dotted_path(action)
            if path is not None and isinstance(project.resolve_name(path, survey), ProjectSymbol):
                yield from (str(each.value) for each in called.node.args if isinstance(each, ast.Constant))


def _may_mean(word: str, option: Option) -> bool:
    """Tell whether a word may be an option's short name with its value, or the beginning of a long name."""
    name = word.partition("=")[0]
    short = any(len(each) == 2 and word.startswith(each) for each in option.names)
    long = len(name) > 2 and name.startswith("--") and any(each.startswith(name) for each in option.names)
    return short or long


def _reads_elsewhere(program: Program) -> bool:
    """Tell whether options may come from a file, the environment, or a Namespace that is filled already."""
    if imported_packages(program) & {"configargparse", "simple_parsing"}:
        return True
    return any(_fills_otherwise(node) for source in program.sources.values() for node in ast.walk(source.tree))


def _fills_otherwise(node: ast.AST) -> bool:
    match node:
        case ast.keyword(arg="fromfile_prefix_chars" | "auto_envvar_prefix" | "default_map"):
            return True
        case ast.Call(func=ast.Attribute(attr="parse_args" | "parse_known_args"), args=args, keywords=keywords):
            return len(args) > 1 or any(keyword.arg == "namespace" for keyword in keywords)
        case _:
            return False


def _by_config(option: Option, args: Sequence[str]) -> Value | Unknown:
    """Return what jsonargparse makes of ``args``: each word and each config file over what came before."""
    path, value = option.dest.split("."), option.value
    commands = [word for word in args if word in COMMANDS]
    for position, word in enumerate(args):
        name, equals, text = word.partition("=")
        if not name.startswith("-"):
            continue
        text = text if equals else next(iter(args[position + 1 : position + 2]), "")
        holder = name.strip("-+").replace("-", "_")
        if name in CONFIG:
            value = _in_file(text, path, commands, value)
        elif name in option.names:
            value = _parse_given_value(option, text, ())
        elif option.dest.startswith(f"{holder}.") or (holder and text.endswith(CONFIG_SUFFIXES)):
            value = Unknown(f"{name} {text}")  # a class, or a config file, of its own
    return value


def _in_file(text: str, path: Sequence[str], commands: Sequence[str], before: Value | Unknown) -> Value | Unknown:
    """Return what a config file says of an option, ``before`` where it says nothing of it."""
    held = read_mapping(Path(text))
    if held is None:
        return Unknown(f"in {text}")
    for command in commands:
        if isinstance(held.get(command), Mapping):
            return _in_mapping(held[command], path, before, text)
    return _in_mapping(held, path, before, text)


def _last_of(held: Any) -> Any:
    """Return the last class of a list of them, which ``--trainer.callbacks.patience`` means; else what is there."""
    return held[-1] if isinstance(held, list) and held and isinstance(held[-1], Mapping) else held


def _in_mapping(held: Any, path: Sequence[str], before: Value | Unknown, file: str) -> Value | Unknown:
    head, *rest = path
    held = _last_of(held)
    if not isinstance(held, Mapping) or any("." in str(key) for key in held):
        return before if held is None else Unknown(f"in {file}")
    if head not in held and "class_path" in held:
        held = held.get("init_args") or {}
        if head not in held:
            return Unknown(f"in {file}")  # the default of another class
    if head not in held:
        return before
    if rest:
        return _in_mapping(held[head], rest, before, file)
    value: Value = held[head]
    return Unknown(f"in {file}") if isinstance(value, dict) or "${" in str(value) else value

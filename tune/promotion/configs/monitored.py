"""The metric of a program: what a callback monitors, in its source or a config file, else what it logs."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

from tune.promotion.configs.config_file import read_mapping, read_values
from tune.promotion.configs.hydra_values import compose_config
from tune.promotion.configs.read_files import read_config_files
from tune.promotion.find.literals import Unknown, evaluate_literal
from tune.promotion.find.module_scan import dotted_path
from tune.promotion.find.project import Project, project_of
from tune.promotion.find_constants import find_all
from tune.promotion.metric.conditions import UNKNOWN, KnownSettings, SettingKeys
from tune.promotion.metric.find_metric import COUNTERS, find_kind_of_callback, find_metric
from tune.promotion.metric.last_fit import find_tags_of_last_fit
from tune.promotion.metric.metric import CALLBACKS, Metric, choose_monitored, is_of_training, mode_of_callback
from tune.promotion.options.declared_options import find_options
from tune.promotion.options.option_values import value_in_force
from tune.promotion.options.parser_defaults import changed_defaults
from tune.promotion.program import Program
from tune.space.dimensions import Value
from tune.space.yaml_document import Keys

CONFIG = ("--config", "-c")
"""How LightningCLI is given a config file."""
CLASS_KEYS = ("class_path", "_target_")
"""What names a class in a config: LightningCLI's, and hydra's."""


HOLDERS = frozenset({"self", "hparams", "args", "cfg", "config", "conf", "opt", "opts", "options", "params", "hp"}) | {
    *("hyperparams", "hyperparameters", "settings", "flags", "FLAGS", "namespace", "parameters", "hparam"),
}
"""What programs call the object that their settings are attributes of."""


def find_metric_of_program(program: Program, args: Sequence[str]) -> Metric | None:
    """Return the metric that the source, or a config that ``args`` and the source name, tells; None: neither does."""
    settings = SettingsInForce(program, args)
    logged = find_metric(program, settings, find_tags_of_last_fit(project_of(program)))
    if logged is not None and logged.origin.startswith(CALLBACKS):
        return logged
    found = [
        *_find_in_hydra(program, args),
        *_find_in_files(program, args),
        *_find_in_parser(program, settings),
    ]
    first = choose_monitored(found)
    if first is None or logged is None or (is_of_training(first.name) and not is_of_training(logged.name)):
        return logged or first
    others = tuple(name for name in (logged.name, *logged.others) if name != first.name)
    return replace(first, others=others)


class SettingsInForce(KnownSettings):
    """What a program's options, config files and constants hold, by their keys."""

    def __init__(self, program: Program, args: Sequence[str]) -> None:
        self._program = program
        self._args = args

    @cached_property
    def _of_options(self) -> Mapping[str, Value | Unknown]:
        """What options and values of config files hold, by their names in what the parser returns; the last counts."""
        options = find_options(self._program, self._args)
        values = {option.dest: value_in_force(option, self._program, self._args) for option in options}
        return {dest: value for dest, value in values.items() if not (isinstance(value, str) and "${" in value)}

    @cached_property
    def texts_of_options(self) -> Mapping[str, str]:
        """Those that are texts."""
        return {dest: text for dest, text in self._of_options.items() if isinstance(text, str)}

    @cached_property
    def _of_constants(self) -> Sequence[tuple[str, Value | Unknown]]:
        constants = find_all(self._program).constants
        return [(name, constant.value) for constant in constants for name in constant.names]

    def find_text(self, keys: SettingKeys, n_alike: int = 1) -> str | None:
        """Return the text of the setting that agrees with the most of the last keys; None where two differ."""
        constants = ((name, value) for name, value in self._of_constants if isinstance(value, str))
        for held in (self.texts_of_options.items(), constants):
            agreeing: dict[tuple[int, bool], set[str]] = defaultdict(set)
            for name, text in held:
                agreeing[_count_agreeing(_parts_of(name), keys)].add(text)
            most = max(agreeing, default=(0, False))
            if most[0] >= n_alike:
                return next(iter(agreeing[most])) if len(agreeing[most]) == 1 else None
        return None

    def find_value(self, keys: SettingKeys) -> Value | Unknown:
        """Return the value of the setting whose last keys these are, behind what may hold it, as ``self.hparams``."""
        for held in (self._of_options.items(), self._of_constants):
            found = [value for name, value in held if _is_read_as(_parts_of(name), keys)]
            if found:
                return found[0] if len({repr(each) for each in found}) == 1 else UNKNOWN
        return UNKNOWN


def _parts_of(name: str) -> SettingKeys:
    return tuple(re.findall(r"\w+", name))


def _is_read_as(parts: SettingKeys, keys: SettingKeys) -> bool:
    """Tell whether keys read the setting of a name: ``args.task`` and ``self.hparams.task`` that of ``Net.task``."""
    n, _ = _count_agreeing(parts, keys)
    return n > 0 and HOLDERS.issuperset(keys[:-n]) and (n == len(parts) or (n == len(parts) - 1 and parts[0] != "self"))


def _count_agreeing(parts: SettingKeys, keys: SettingKeys) -> tuple[int, bool]:
    """Return how many of the last keys are the same, and whether these are all parts of a name."""
    n = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(reversed(parts), reversed(keys), strict=False)))
    return n, n == len(parts)


def _find_in_parser(program: Program, settings: SettingsInForce) -> Iterator[Metric]:
    """Yield what callbacks monitor that a LightningCLI takes options for, by the defaults that the program sets."""
    project = project_of(program)
    defaults = changed_defaults(project).values
    for survey in project.surveys.values():
        for called in survey.calls:
            match called.node:
                case ast.Call(func=ast.Attribute(attr="add_lightning_class_args"), args=[made, key, *_]):
                    name, callback = (
                        evaluate_literal(key),
                        find_kind_of_callback(dotted_path(made) or "", survey, project),
                    )
                    held = {
                        part: settings.texts_of_options.get(f"{name}.{part}", defaults.get(f"{name}.{part}"))
                        for part in ("monitor", "mode")
                    }
                    place = survey.place_of_line(called.node.lineno)
                    yield from _metric_of_callback({**held, "class_path": callback}, place, project)


def _find_in_hydra(program: Program, args: Sequence[str]) -> Iterator[Metric]:
    composed = compose_config(program, args)
    for dest, value in composed.values.items() if composed is not None else ():
        part, _, last = dest.rpartition(".")
        if composed is not None and last == "monitor":
            held = {key: composed.values.get(f"{part}.{key}") for key in (*CLASS_KEYS, "mode")}
            place = composed.places.get(dest)
            where = part if place is None else str(place)
            yield from _metric_of_callback({**held, "monitor": value}, where, project_of(program))


def _find_in_files(program: Program, args: Sequence[str]) -> Iterator[Metric]:
    """Yield what callbacks monitor, those of the last config file on the command line first."""
    given = [Path(text).absolute() for text in _config_words(args)]
    for path in dict.fromkeys((*reversed(given), *read_config_files(program, args))):
        values = read_values(path)
        for keys, held in _walk_mappings(read_mapping(path), ()):
            inner = held.get("init_args")
            keys_inside = (*keys, "init_args") if isinstance(inner, Mapping) else keys
            merged = {**held, **inner} if isinstance(inner, Mapping) else held
            line = values.get((*keys_inside, "monitor"), (None, None))[1]
            name = program.name_of(path) if path.is_relative_to(program.root) else path.name
            place = name if line is None else f"{name}:{line}"
            yield from _metric_of_callback(merged, place, project_of(program))


def _config_words(args: Sequence[str]) -> Iterator[str]:
    """Yield what stands behind ``--config``."""
    for position, word in enumerate(args):
        name, equals, text = word.partition("=")
        if name in CONFIG:
            yield text if equals else next(iter(args[position + 1 : position + 2]), "")


def _walk_mappings(held: Any, keys: Keys) -> Iterator[tuple[Keys, Mapping[str, Any]]]:
    if isinstance(held, Mapping):
        yield keys, held
        for key, each in held.items():
            yield from _walk_mappings(each, (*keys, key))
    elif isinstance(held, list):
        for place, each in enumerate(held):
            yield from _walk_mappings(each, (*keys, place))


def _metric_of_callback(held: Mapping[str, Any], place: str, project: Project) -> Iterator[Metric]:
    """Yield the metric of the arguments of a callback, its class among them."""
    path = next((held[key] for key in CLASS_KEYS if isinstance(held.get(key), str)), "")
    last, name, mode = path.rpartition(".")[2], held.get("monitor"), held.get("mode")
    is_metric = isinstance(name, str) and "${" not in name and name != "???" and name not in COUNTERS
    definers = [survey for survey in project.surveys.values() if last in survey.definitions]
    callback = find_kind_of_callback(last, next(iter(definers), project.main), project) if is_metric else None
    if callback is not None:
        told = mode_of_callback(str(name), mode, is_given=mode is not None)
        yield Metric(name=str(name), mode=told, origin=f"{callback}, {place}")

"""The metric of a program: what a callback monitors, in its source or a config file, else what it logs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tune.promotion.configs.config_file import read_mapping, read_values
from tune.promotion.configs.hydra_values import compose_config
from tune.promotion.configs.read_files import read_config_files
from tune.promotion.find.metric import CALLBACKS, COUNTERS, Metric, find_metric, mode_of_callback
from tune.promotion.program import Program
from tune.space.yaml_document import Keys

CONFIG = ("--config", "-c")
"""How LightningCLI is given a config file."""
CLASS_KEYS = ("class_path", "_target_")
"""What names a class in a config: LightningCLI's, and hydra's."""


def find_metric_of_program(program: Program, args: Sequence[str]) -> Metric | None:
    """Return the metric that the source, or a config that ``args`` and the source name, tells; None: neither does."""
    logged = find_metric(program)
    if logged is not None and logged.origin.startswith(CALLBACKS):
        return logged
    found = [*_find_in_hydra(program, args), *_find_in_files(program, args)]
    first = next((each for name in CALLBACKS for each in found if each.origin.startswith(name)), None)
    if first is None or logged is None:
        return first or logged
    others = tuple(name for name in (logged.name, *logged.others) if name != first.name)
    return replace(first, others=others)


def _find_in_hydra(program: Program, args: Sequence[str]) -> Iterator[Metric]:
    composed = compose_config(program, args)
    for dest, value in composed.values.items() if composed is not None else ():
        part, _, last = dest.rpartition(".")
        if composed is not None and last == "monitor":
            held = {key: composed.values.get(f"{part}.{key}") for key in (*CLASS_KEYS, "mode")}
            place = composed.places.get(dest)
            yield from _metric_of_callback({**held, "monitor": value}, part if place is None else str(place))


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
            yield from _metric_of_callback(merged, name if line is None else f"{name}:{line}")


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


def _metric_of_callback(held: Mapping[str, Any], place: str) -> Iterator[Metric]:
    """Yield the metric of the arguments of a callback, its class among them."""
    path = next((held[key] for key in CLASS_KEYS if isinstance(held.get(key), str)), "")
    callback, name, mode = path.rpartition(".")[2], held.get("monitor"), held.get("mode")
    is_metric = isinstance(name, str) and "${" not in name and name != "???" and name not in COUNTERS
    if callback in CALLBACKS and is_metric:
        told = mode_of_callback(str(name), mode, is_given=mode is not None)
        yield Metric(name=str(name), mode=told, origin=f"{callback}, {place}")

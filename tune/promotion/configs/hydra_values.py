"""What hydra composes of a program's config files: hydra itself composes it, and nothing of the program runs.

Values that only the program knows (structured configs that it stores, search paths that it adds) are in no file: then
nothing is returned, and the trial's record says what hydra composed.
"""

import ast
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tune.promotion.configs.config_file import ConfigPlace, read_values
from tune.promotion.find.literals import Unknown, evaluate_literal
from tune.promotion.find.module_scan import CallSite, ModuleScan, dotted_path
from tune.promotion.find.project import LibrarySymbol, project_of
from tune.promotion.metric.find_metric import find_keyword_values
from tune.promotion.program import Program
from tune.space.dimensions import Value
from tune.space.yaml_document import Keys

MAX_FILES = 10_000
"""A folder with more files holds data too: it is not searched."""
CONFIG_NAME = ("--config-name", "-cn")
CONFIG_PATH = ("--config-path", "-cp")
MISSING = b"???"
OVERRIDE_MARKS = ("override ", "optional ")


@dataclass(frozen=True, slots=True, kw_only=True)
class HydraMain:
    """What ``@hydra.main`` says."""

    folder: Path
    """Of the config files, absolute."""
    name: str
    """Of the primary config."""
    version_base: tuple[str | None, ...]
    """What is given as ``version_base``, alone; nothing where it is left out: hydra then composes as hydra 1.1 does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedConfig:
    """A composed config, flat: ``model.net.width``; config groups among them (``model``)."""

    values: Mapping[str, Value | Unknown]
    """In its order. Unknown: an interpolation, or missing."""
    places: Mapping[str, ConfigPlace]
    """Where the values stand that a file says, and no word."""


def compose_config(program: Program, args: Sequence[str]) -> ComposedConfig | None:
    """Return what hydra composes where ``args`` stand on the command line; None where only running it can tell."""
    found = _compose(program, args)
    return found if isinstance(found, ComposedConfig) else None


def find_group_choices(dest: str, place: ConfigPlace) -> tuple[str, ...]:
    """Return the files that a config group is chosen from: ``adam, sgd`` of ``opt=``; none where it is no group.

    ``place``: of its entry in a defaults list. Those that others include, or that lack a value, are no choices.
    """
    if place.keys[:1] != ("defaults",):
        return ()
    folders = (folder / dest.partition("@")[0] for folder in place.path.parents)
    found = next((folder for folder in folders if folder.is_dir()), None)
    files = () if found is None else [path for path in config_files(found) if path.parent == found]
    texts = {path.stem: path.read_bytes() for path in files}
    bases = {
        stem for stem in texts for text in texts.values() if re.search(rb"^ *- *%s *$" % stem.encode(), text, re.M)
    }
    return tuple(sorted(stem for stem, text in texts.items() if stem not in bases and MISSING not in text))


def refusal_to_compose(program: Program, args: Sequence[str] = ()) -> str | None:
    """Return why hydra does not compose the program's config with these words, and which; None where it does."""
    found = _compose(program, args)
    return found if isinstance(found, str) else None


def _compose(program: Program, args: Sequence[str]) -> ComposedConfig | str | None:
    main, words = _find_main(program), _read_words(args)
    if main is None or words is None:
        return None
    folder = main.folder if words.folder is None else (main.folder / words.folder).resolve()
    files = config_files(folder)
    versions = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    if not files or any(b"searchpath" in path.read_bytes() for path in files):
        return None  # a search path may name a package, which would be imported
    return _compose_files(program, folder, words.name or main.name, main.version_base, words.overrides, versions)


def config_files(folder: Path, suffixes: tuple[str, ...] = (".yaml", ".yml")) -> tuple[Path, ...]:
    """Return the YAML files below a folder, hidden ones left out; none where there are too many files of any kind.

    ``suffixes``: how the files' names end.
    """
    found: list[Path] = []
    n_files = 0
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        n_files += len(files)
        found += [Path(here, name) for name in sorted(files) if name.endswith(suffixes)]
        if n_files > MAX_FILES:
            return ()
    return tuple(path for path in found if path.is_file())  # none that would block its reader


def program_configs(program: Program) -> tuple[Path, ...]:
    """Return the config files of a program of hydra's that lie below its root."""
    main = _find_main(program)
    return () if main is None or not program.is_project_file(main.folder / "config.py") else config_files(main.folder)


ASKED = re.compile(r"You must specify '([^']+)'.* Available options: (.*)$")
"""Hydra's words for a group of which the primary config leaves the choice to the command line."""


@dataclass(frozen=True, slots=True)
class _Words:
    overrides: tuple[str, ...] = ()
    name: str | None = None
    folder: str | None = None


def _read_words(args: Sequence[str]) -> _Words | None:
    """Return what the command line says to hydra; None where it holds an option that changes more."""
    found: dict[str, str] = {}
    overrides: list[str] = []
    waiting = iter(args)
    for word in waiting:
        name, equals, text = word.partition("=")
        if not word.startswith("-"):
            overrides.append(word)
        elif name in CONFIG_NAME or name in CONFIG_PATH:
            found["name" if name in CONFIG_NAME else "folder"] = text if equals else next(waiting, "")
        else:
            return None
    return _Words(tuple(overrides), **found)


def _find_main(program: Program) -> HydraMain | None:
    project = project_of(program)
    for survey in project.surveys.values():
        for called in survey.calls:
            path = dotted_path(called.node.func)
            match project.resolve_name(path, survey) if path is not None else None:
                case LibrarySymbol(path="hydra.main" | "hydra.main.main"):
                    return _main_of(called, survey, program.root)
    return None


def _main_of(called: CallSite, survey: ModuleScan, root: Path) -> HydraMain | None:
    given = dict(zip(("config_path", "config_name", "version_base"), called.node.args, strict=False))
    for keyword in called.node.keywords:
        given |= find_keyword_values(keyword, called, survey)
    held = {name: evaluate_literal(node) for name, node in given.items()}
    folder, name, version = (
        _config_folder(given, survey.source.path.parent, root),
        held.get("config_name"),
        held.get("version_base"),
    )
    if folder is None or not isinstance(name, str):
        return None
    base = (version if isinstance(version, str) else None,) if "version_base" in held else ()
    return HydraMain(folder=folder, name=name, version_base=base)


def _config_folder(given: Mapping[str, ast.expr], beside: Path, root: Path) -> Path | None:
    """Return the folder of ``config_path``; of ``str(root / "configs")`` the nearest upward that is called so."""
    node = given.get("config_path")
    held = "." if node is None else evaluate_literal(node)
    if isinstance(held, str):
        return (beside / held).resolve()
    match node:
        case ast.Call(func=ast.Name(id="str"), args=[inner], keywords=[]):
            return _config_folder({"config_path": inner}, beside, root)
        case (
            ast.BinOp(op=ast.Div(), right=ast.Constant(value=str(text)))
            | ast.Call(func=ast.Attribute(attr="join" | "joinpath"), args=[*_, ast.Constant(value=str(text))])
        ):
            above = (folder / text for folder in (beside, *beside.parents) if folder.is_relative_to(root))
            return next((folder.resolve() for folder in above if folder.is_dir()), None)
    return None


@lru_cache(maxsize=8)
def _compose_files(
    program: Program,
    folder: Path,
    name: str,
    version_base: tuple[str | None, ...],
    overrides: tuple[str, ...],
    versions: object,
) -> ComposedConfig | str | None:
    """``versions``: of the files, so that an edited one is read again. A text is why hydra refuses to."""
    try:
        from hydra import compose, initialize_config_dir
        from hydra.core.global_hydra import GlobalHydra
        from hydra.types import RunMode
        from omegaconf import OmegaConf

        given: Any = {"version_base": version_base[0]} if version_base else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with initialize_config_dir(str(folder), **given):
                loader = GlobalHydra.instance().config_loader()
                config = compose(name, list(overrides), return_hydra_config=True)
                defaults = loader.compute_defaults_list(name, list(overrides), RunMode.RUN).defaults
            held: Any = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    except ImportError:
        return None  # hydra is not installed
    except Exception as error:  # the files alone do not compose, whatever it is that hydra and its plugins raise
        file = program.name_of(folder / name) if folder.is_relative_to(program.root) else str(folder / name)
        return f"{file.removesuffix('.yaml')}.yaml: hydra does not compose it: {_explain_refusal(error, folder)}"
    chosen = held.pop("hydra")["runtime"]["choices"]
    groups = {group: choice for group, choice in chosen.items() if not group.startswith("hydra")}
    values = {**dict(_flatten_config(held, "")), **groups}
    layers = [(each.package or "", _main_config_file(folder, each.config_path)) for each in defaults]
    layers = [(package, path) for package, path in layers if package.partition(".")[0] != "hydra"]
    changed = {word.lstrip("+~").partition("=")[0] for word in overrides}
    parts = tuple(f"{each}." for each in changed - groups.keys())
    places = {
        dest: place
        for dest, (place, value) in _find_places(layers, program, folder).items()
        if dest in values and repr(values[dest]) == repr(value)
        if dest not in changed and not dest.startswith(parts)
    }
    return ComposedConfig(values=values, places=places)


def _explain_refusal(error: Exception, folder: Path) -> str:
    """Return what hydra says, and what to do where it does not say that: `--args`, or the file or plugin of a group."""
    said = " ".join(str(error).split())
    if (asked := ASKED.match(said)) is not None:
        options = asked[2].split()
        told = f"You must specify {asked[1]!r}, which may be {', '.join(options)}"
        return f"{told}: --args {asked[1]}={options[0]}" if options else said
    if said.startswith("You must specify"):
        return f"{said}; --args gives what the program's command line says"
    missing = getattr(error, "missing_cfg_file", None)
    if missing is None:
        return said
    others = sorted(path.stem for path in config_files(folder) if path.parent == folder)
    if said.startswith("Cannot find primary config") and others:
        there = f"name one that is there ({', '.join(others)}): --args '--config-name {others[0]}'"
        return f"{said.partition('. ')[0]}: add that file, or {there}"
    said = said.partition(" Available options in")[0].partition(" Config search path:")[0]
    group = str(missing).rpartition("/")[0]
    alike = sorted(path.stem for path in config_files(folder) if group and path.parent == folder / group)
    chosen = f", or choose what is there ({', '.join(alike)}): --args {group}={alike[0]}" if alike else ""
    return f"{said}: add that file, or install the plugin of hydra that brings it{chosen}"


def _main_config_file(folder: Path, config_path: str) -> Path:
    path = folder / config_path
    return path if path.suffix in (".yaml", ".yml") else path.with_name(f"{path.name}.yaml")


def _flatten_config(held: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Value | Unknown]]:
    for key, value in held.items():
        match value:
            case dict() if value:
                yield from _flatten_config(value, f"{prefix}{key}.")
            case str() if "${" in value or value == "???":
                yield f"{prefix}{key}", Unknown(value)
            case list() if "${" in repr(value) or any(isinstance(item, dict | list) for item in value):
                yield f"{prefix}{key}", Unknown(repr(value))
            case _:
                yield f"{prefix}{key}", value


def _find_places(
    layers: Sequence[tuple[str, Path]], program: Program, folder: Path
) -> dict[str, tuple[ConfigPlace, Value]]:
    """Return what the files say, in the order in which they are merged: the last one counts."""
    found: dict[str, tuple[ConfigPlace, Value]] = {}
    for package, path in layers:
        prefix = f"{package}." if package else ""
        if not path.is_file():  # it is stored by the program, and may say anything here
            found = {dest: each for dest, each in found.items() if not dest.startswith(prefix)}
        for keys, (value, line) in read_values(path).items():
            dest = f"{prefix}{'.'.join(map(str, keys))}"
            if keys[:1] == ("defaults",):
                dest = _group_of_entry(keys, path.parent.relative_to(folder).as_posix())
            name = program.name_of(path) if path.is_relative_to(program.root) else str(path)
            found[dest] = ConfigPlace(path=path, name=name, keys=keys, line=line), value
    return found


def _group_of_entry(keys: Keys, beside: str) -> str:
    """Return the config group that an entry of a defaults list chooses from: ``override /model`` -> ``model``."""
    text = str(keys[-1])
    for mark in OVERRIDE_MARKS:
        text = text.removeprefix(mark)
    return text.removeprefix("/") if text.startswith("/") or beside == "." else f"{beside}/{text}"

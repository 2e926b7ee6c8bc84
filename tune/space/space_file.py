"""Find, read and write a space file: `search_spaces/*.yaml`."""

import os
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from tune.errors import SpaceError, did_you_mean, relative_if_shorter, suggest_name
from tune.space.conditions import Condition, read_conditions
from tune.space.constraints import Requirement, read_requirement
from tune.space.dimensions import Dimension, Value, arguments_of, kind_of
from tune.space.library_args import check_trainer_arg
from tune.space.parse_dimension import parse_scalar, read_dimension
from tune.space.settings import SETTINGS, Settings, set_to
from tune.space.space import Mode, Objective, Script, Shape, Space, System, check_settings
from tune.space.yaml_document import Document, read_document

MOST_TRIED = 4
"""Paths that the error about a missing program names."""


def find_program_file(key: str, name: str, space_file: Path, where: str) -> Path:
    """Return the file, absolute, of a path or a dotted module.

    It is looked up from the space file's folder and its parents, then from the working directory. Raise SpaceError,
    which starts with ``where`` and lists what was tried.
    """
    folders = dict.fromkeys((*space_file.parents, Path.cwd()))
    tried = list(dict.fromkeys(path for folder in folders for path in _candidate_paths(name, folder)))
    for path in tried:
        if is_file(path):
            return path
    listing = ", ".join(relative_if_shorter(path) for path in tried[:MOST_TRIED])
    above = ", and folders above" if len(tried) > MOST_TRIED else ""
    raise SpaceError(
        where,
        f"{key}: no such program, got {name!r}; tried {listing}{above}",
        "Write its path, such as `lit/digits.py`.",
    )


def is_file(path: Path) -> bool:
    """Tell whether a file is there; a name that no file could have, or that we may not look at, is not."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def split_class(written: str) -> tuple[str, str | None]:
    """Return ``lit/digits.py`` and ``LitModel`` of ``lit/digits.py:LitModel``; None where no class is named."""
    name, colon, class_name = written.rpartition(":")
    return (name, class_name) if colon and class_name.isidentifier() else (written, None)


def _candidate_paths(name: str, folder: Path) -> list[Path]:
    """Return the paths that a name could mean below a folder: itself, or a dotted module's file or package."""
    if name.endswith(".py") or "/" in name or os.sep in name:
        return [_path_below(folder, name)]
    module = name.replace(".", "/")
    return [_path_below(folder, f"{module}.py"), _path_below(folder, f"{module}/__init__.py")]


def _path_below(folder: Path, name: str) -> Path:
    return Path(os.path.normpath(folder / os.path.expanduser(name)))  # noqa: PTH111  Path.expanduser raises on `~nobody`


FOLDER = "search_spaces"
SUFFIXES = (".yaml", ".yml")

EXAMPLES = {
    "system": "system: lit/digits.py",
    "metric": "metric: Accuracy/Val",
    "mode": "mode: max",
    "constants": "constants: {LR: {loguniform: [1e-4, 1e-1]}}",
}
"""The keys that every file has, each with a line to copy; `script` may stand for `system`."""

SEVERAL = "metric: [Accuracy/Val, n_params]"

WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
"""A string that needs no quotes, unless it is one of YAML's own words."""

UNFINISHED = re.compile(r"\s+# .+: \{(?:choice|uniform): \[.*\]\}  # ")
"""A constant whose range `promote` has left to the user."""

KEYS = frozenset({*EXAMPLES, "script", "args", "require", *SETTINGS})


def find_space(name: str, folders: Iterable[Path] | None = None) -> Path:
    """Return the file, absolute, that ``--space name`` means, with or without its suffix.

    It is a path, or a name in `search_spaces/` of one of ``folders`` (None: the working directory and its parents).
    Raise SpaceError, which lists what was tried.
    """
    here = Path.cwd()
    homes = [folder / FOLDER for folder in (folders if folders is not None else (here, *here.parents))]
    names = [name] if name.endswith(SUFFIXES) else [name, *(name + suffix for suffix in SUFFIXES)]
    tried = [Path(os.path.normpath(folder / each)) for folder in (here, *homes) for each in names]
    for path in tried:
        if is_file(path):
            return path
    near = dict.fromkeys(tried[: 2 * len(names)])
    listing = ", ".join(relative_if_shorter(path) for path in near)
    above = f", and {FOLDER}/ of the folders above" if len(homes) > 1 and len(near) < len(set(tried)) else ""
    raise SpaceError(None, f"no space file, got {name!r}; tried {listing}{above}", _known_spaces(name, homes))


def read_space(path: Path, *, program_is_here: bool = True) -> Space:
    """Return the space that a file describes; raise SpaceError, with file and line, at the first thing amiss.

    An experiment outlives its program: with ``program_is_here=False`` the path that it holds is taken as written.
    """
    document = read_document(Path(os.path.normpath(path.absolute())))
    _check_keys(document)
    program, shape = _read_program(document, look_up=program_is_here)
    leading, *others = _read_objectives(document)
    constants = document.entries["constants"]
    if not isinstance(constants, dict) or not constants:
        what = f"constants: at least one constant must vary, got {constants!r}"
        raise SpaceError(document.place_of_entry("constants"), what, _constants_hint(document))
    dimensions = {
        key: read_dimension(key, written, document.place_of_entry(f"constants.{key}"))
        for key, written in constants.items()
    }
    space = Space(
        path=document.path,
        program=program,
        shape=shape,
        metric=leading.metric,
        mode=leading.mode,
        others=tuple(others),
        dimensions=dimensions,
        conditions=_read_conditions(document, dimensions),
        requirements=_read_requirements(document, dimensions),
        settings=_read_settings(document),
        lines=document.lines,
    )
    check_settings(space)
    return space


def write_space(space: Space, path: Path) -> None:
    """Write the space with everything resolved: the program's absolute path, and every setting."""
    aside = path.with_name(f".{path.name}.new")
    with aside.open("w", encoding="utf-8") as file:
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = None  # leaves on one line, the rest in blocks
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.width = 120
        yaml.Representer = _Plain
        yaml.dump(_build_entries(space), file)
    aside.replace(path)


class _Plain(SafeRepresenter):
    """Writes what `read_space` takes: no anchors, and quotes around all but words."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_str(self, data: str) -> ScalarNode:
        # ruamel.yaml 0.19 leaves `?0` unquoted in a list, which reads back as a mapping
        is_word = WORD.fullmatch(data) and isinstance(parse_scalar(data), str)
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if is_word else '"')


_Plain.add_representer(str, _Plain.represent_str)


def _known_spaces(name: str, homes: list[Path]) -> str:
    found = {path.name: path for home in reversed(homes) for path in _spaces_in(home)}
    if not found:
        return f"Write one into {FOLDER}/, or give the path of a space file."
    near = did_you_mean(Path(name).stem, [path.stem for path in found.values()])
    if near is not None:
        path = next(path for path in found.values() if path.stem == near)
        return f"Did you mean {path.name!r}?"
    return f"Space files: {', '.join(sorted(found))}."


def _spaces_in(home: Path) -> list[Path]:
    try:
        return sorted(path for path in home.iterdir() if path.suffix in SUFFIXES)
    except OSError:
        return []


def _check_keys(document: Document) -> None:
    entries = document.entries
    for key in entries:
        if key not in KEYS:
            raise SpaceError(
                document.place_of_entry(key),
                f"{key!r} is not a key of a space file",
                suggest_name(key, KEYS, what="keys"),
            )
    if "system" in entries and "script" in entries:
        what = f"either a system or a script, got both (the other in line {document.lines['system']})"
        raise SpaceError(document.place_of_entry("script"), what, "Keep one of them.")
    for key, example in EXAMPLES.items():
        if key not in entries and not (key == "system" and "script" in entries):
            missing = "'system' (or 'script')" if key == "system" else repr(key)
            raise SpaceError(
                relative_if_shorter(document.path), f"{missing} is missing", f"Write a line such as `{example}`."
            )


def _read_program(document: Document, *, look_up: bool) -> tuple[Path, Shape]:
    key = "script" if "script" in document.entries else "system"
    written = _read_name(document, key, f"{key}: lit/digits.py")
    name, class_name = split_class(written)
    program = find_program_file(key, name, document.path, document.place_of_entry(key)) if look_up else Path(name)
    if key == "system":
        return program, _read_system(document, class_name)
    if class_name is not None:
        what = f"script: a script is run whole, got the class {class_name!r}"
        raise SpaceError(document.place_of_entry("script"), what, "Write the path alone, or `system:` for a class.")
    return program, Script(args=_read_args(document))


def _read_system(document: Document, class_name: str | None) -> System:
    if "args" in document.entries:
        what = f"args: only a script takes arguments, got {document.entries['args']!r}"
        raise SpaceError(document.place_of_entry("args"), what, "Take them out, or write `script:`.")
    return System(class_name=class_name)


def _read_args(document: Document) -> tuple[str, ...]:
    args = document.entries.get("args", [])
    if isinstance(args, list) and all(isinstance(arg, str) for arg in args):
        return tuple(str(arg) for arg in args)
    what = f"args: must be a list of strings, got {args!r}"
    raise SpaceError(document.place_of_entry("args"), what, "Write `args: [--epochs, '5']`: quote what is a number.")


def _read_objectives(document: Document) -> tuple[Objective, ...]:
    metrics, modes = document.entries["metric"], document.entries["mode"]
    if not isinstance(metrics, list):
        return (Objective(metric=_read_name(document, "metric", EXAMPLES["metric"]), mode=_read_mode(document, modes)),)
    if not metrics or not all(isinstance(metric, str) and metric.strip() for metric in metrics):
        raise SpaceError(
            document.place_of_entry("metric"),
            f"metric: must be a list of names, got {metrics!r}",
            f"Write `{SEVERAL}`.",
        )
    names = [str(metric) for metric in metrics]
    if len(set(names)) < len(names):
        raise SpaceError(
            document.place_of_entry("metric"), f"metric: one of them stands twice, got {names}", "Keep one."
        )
    if not isinstance(modes, list) or len(modes) != len(names):
        what = f"mode: {len(names)} metrics need a list of as many modes, got {modes!r}"
        raise SpaceError(
            document.place_of_entry("mode"), what, "Write `mode: [max, min]`, in the order of the metrics."
        )
    return tuple(
        Objective(metric=name, mode=_read_mode(document, mode)) for name, mode in zip(names, modes, strict=True)
    )


def _read_mode(document: Document, written: Value) -> Mode:
    match written:
        case "min":
            return "min"
        case "max":
            return "max"
        case other:
            raise SpaceError(
                document.place_of_entry("mode"),
                f"mode: must be min or max, got {other!r}",
                "Write `max` where more is better.",
            )


def _read_name(document: Document, key: str, example: str) -> str:
    written = document.entries[key]
    if isinstance(written, str) and written.strip():
        return written
    raise SpaceError(document.place_of_entry(key), f"{key}: must be a name, got {written!r}", f"Write `{example}`.")


def _read_conditions(document: Document, dimensions: dict[str, Dimension]) -> dict[str, Condition]:
    constants = document.entries["constants"]
    assert isinstance(constants, dict)
    written = {key: each["when"] for key, each in constants.items() if isinstance(each, dict) and "when" in each}
    return read_conditions(
        dimensions, written, {key: document.place_of_entry(f"constants.{key}") for key in dimensions}
    )


def _read_requirements(document: Document, dimensions: dict[str, Dimension]) -> tuple[Requirement, ...]:
    written = document.entries.get("require", [])
    texts = written if isinstance(written, list) else [written]
    found = []
    for number, text in enumerate(texts):
        where = document.place_of_entry(f"require[{number}]" if isinstance(written, list) else "require")
        if not isinstance(text, str):
            what = f"require: an expression is a string, got {text!r}"
            raise SpaceError(where, what, 'Write `require: ["D_MODEL % N_HEADS == 0"]`.')
        found.append(read_requirement(text, dimensions, where))
    return tuple(found)


def _constants_hint(document: Document) -> str:
    """Lead to the lines that `promote` could not finish."""
    lines = document.path.read_text(encoding="utf-8").splitlines()
    unfinished = [str(number) for number, line in enumerate(lines, start=1) if UNFINISHED.match(line)]
    if not unfinished:
        return f"Write `{EXAMPLES['constants']}`."
    which = f"line {unfinished[0]}" if len(unfinished) == 1 else f"lines {', '.join(unfinished)}"
    return f"Write what the comment in {which} asks for, and uncomment it."


def _read_settings(document: Document) -> Settings:
    settings = Settings()
    for name in SETTINGS:
        if name not in document.entries:
            continue
        written = document.entries[name]
        if name == "trainer" and isinstance(written, dict):
            for argument, value in written.items():
                check_trainer_arg(argument, value, document.place_of_entry(f"trainer.{argument}"))
        settings = set_to(settings, name, written, document.place_of_entry(name))
    return settings


def _build_entries(space: Space) -> dict[str, Value]:
    return {
        **_program_entries(space),
        "metric": [each.metric for each in space.objectives] if space.others else space.metric,
        "mode": [each.mode for each in space.objectives] if space.others else space.mode,
        "constants": {key: _constant_entry(key, space) for key in space.dimensions},
        **({"require": [each.text for each in space.requirements]} if space.requirements else {}),
        **{name.removesuffix("_s"): value for name, value in asdict(space.settings).items()},
    }


def _constant_entry(key: str, space: Space) -> dict[str, Value]:
    dimension = space.dimensions[key]
    entry: dict[str, Value] = {kind_of(dimension): arguments_of(dimension)}
    if key in space.conditions:
        entry["when"] = {parent: list(options) for parent, options in space.conditions[key].items()}
    return entry


def _program_entries(space: Space) -> dict[str, Value]:
    match space.shape:
        case System(class_name=None):
            return {"system": str(space.program)}
        case System(class_name=name):
            return {"system": f"{space.program}:{name}"}
        case Script(args=args):
            return {"script": str(space.program), "args": list(args)}

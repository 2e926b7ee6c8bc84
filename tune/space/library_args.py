"""The arguments that classes of libraries take: Optuna's samplers, Lightning's Trainer.

The arguments of a library's class, read from the installed file with `ast`: importing it takes seconds.
"""

import ast
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tune.errors import SpaceError, suggest_name
from tune.space.dimensions import Value, is_number
from tune.space.parse_dimension import parse_scalar

SIMPLE = frozenset({"int", "float", "bool", "str", "None"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryArgument:
    """One argument of a constructor."""

    name: str
    """As the library calls it."""
    kinds: frozenset[str]
    """Of SIMPLE: what it takes. Empty where the annotation names other types as well, which are not checked."""


@cache
def arguments_of_class(package: str, file: str, name: str) -> dict[str, LibraryArgument]:
    """Return the arguments of ``name.__init__`` in the library's order; none where it is not installed."""
    spec = importlib.util.find_spec(package)  # of a top-level name: imports nothing
    folders = (spec.submodule_search_locations or []) if spec else []
    path = next((Path(folder) / file for folder in folders if (Path(folder) / file).is_file()), None)
    if path is None:
        return {}
    tree = ast.parse(path.read_bytes())
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    functions = (node for each in classes for node in each.body if isinstance(node, ast.FunctionDef))
    init = next(node for node in functions if node.name == "__init__")
    arguments = [*init.args.args[1:], *init.args.kwonlyargs]
    return {each.arg: LibraryArgument(name=each.arg, kinds=_simple_types_of(each.annotation)) for each in arguments}


def check_argument(
    name: str,
    value: Value,
    known: Mapping[str, LibraryArgument],
    ours: Mapping[str, str],
    owner: str,
    where: str | None,
) -> None:
    """Raise SpaceError at an argument of the ``ours`` (name: why), an unknown one, or a value of the wrong type.

    ``owner`` is the key of the space file, as in ``trainer``. Nothing is unknown where the library is not installed.
    """
    if name in ours:
        raise SpaceError(where, f"{owner}: {name!r} is set by the search", f"Take it out: {ours[name]}.")
    if not known:
        return
    if name not in known:
        hint = suggest_name(name, known.keys() - ours.keys(), what="arguments")
        raise SpaceError(where, f"{owner}: no such argument, got {name!r}", hint)
    kinds = known[name].kinds
    if kinds and not _is_of_kinds(value, kinds):
        expected = " or ".join(sorted(kinds - {"None"}))
        raise SpaceError(
            where, f"{owner}: {name} takes {expected}, got {value!r}", f"Write a value of type {expected}."
        )


def _simple_types_of(annotation: ast.expr | None) -> frozenset[str]:
    """Return the simple types of ``Optional[Union[int, str]]``; nothing where there are others."""
    names = frozenset(_type_names(annotation)) if annotation is not None else frozenset()
    return names if names <= SIMPLE else frozenset()


def _type_names(node: ast.expr) -> list[str]:
    match node:
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return ["None", *_type_names(inner)]
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=members)):
            return [name for member in members for name in _type_names(member)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return [*_type_names(left), *_type_names(right)]
        case _:
            return [ast.unparse(node)]


def _is_of_kinds(value: Value, kinds: frozenset[str]) -> bool:
    name = "None" if value is None else type(value).__name__
    return name in kinds or (is_number(value) and name == "int" and "float" in kinds)


TRAINER_FILES = {"pytorch_lightning": "trainer/trainer.py", "lightning": "pytorch/trainer/trainer.py"}
"""The packages that hold a Trainer, and where; the first that is installed counts."""

OURS = {
    "logger": "every trial logs into its own version",
    "callbacks": "they cannot be written in a space file, and the search adds its own; give them in the program",
    "default_root_dir": "every trial writes into its own version",
    "enable_checkpointing": "every version keeps its best checkpoint, which `resume` and `retrain` need",
    "fast_dev_run": "it would log nothing to search by; use --fast-dev-run",
}
"""Arguments that the search sets, with the reason."""


def trainer_args() -> dict[str, LibraryArgument]:
    """Return the arguments by name, in Lightning's order; none where no Lightning is installed."""
    found = (arguments_of_class(package, file, "Trainer") for package, file in TRAINER_FILES.items())
    return next((arguments for arguments in found if arguments), {})


def check_trainer_args(args: dict[str, Value], where: str | None) -> None:
    """Raise SpaceError, which starts with ``where``, at the first argument that will not do."""
    for name, value in args.items():
        check_trainer_arg(name, value, where)


def check_trainer_arg(name: str, value: Value, where: str | None) -> None:
    """Raise SpaceError at an unknown argument, one of ours, or a value of a wrong type."""
    check_argument(name, value, trainer_args(), OURS, "trainer", where)


def parse_trainer_value(text: str) -> Value:
    """Return what a word on the command line stands for: YAML's scalars, and Python's None. Nothing is a string."""
    if text in ("", "None"):
        return None if text else ""
    return parse_scalar(text)

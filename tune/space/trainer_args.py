"""The arguments of the Lightning Trainer, read from the installed file with `ast`: importing it takes seconds."""

import ast
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tune.errors import SpaceError, suggest
from tune.space.dimensions import Value, is_number
from tune.space.scalar import scalar

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

SIMPLE = frozenset({"int", "float", "bool", "str", "None"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerArg:
    """One argument of ``Trainer.__init__``."""

    name: str
    """As Lightning calls it."""
    kinds: frozenset[str]
    """Of SIMPLE: what it takes. Empty where the annotation names other types as well, which are not checked."""


def check_trainer_args(args: dict[str, Value], where: str | None) -> None:
    """Raise SpaceError, beginning with ``where``, at an unknown argument, one of ours, or a value of the wrong type."""
    for name, value in args.items():
        check_trainer_arg(name, value, where)


def check_trainer_arg(name: str, value: Value, where: str | None) -> None:
    """Check one of them. Nothing is refused as unknown where Lightning is not installed."""
    if name in OURS:
        raise SpaceError(where, f"trainer: {name!r} is set by the search", f"Take it out: {OURS[name]}.")
    known = trainer_args()
    if not known:
        return
    if name not in known:
        hint = suggest(name, known.keys() - OURS.keys(), what="arguments")
        raise SpaceError(where, f"trainer: {name!r} is no argument of the Trainer", hint)
    kinds = known[name].kinds
    if kinds and not _fits(value, kinds):
        expected = " or ".join(sorted(kinds - {"None"}))
        raise SpaceError(
            where, f"trainer: {name} takes {expected}, got {value!r}", f"Write a value of type {expected}."
        )


def parse_trainer_value(text: str) -> Value:
    """Return what a word on the command line stands for: YAML's scalars, and Python's None. Nothing is a string."""
    if text in ("", "None"):
        return None if text else ""
    return scalar(text)


@cache
def trainer_args() -> dict[str, TrainerArg]:
    """Return the arguments by name, in Lightning's order; none where no Lightning is installed."""
    path = _trainer_file()
    if path is None:
        return {}
    init = _constructor(ast.parse(path.read_bytes()))
    arguments = [*init.args.args[1:], *init.args.kwonlyargs]
    return {each.arg: TrainerArg(name=each.arg, kinds=_kinds(each.annotation)) for each in arguments}


def _trainer_file() -> Path | None:
    for package, file in TRAINER_FILES.items():
        spec = importlib.util.find_spec(package)  # of a top-level name: imports nothing
        for folder in (spec.submodule_search_locations or []) if spec else []:
            if (Path(folder) / file).is_file():
                return Path(folder) / file
    return None


def _constructor(tree: ast.Module) -> ast.FunctionDef:
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Trainer")
    functions = (node for each in classes for node in each.body if isinstance(node, ast.FunctionDef))
    return next(node for node in functions if node.name == "__init__")


def _kinds(annotation: ast.expr | None) -> frozenset[str]:
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


def _fits(value: Value, kinds: frozenset[str]) -> bool:
    name = "None" if value is None else type(value).__name__
    return name in kinds or (is_number(value) and name == "int" and "float" in kinds)

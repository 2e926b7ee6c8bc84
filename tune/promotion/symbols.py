"""Constants that hold a name of the source, such as ``ACTIVATION = nn.ReLU``: their options are names, too."""

import ast
import builtins
from collections.abc import Iterator

from tune.errors import SpaceError
from tune.promotion.constant import Constant
from tune.promotion.find.literals import Unknown, is_dotted_name
from tune.promotion.program import Program, Source, find_module
from tune.space.dimensions import Choice, Dimension

ALTERNATIVES = {
    "torch.nn": ("ReLU", "GELU", "SiLU", "Tanh"),
    "torch.nn.functional": ("relu", "gelu", "silu", "tanh"),
    "torch.optim": ("Adam", "AdamW", "SGD"),
}
"""What may stand in the place of one another, by the module that has them."""


def find_library_name(constant: Constant, program: Program) -> str | None:
    """Return ``torch.nn.ReLU`` of a constant that holds ``nn.ReLU``; None where that is no name of a library."""
    held = constant.value
    if not isinstance(held, Unknown) or not held.is_dotted_name:
        return None
    root, _, rest = held.text.partition(".")
    module = dict(_find_imports(program.sources[constant.sites[0].source])).get(root)
    if module is None or find_module(module.partition(".")[0], program.root) is not None:
        return None
    return f"{module}.{rest}" if rest else module


def suggest_symbols(constant: Constant, program: Program) -> tuple[str, ...]:
    """Return the names that may stand in a constant's place, its own first; nothing where none is known."""
    prefix, _, own = repr(constant.value).rpartition(".")
    if not prefix or not any(own in names for names in ALTERNATIVES.values()):
        return ()  # ``from torch.nn import ReLU``: the file knows no other
    module, _, _ = (find_library_name(constant, program) or "").rpartition(".")
    others = ALTERNATIVES.get(module, ())
    if own not in others:
        return ()
    return tuple(f"{prefix}.{each}" for each in (own, *(each for each in others if each != own)))


def holds_symbols(key: str, constant: Constant, dimension: Dimension, program: Program, where: str) -> bool:
    """Tell whether the options of a constant are names that its file resolves.

    They are where the source holds a name, and the file knows the first part of each option, by an import, a
    definition or an assignment. Raise SpaceError, which starts with ``where``, where it knows some of them alone.
    """
    held = constant.value
    if not isinstance(held, Unknown) or not held.is_dotted_name or not isinstance(dimension, Choice):
        return False
    names = [option for option in dimension.options if isinstance(option, str) and is_dotted_name(option)]
    if len(names) < len(dimension.options):
        return False
    source = program.sources[constant.sites[0].source]
    known = {*_find_bound_names(source), *vars(builtins)}
    unknown = [name for name in names if name.partition(".")[0] not in known]
    if len(unknown) == len(names):
        return False  # texts, of a constant that holds a text under another name
    if unknown:
        what = f"{key}: {source.name} knows no name {unknown[0].partition('.')[0]!r}, got {unknown[0]}"
        raise SpaceError(where, what, f"Import it there, or write it as {held.text} is written.")
    return True


def _find_imports(source: Source) -> Iterator[tuple[str, str]]:
    """Yield the names that a file imports, each with what it stands for: ``nn``, ``torch.nn``."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=aliases):
                for each in aliases:
                    root = each.name.partition(".")[0]
                    yield each.asname or root, each.name if each.asname else root
            case ast.ImportFrom(names=aliases, module=str(module), level=0):
                yield from ((each.asname or each.name, f"{module}.{each.name}") for each in aliases)


def _find_bound_names(source: Source) -> Iterator[str]:
    """Yield the names that a file imports, defines or assigns, wherever it does."""
    yield from (name for name, _ in _find_imports(source))
    for node in ast.walk(source.tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.ImportFrom(names=aliases):
                yield from (each.asname or each.name for each in aliases)
            case ast.Name(id=name, ctx=ast.Store()):
                yield name

"""Constants that hold a name of the source, such as ``ACTIVATION = nn.ReLU``: their options are names, too."""

import ast
import builtins
import enum
from collections.abc import Iterator, Sequence

from tune.errors import SpaceError
from tune.promotion.constant import Constant
from tune.promotion.find.literals import Unknown, evaluate_literal, is_dotted_name
from tune.promotion.find.module_scan import ModuleScan
from tune.promotion.find.project import MAX_HOPS, LibrarySymbol, Project, ProjectSymbol, Variable, project_of
from tune.promotion.program import Program, Source
from tune.space.dimensions import Choice, Dimension, Value

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
    project = project_of(program)
    match project.resolve_name(held.text, project.surveys[constant.sites[0].source]):
        case LibrarySymbol(path=path):
            return path
        case _:
            return None


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
    """Tell whether the options of a constant are names that its file resolves; null stands for itself.

    Raise SpaceError, which starts with ``where``, where some are, and another one is neither such a name nor null.
    """
    held = constant.value
    if not isinstance(dimension, Choice) or not (held is None or (isinstance(held, Unknown) and held.is_dotted_name)):
        return False
    project = project_of(program)
    survey = project.surveys[constant.sites[0].source]
    options = [option for option in dimension.options if option is not None]
    meant = HeldKind.OPEN if held is None else _find_held_kind(repr(held), survey, project)
    if not _are_names(options, held, meant, survey.source):
        return False
    known = {*_find_bound_names(survey.source), *vars(builtins)}
    for option in options:
        if not isinstance(option, str) or not is_dotted_name(option):
            what = f"{key}: the other options are names of {survey.source.name}, got {option!r}"
            raise SpaceError(where, what, "Write a name of the source, or null.")
        if option.partition(".")[0] not in known and "*" not in known:
            what = f"{key}: {survey.source.name} knows no name {option.partition('.')[0]!r}, got {option}"
            also = "" if held is None else f", or write it as {held} is written"
            raise SpaceError(where, what, f"Import it there{also}.")
    return True


class HeldKind(enum.Enum):
    """What a name stands for, as far as the source tells."""

    OBJECT = enum.auto()
    """A class or a function, or what a library has under the name."""
    TEXT = enum.auto()
    OPEN = enum.auto()
    """Only running the program tells."""


def _find_held_kind(name: str, survey: ModuleScan, project: Project, hops: int = MAX_HOPS) -> HeldKind:
    """Return what a name of a file stands for, through the variables that hold another name."""
    match project.resolve_name(name, survey):
        case ProjectSymbol() | LibrarySymbol():
            return HeldKind.OBJECT
        case Variable(survey=owner, name=variable) if variable in owner.bindings and hops:
            node = owner.bindings[variable][-1].value
            held = Unknown("") if node is None else evaluate_literal(node)
            if isinstance(held, Unknown):
                return _find_held_kind(held.text, owner, project, hops - 1) if held.is_dotted_name else HeldKind.OPEN
            return HeldKind.TEXT if isinstance(held, str) else HeldKind.OPEN
        case None if name in vars(builtins) and name not in survey.bindings:
            return HeldKind.OBJECT
        case _:
            return HeldKind.OPEN


def _are_names(options: Sequence[Value], held: Value | Unknown, meant: HeldKind, source: Source) -> bool:
    """Tell whether options are names, and no texts that the program looks up, such as ``sum``, a builtin's name too."""
    names = [option for option in options if isinstance(option, str) and is_dotted_name(option)]
    if isinstance(held, Unknown) and held.text in names:
        return True
    known = set(_find_bound_names(source, locals_too=meant is HeldKind.OBJECT))
    known |= vars(builtins).keys() if isinstance(held, Unknown) and held.text in vars(builtins) else set()
    resolved = [name for name in names if name.partition(".")[0] in known]
    match meant:
        case HeldKind.TEXT:
            return False
        case HeldKind.OBJECT:
            return bool(resolved)
        case HeldKind.OPEN:
            return any("." in name for name in resolved) or (held is not None and len(resolved) == len(options) > 0)


def _find_bound_names(source: Source, *, locals_too: bool = True) -> Iterator[str]:
    """Yield the names that a file imports or defines, wherever it does; ``*`` where it imports all of a module.

    ``locals_too``: those that it assigns, too.
    """
    for node in ast.walk(source.tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from (each.asname or each.name.partition(".")[0] for each in aliases)
            case ast.Name(id=name, ctx=ast.Store()) if locals_too:
                yield name

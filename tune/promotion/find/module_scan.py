"""What one file binds, defines, calls, reads and overwrites. Every form of a constant is looked up in this."""

import ast
import enum
from collections import defaultdict
from dataclasses import dataclass, field

from tune.promotion.program import Source

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Branch = tuple[tuple[int, int], ...]


class BindingKind(enum.Enum):
    """What a binding does to a name; each value is a verb for an error."""

    ASSIGNED = "assigned"
    UNPACKED = "unpacked from a value that only running the program can tell"
    AUGMENTED = "changed in place"
    DELETED = "deleted"
    LOOPED = "a loop's variable"
    GLOBAL = "assigned in a function that declares it global"
    NONLOCAL = "assigned in a function that declares it nonlocal"
    ARGUMENT = "an argument of the function"
    OTHER = "bound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A name of a module's or a function's scope, bound once."""

    name: str
    line: int
    how: BindingKind
    value: ast.expr | None = None
    """The expression that this name alone takes; None where there is none."""
    chained: bool = False
    """Whether other targets take the same expression."""
    in_loop: bool = False
    branch: Branch = ()
    """The arms it stands under, outermost first: (an identity of the if or try, the arm's number)."""

    def is_exclusive_with(self, other: "Binding") -> bool:
        """Tell whether only one of the two can be executed: they stand in different arms of one statement."""
        mine, theirs = dict(self.branch), dict(other.branch)
        return any(mine[key] != theirs[key] for key in mine.keys() & theirs.keys())


@dataclass(frozen=True, slots=True)
class Scope:
    """What encloses a statement."""

    owner: ast.ClassDef | None = None
    """The innermost class, also around its methods."""
    function: ast.FunctionDef | ast.AsyncFunctionDef | None = None
    """The innermost function; None in a module's or a class's body."""
    in_loop: bool = False
    branch: Branch = ()

    @property
    def at_module_level(self) -> bool:
        """Whether a name bound here is the module's."""
        return self.owner is None and self.function is None


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call, and what encloses it."""

    node: ast.Call
    scope: Scope


@dataclass(frozen=True, slots=True)
class AttributeAssignment:
    """An assignment to an attribute or an entry: ``CFG.lr = 3``, ``CFG['lr'] += 1``, ``self.lr = 3``."""

    path: str
    """In the one spelling of names: ``CFG.lr``."""
    line: int
    scope: Scope
    value: ast.expr | None = None
    """What a plain assignment gives it."""


@dataclass(slots=True)
class Function:
    """What a function or method binds in its own scope."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    path: str
    """As a user writes it: ``main``, ``Net.configure_optimizers``, ``main.objective``."""
    outer: "Function | None"
    bindings: dict[str, list[Binding]] = field(default_factory=lambda: defaultdict(list))


@dataclass(slots=True)
class ModuleScan:
    """What one file holds. Lines are the places."""

    source: Source
    is_program: bool
    """Whether its ``if __name__ == "__main__":`` runs."""
    modules: tuple[str, ...]
    """The dotted names that a user may write for this file, the shortest first."""
    bindings: dict[str, list[Binding]] = field(default_factory=lambda: defaultdict(list))
    functions: dict[int, "Function"] = field(default_factory=dict)
    """Functions and methods, by the ``id`` of their definition."""
    definitions: dict[str, list[Definition]] = field(default_factory=lambda: defaultdict(list))
    """Functions and classes by their bare name; methods are not among them, nested classes are (``CFG.optim``)."""
    owners: dict[int, Scope] = field(default_factory=dict)
    """The scope of a definition, by its ``id``."""
    imports: list[ast.Import | ast.ImportFrom] = field(default_factory=list)
    held: dict[str, list[ast.expr]] = field(default_factory=lambda: defaultdict(list))
    """What names are given in any scope: enough to follow ``loader = partial(DataLoader, batch_size=9)``."""
    calls: list[CallSite] = field(default_factory=list)
    """In the order of the file; none inside an f-string, where Python 3.11 gives no true columns."""
    overwrites: list[AttributeAssignment] = field(default_factory=list)
    name_reads: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    bare_reads: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """The name reads that take the thing as a whole: ``dump(CFG)``, ``**CFG``; not ``CFG.lr`` or ``CFG['lr']``."""
    attribute_reads: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    strings: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Whole string literals: ``getattr(config, "LR")`` and ``CFG["lr"]`` read so."""
    scope_readers: list[int] = field(default_factory=list)
    """Calls such as ``globals()``, which may read any name of the file."""
    scope_writers: list[int] = field(default_factory=list)
    """Those that may also assign any: ``exec(open("configurator.py").read())``."""

    def place_of_line(self, line: int) -> str:
        """Return ``file:line``."""
        return f"{self.source.name}:{line}"


def dotted_path(node: ast.expr) -> str | None:
    """Return ``a.b['c']`` as ``a.b.c``; None for an expression that is no such path."""
    parts: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and type(node.slice.value) is str:
            parts.append(node.slice.value)
        else:
            return None
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if parts else node.id

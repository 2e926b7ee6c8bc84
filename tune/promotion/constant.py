"""What the finder finds: constants, the places that hold their values, and the names that it refuses."""

import ast
import enum
from collections import defaultdict
from dataclasses import dataclass, field

from tune.promotion.find.literals import Unknown
from tune.space.dimensions import Value

ReceivingParameter = tuple[str, str]
"""Callee and parameter: (``Adam``, ``betas``)."""


@dataclass(frozen=True, slots=True)
class ValueFlows:
    """Where values go, by the last name of what holds them: ``lr`` of ``self.lr`` and of ``args['lr']``."""

    receivers: dict[str, dict[ReceivingParameter, None]] = field(default_factory=lambda: defaultdict(dict))
    """The parameters that a name is given to, in the order of the files."""
    positions: dict[str, dict[tuple[str, str, int], None]] = field(default_factory=lambda: defaultdict(dict))
    """The same of positional arguments: callee, its dotted path in a library, and the position."""
    names: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    """The names that it is given to: the program's own parameters, variables and attributes."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """An expression's place as ``ast`` counts: lines from 1, columns from 0 in UTF-8 bytes; its end is past it."""

    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def from_node(cls, node: ast.expr) -> "Span":
        """Return the span of a parsed expression."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return cls(node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)

    def is_around(self, other: "Span") -> bool:
        """Tell whether the other's text lies in this one's."""
        return (self.line, self.column) <= (other.line, other.column) and (other.end_line, other.end_column) <= (
            self.end_line,
            self.end_column,
        )

    def is_overlapping(self, other: "Span") -> bool:
        """Tell whether the two share text; of two expressions one then lies in the other."""
        return (self.line, self.column) < (other.end_line, other.end_column) and (other.line, other.column) < (
            self.end_line,
            self.end_column,
        )


@dataclass(frozen=True, slots=True)
class Site:
    """An expression of the program that holds a constant's value."""

    source: str
    """The file's path below the program's root."""
    span: Span
    target: str | None = None
    """Of a chained assignment (``A = B = 7``) the one name that is meant; None: whatever the expression is for.

    To promote it alone, execution splits the statement at this span into ``held = 7``, ``A = promoted``, ``B = held``:
    the expression is still evaluated once, and the other targets, in their order, take what it gave.
    """

    def __str__(self) -> str:
        return f"{self.source}:{self.span.line}"


class ConstantKind(enum.Enum):
    """How the program writes a constant; each value is how a table of constants calls it."""

    VARIABLE = "module level"
    FIELD = "field"
    PARAMETER = "parameter"
    ARGUMENT = "argument"
    ATTRIBUTE = "attribute"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A hyperparameter that the program hardcodes."""

    name: str
    """As a space file writes it, without the module: ``LR``."""
    value: Value | Unknown = field(hash=False)
    """What the source holds now; Unknown where only running the program can tell."""
    sites: tuple[Site, ...]
    """In the order of the file; the first is the one that is shown. All of them take a promoted value."""
    names: tuple[str, ...]
    """Every way to write it, the shortest first: ``LR``, ``digits.LR``, ``lit.digits.LR``."""
    form: ConstantKind = ConstantKind.VARIABLE
    """VARIABLE: found in a module's namespace by ``name``; the others only where their expression is executed."""
    reads: tuple[str, ...] = ()
    """``file:line`` of every place that may read it; none: searching it would change nothing."""
    warnings: tuple[str, ...] = ()
    """What is legal, and worth a word before a search: sentences without the name and the place."""
    bound_to: str | None = None
    """``file:line`` of a literal that has to fit this one, as a layer's input fits a width; None: none is seen."""
    holder: str | None = None
    """The name that a function makes of it: ``LR`` of ``LR = from_environment("LR", 1e-3)``; None: there is none."""
    starred: bool = False
    """Whether a call may pass it by ``*`` or ``**``, where no look at the source tells."""

    @property
    def where(self) -> str:
        """The place of its first site."""
        return str(self.sites[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedConstant:
    """A name that looks like a constant and cannot be promoted."""

    names: tuple[str, ...]
    """Every way to write it, as for a Constant."""
    source: str
    """The file's path below the program's root."""
    what: str
    """What follows the name in the error: ``is assigned in a loop: train.py:12``."""
    hint: str
    """What to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnnamedLiteral:
    """A literal given by position to a callee whose parameters are not known."""

    callee: str
    """As a name would begin: ``make_blocks``."""
    text: str
    """The literal."""
    place: str
    """``file:line``."""


@dataclass(frozen=True, slots=True)
class ConstantScan:
    """All that one look at a program gives."""

    constants: tuple[Constant, ...]
    refusals: tuple[UnsupportedConstant, ...]
    nameless: tuple[UnnamedLiteral, ...]
    flows: ValueFlows
    """Which functions take the values."""

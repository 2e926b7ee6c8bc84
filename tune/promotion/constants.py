"""Find the hyperparameters that a program hardcodes, without importing it.

A constant is a name and one or more sites. A site is an expression in a file, known by its span: promotion executes
another value in its place, `apply` writes another literal over it, and nothing else of the program is touched.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tune.errors import ConstantError, did_you_mean
from tune.promotion.literals import Unknown, evaluate
from tune.promotion.program import Program, Source
from tune.space.dimensions import Value


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Where an expression stands, as ``ast`` counts: lines from 1, columns from 0 in UTF-8 bytes; the end excluded."""

    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def of(cls, node: ast.expr) -> "Span":
        """Return the span of a parsed expression."""
        assert node.end_lineno is not None  # parsed, not made by hand
        assert node.end_col_offset is not None
        return cls(node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)


@dataclass(frozen=True, slots=True)
class Site:
    """An expression of the program that holds a constant's value."""

    source: str
    """The file's path below the program's root."""
    span: Span

    def __str__(self) -> str:
        return f"{self.source}:{self.span.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A hyperparameter that the program hardcodes."""

    name: str
    """As a space file writes it, without the module: ``LR``."""
    value: Value | Unknown
    """What the source holds now; Unknown where only running the program can tell."""
    sites: tuple[Site, ...]
    """In the order of the file; the first is the one that is shown."""
    names: tuple[str, ...]
    """Every way to write it, the shortest first: ``LR``, ``digits.LR``, ``lit.digits.LR``."""

    @property
    def where(self) -> str:
        """The place of its first site."""
        return str(self.sites[0])


def find_constants(program: Program) -> tuple[Constant, ...]:
    """Return every constant of the program and of the project modules that it reaches, in the order of the files."""
    return tuple(constant for source in program.sources.values() for constant in _module_constants(source))


def find_constant(name: str, program: Program, constants: tuple[Constant, ...], where: str) -> Constant:
    """Return the one constant that ``name`` leads to; raise ConstantError, which starts with ``where``."""
    matches = [constant for constant in constants if name in constant.names]
    own = [constant for constant in matches if constant.sites[0].source == program.source.name]
    match own or matches:
        case [constant]:
            return constant
        case []:
            raise ConstantError(
                where, f"{name!r} is not a constant of {program.source.name}", _hint(name, constants, program)
            )
        case several if len({constant.names for constant in several}) > 1:
            ways = ", ".join(f"{constant.names[-1]} ({constant.where})" for constant in several)
            raise ConstantError(
                where, f"{name!r} is the name of {len(several)} constants", f"Write the one you mean: {ways}."
            )
        case several:
            lines = " and ".join(constant.where for constant in several)
            raise ConstantError(
                where,
                f"{name!r} is assigned more than once: {lines}",
                "Keep one assignment; which of them would count?",
            )


def _hint(name: str, constants: tuple[Constant, ...], program: Program) -> str:
    listing = f"`run_search.py constants {program.source.name}` lists them all."
    near = did_you_mean(name, [way for constant in constants for way in constant.names])
    if near is None:
        return listing
    constant = next(constant for constant in constants if near in constant.names)
    return f"Did you mean {near!r} ({constant.value!r}, line {constant.sites[0].span.line})?  {listing}"


def _module_constants(source: Source) -> Iterator[Constant]:
    """Yield the plain and annotated assignments of literals at module level."""
    for statement in source.tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield from _constant(name, value, source)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield from _constant(name, value, source)


def _constant(name: str, value: ast.expr, source: Source) -> Iterator[Constant]:
    held = evaluate(value)
    if isinstance(held, Unknown) or name.startswith("__"):
        return
    names = (name, *(f"{module}.{name}" for module in source.module_names))
    yield Constant(name=name, value=held, sites=(Site(source.name, Span.of(value)),), names=names)

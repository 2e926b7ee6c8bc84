"""Proof that a trial's values were in force: what the program holds when training begins, and what it executed."""

import ast
import enum
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from types import ModuleType
from typing import Any

from tune.errors import ProgramError, did_you_mean
from tune.promotion.constant import Constant, ConstantKind, Span
from tune.promotion.execute import SINGLE, find_defaults
from tune.promotion.program import Program
from tune.promotion.promoted_values import PromotedValues, is_expected_value
from tune.space.dimensions import Value, canonical_name

MISSING = object()


class PromotedValueCheck:
    """Checks each promoted constant twice; raises ProgramError where the program holds another value."""

    def __init__(
        self,
        constants: Mapping[str, Constant],
        values: Mapping[str, Value],
        in_force: PromotedValues,
        program: Program,
        *,
        checks_options: bool = False,
    ) -> None:
        """``checks_options``: each name that a trial may get in the place of another one has to be known, too."""
        self._checks_options = checks_options
        self._constants = {key: constant for key, constant in constants.items() if key in values}
        self._values = values
        self._in_force = in_force
        in_force.starred |= {key for key, constant in self._constants.items() if constant.starred}
        self._program = program
        self.found: dict[str, dict[str, Any]] = {}
        """For trial.json, by constant: ``value`` and ``where`` it was found in force."""

    def check_at_fit_start(self) -> None:
        """Compare names that hold a constant with its value; a program may have assigned them again."""
        self.verify_parameters()
        modules = [module for module in self._in_force.modules if sys.modules.get(module.__name__) is module]
        for key, constant in self._constants.items():
            if constant.form not in (ConstantKind.VARIABLE, ConstantKind.FIELD):
                continue
            for module, held in self._find_module_values(constant, modules):
                self._check_value(key, constant, held)
                is_symbol = self._in_force.find_expected(key) is not self._values[key]
                is_other = is_symbol or isinstance(held, enum.Enum) or key in self._in_force.made
                value = str(held) if isinstance(held, PurePath) else self._values[key] if is_other else held
                unread = "" if constant.reads else ", and nothing in the program reads it"
                self.found[key] = {"value": value, "where": f"{module} when training began{unread}"}

    def verify_executed(self) -> None:
        """Check that each promoted expression was executed, and that no parameter was given another value.

        A program may do so before the last of its fits, or in a later epoch, so it is checked when it has ended.
        """
        self.verify_parameters()
        for key, constant in self._constants.items():
            if not self._in_force.taken[key]:
                raise ProgramError(
                    constant.where,
                    f"{key} was not put in force: the program trained and never executed this place",
                    "Take it out of the space, or search the constant that the program does use.",
                )
            is_watched = SINGLE not in key and key not in self._in_force.called
            built = _find_constructed_class(constant, self._program) if is_watched else None
            if built is not None:
                raise ProgramError(
                    constant.where,
                    f"{key} is not in force: the program trained and never built an object of {built}",
                    "Take it out of the space, or search the constant that the program does use.",
                )
            self._verify_options(key, constant)
            self.found.setdefault(key, {"value": self._values[key], "where": f"{constant.where}, executed"})

    def _verify_options(self, key: str, constant: Constant) -> None:
        """Check in the pre-flight that each name that a trial may get is known where it is written."""
        if not self._checks_options or key not in self._in_force.unresolved:
            return
        option, error = self._in_force.unresolved[key]
        hint = "Write a name that is known there."
        missing = str(error.name)
        if isinstance(error, AttributeError) and (near := did_you_mean(missing, dir(error.obj))) is not None:
            hint = f"Did you mean {option.replace(missing, near)}?"
        raise ProgramError(constant.where, f"{key}: {option} is not known there: {error}", hint)

    @property
    def read_instead(self) -> dict[str, tuple[str, ...]]:
        """By attribute what the program has in its place: what fields of new objects held, or what was read.

        The latter where no object that was read held the value, and no class was read. Either may have been made of the
        value: with another value of the trial's it is another one then.
        """
        read = {
            key: tuple(instead)
            for key, instead in self._in_force.read_instead.items()
            if key not in self._in_force.read and not _is_read_of_class(self._constants[key], self._program)
        }
        return read | {key: tuple(instead) for key, instead in self._in_force.filled.items()}

    def verify_parameters(self) -> None:
        """Check that no parameter was given another value so far."""
        for key, held in self._in_force.displaced.items():
            raise ProgramError(
                self._constants[key].where,
                f"{key} is not in force: the search set {self._values[key]!r}, and a call passes {held!r}",
                "The value of that call comes from elsewhere. Search the constant or option that it comes from.",
            )

    def _check_value(self, key: str, constant: Constant, held: Any) -> None:
        wanted = self._in_force.find_expected(key)
        made = self._in_force.made.get(key, MISSING)  # by the class, of the value
        is_made = held is made or is_expected_value(held, made)
        if not is_made and not is_expected_value(held, wanted):
            raise ProgramError(
                constant.where,
                f"{key} is not in force: the search set {wanted!r}, the program holds {held!r} when training begins",
                "The program assigns it again somewhere; search the constant that it is assigned from.",
            )

    def _find_module_values(self, constant: Constant, modules: Sequence[ModuleType]) -> Iterator[tuple[str, Any]]:
        """Yield what each module made of the constant's file holds under its name; a file may be loaded twice."""
        head, *rest = canonical_name(constant.name).split(".")
        path = str(self._program.root / constant.sites[0].source)
        for module in modules:
            if (
                module.__file__ == path
                and (held := _resolve_attribute(vars(module).get(head, MISSING), rest)) is not MISSING
            ):
                yield module.__name__, held


def _is_read_of_class(constant: Constant, program: Program) -> bool:
    """Tell whether the program may read an attribute of its class or one below: ``Config.lr``, ``super().lr``."""
    *_, owner, name = canonical_name(constant.name).split(".")
    classes = {*_find_classes_below(owner, program), "cls", "__class__", "type(self)", "super()"}
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.ctx, ast.Load)
        and ast.unparse(node.value).rpartition(".")[2] in classes
        for source in program.sources.values()
        for node in ast.walk(source.tree)
    )


def _find_classes_below(name: str, program: Program) -> set[str]:
    """Return the names of a class and of those that descend from it."""
    nodes = [node for source in program.sources.values() for node in ast.walk(source.tree)]
    found = {name}
    while True:
        below = {
            node.name
            for node in nodes
            if isinstance(node, ast.ClassDef)
            and any(ast.unparse(base).partition("[")[0].rpartition(".")[2] in found for base in node.bases)
        }
        if below <= found:
            return found
        found |= below


def _resolve_attribute(held: Any, names: list[str]) -> Any:
    """Return an attribute or entry of an object, step by step; MISSING where there is none to look at."""
    for name in names:
        if isinstance(held, Mapping):
            held = held.get(name, MISSING)
        elif inspect.isdatadescriptor(found := getattr(held, name, MISSING)):
            return MISSING  # a slot, whose default lives in the constructor, or a property
        else:
            held = found
    return held


def _find_constructed_class(constant: Constant, program: Program) -> str | None:
    """Return the class whose constructor has a constant as its one parameter's default; None where none does.

    Other functions may be called in processes of their own: those of a DataLoader.
    """
    if constant.form is not ConstantKind.PARAMETER or len(constant.sites) > 1:
        return None
    (site,) = constant.sites
    for node in ast.walk(program.sources[site.source].tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for function in node.body:
            defaults = find_defaults(function.args) if isinstance(function, ast.FunctionDef) else ()
            if any(Span.from_node(default) == site.span for _, default in defaults):
                return node.name if getattr(function, "name", "") == "__init__" else None
    return None

"""Which arms of a program's conditions are executed with the values that its options and constants hold."""

import ast
import operator
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tune.promotion.find.literals import Unknown, evaluate_literal
from tune.promotion.find.module_scan import Branch
from tune.space.dimensions import Value

SettingKeys = tuple[str, ...]
"""The keys that a program reads a setting with: ``cfg, train, monitor`` of ``cfg.train.monitor``."""
UNKNOWN = Unknown("not certain")
OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.eq,  # of literals
    ast.IsNot: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, other: one in other,
    ast.NotIn: lambda one, other: one not in other,
}
OF_THE_TRAINER = frozenset({"trainer", "current_epoch", "global_step", "global_rank", "local_rank", "training"})
"""Attributes of a module that change while it trains, and are no settings."""
ENDS = (ast.Return, ast.Raise)


class KnownSettings:
    """What the settings hold with which a program is run; here nothing is known."""

    def find_text(self, keys: SettingKeys, n_alike: int = 1) -> str | None:
        """Return the text of the setting that these keys read; None where it is none, or not certain.

        ``n_alike``: how many of the last keys have to be those of the setting.
        """
        del keys, n_alike
        return None

    def find_value(self, keys: SettingKeys) -> Value | Unknown:
        """Return its value; Unknown where it is not certain."""
        del keys
        return UNKNOWN


NO_SETTINGS = KnownSettings()


def keys_of(node: ast.expr | None) -> SettingKeys:
    """Return the keys by which an expression reads a setting: attributes, subscripts and ``get``."""
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=inner, attr=key):
            return (*keys_of(inner), key)
        case ast.Subscript(value=inner, slice=ast.Constant(value=str(key))):
            return (*keys_of(inner), key)
        case ast.Call(func=ast.Attribute(value=inner, attr="get"), args=[ast.Constant(value=str(key)), *_]):
            return (*keys_of(inner), key)
        case _:
            return ()


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is known where a condition is evaluated."""

    settings: KnownSettings = NO_SETTINGS
    names: Mapping[str, str] = field(default_factory=dict)
    """Parameters whose text the call told."""
    local: Collection[str] = ()
    """What the function binds itself: no setting, even where one has the same name."""

    def evaluate_test(self, test: ast.expr) -> bool | None:
        """Return whether a condition holds; None where that is not certain."""
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                holds = self.evaluate_test(operand)
                return None if holds is None else not holds
            case ast.BoolOp(op=joined, values=values):
                found = [self.evaluate_test(each) for each in values]
                decisive = isinstance(joined, ast.Or)  # one that holds decides an `or`
                return decisive if decisive in found else None if None in found else not decisive
            case ast.Compare(left=left, ops=[compared], comparators=[right]):
                return self._compare(self._find_value(left), compared, self._find_value(right))
            case _:
                value = self._find_value(test)
                return None if isinstance(value, Unknown) else bool(value)

    def _compare(self, left: Value | Unknown, compared: ast.cmpop, right: Value | Unknown) -> bool | None:
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            return None
        try:
            return bool(OPERATORS[type(compared)](left, right))
        except TypeError:
            return None

    def _find_value(self, node: ast.expr) -> Value | Unknown:
        match node:
            case ast.Name(id=name) if name in self.names:
                return self.names[name]
            case ast.Name(id=name) if name in self.local:
                return UNKNOWN
            case ast.Name() | ast.Attribute() | ast.Subscript() | ast.Call():
                keys = keys_of(node)
                return self.settings.find_value(keys) if keys else UNKNOWN
            case ast.Set(elts=elements):
                return evaluate_literal(ast.Tuple(elts=elements))
            case _:
                return evaluate_literal(node)

    def walk_reachable(self, body: Sequence[ast.stmt]) -> Iterator[tuple[ast.AST, bool]]:
        """Yield the nodes of statements that are executed, each with whether no setting decides about it.

        The arms of a condition that is known not to hold are left out, and what follows one that returns.
        """
        for statement in body:
            yield statement, True
            if not isinstance(statement, ast.If | ast.Match):
                yield from self._walk_inside(statement)
                continue
            test = statement.test if isinstance(statement, ast.If) else statement.subject
            yield from ((node, True) for node in ast.walk(test))
            arm = self._choose_arm(statement)
            for each in _arms_of(statement) if arm is None else [arm]:
                is_certain = arm is not None or not _reads_a_setting(test)
                yield from ((node, is_certain and inner) for node, inner in self.walk_reachable(each))
            if arm is not None and any(isinstance(each, ENDS) for each in arm):
                return

    def _choose_arm(self, statement: ast.If | ast.Match) -> Sequence[ast.stmt] | None:
        """Return the statements that are executed; None where that is not certain."""
        if isinstance(statement, ast.If):
            holds = self.evaluate_test(statement.test)
            return None if holds is None else statement.body if holds else statement.orelse
        value = self._find_value(statement.subject)
        if isinstance(value, Unknown):
            return None
        for case in statement.cases:
            held = UNKNOWN if case.guard is not None else _values_of(case.pattern)
            if isinstance(held, Unknown):
                return None
            if held is None or value in held:
                return case.body
        return ()

    def _walk_inside(self, node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
        """Yield what stands in a statement that is no condition; blocks of statements in their order."""
        for name in node._fields:
            held = getattr(node, name, None)
            if isinstance(held, list) and held and isinstance(held[0], ast.stmt):
                yield from self.walk_reachable(held)
                continue
            for each in held if isinstance(held, list) else [held]:
                if isinstance(each, ast.AST):
                    yield each, True
                    yield from self._walk_inside(each)

    def is_left_out(self, branch: Branch, statements: Mapping[int, ast.AST]) -> bool:
        """Tell whether one of the arms that a place stands under is known not to be executed.

        ``statements``: all of the file by their ``id``.
        """
        for number, arm in branch:
            statement = statements.get(number)
            if isinstance(statement, ast.If | ast.Match):
                chosen, arms = self._choose_arm(statement), _arms_of(statement)
                if chosen is not None and chosen is not arms[arm]:
                    return True
        return False


def _arms_of(statement: ast.If | ast.Match) -> list[list[ast.stmt]]:
    if isinstance(statement, ast.If):
        return [statement.body, statement.orelse]
    return [case.body for case in statement.cases]


def _values_of(pattern: ast.pattern) -> list[Value] | Unknown | None:
    """Return the values that a pattern matches; None: all of them."""
    match pattern:
        case ast.MatchValue(value=node):
            value = evaluate_literal(node)
            return value if isinstance(value, Unknown) else [value]
        case ast.MatchSingleton(value=value):
            return [value]
        case ast.MatchOr(patterns=patterns):
            found = [_values_of(each) for each in patterns]
            known = [held for held in found if isinstance(held, list)]
            return [value for held in known for value in held] if len(known) == len(found) else UNKNOWN
        case ast.MatchAs(pattern=None):
            return None
        case _:
            return UNKNOWN


def _reads_a_setting(test: ast.expr) -> bool:
    """Tell a condition on an attribute of the module, or of its arguments, from one on a batch or on the Trainer."""
    paths = [keys_of(node) for node in ast.walk(test) if isinstance(node, ast.Attribute)]
    of_self = [keys for keys in paths if keys[:1] == ("self",)]
    return bool(of_self) and not any(OF_THE_TRAINER & set(keys) for keys in of_self)

"""Names that a function binds: ``main.lr``, ``Net.configure_optimizers.decay``, and the entries of its dicts.

A method's parameter is one of them if nothing but its default can be in force: ``train_dataloader(self, size=32)``.
"""

import ast
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tune.promotion.constant import Constant, ConstantKind, Site, Span, UnsupportedConstant
from tune.promotion.find.arguments import PARTIALS
from tune.promotion.find.containers import entries_of
from tune.promotion.find.expressions import is_choice, may_be_literal
from tune.promotion.find.literals import Unknown, evaluate_literal, source_of
from tune.promotion.find.module_scan import Binding, BindingKind, Function, ModuleScan, dotted_path
from tune.promotion.find.project import Project
from tune.promotion.find.usages import CHANGING
from tune.promotion.find.variables import HINTS, KEEP_ONE, TROUBLES, common_value, explain_computed, names_of
from tune.space.dimensions import canonical_name

KEEP_NAME = "Give the value a name of its own."

HOOKS_WITHOUT_ARGUMENTS = frozenset(
    {
        "configure_callbacks",
        "configure_model",
        "configure_optimizers",
        "predict_dataloader",
        "prepare_data",
        "test_dataloader",
        "train_dataloader",
        "val_dataloader",
    }
)
"""Methods that Lightning calls, and gives nothing."""
CALLED_WITH_ARGUMENTS = re.compile(r"__|on_|forward$|backward$|setup$|teardown$|optimizer_|lr_scheduler_|.*_step$")
"""How the names of methods begin to which Lightning or Python passes arguments that no call of the source shows."""


def local_variables(project: Project) -> Iterator[Constant | UnsupportedConstant]:
    """Yield the names to which a function assigns a literal, and what lies in its containers."""
    for survey in project.surveys.values():
        changes = _find_changes(survey)
        for number, function in survey.functions.items():
            for name, bindings in function.bindings.items():
                is_argument = any(each.how is BindingKind.ARGUMENT for each in bindings)  # a constant of its own
                if not name.startswith("_") and not is_argument and any(map(_is_literal, bindings)):
                    yield from _constants_of_variable(name, bindings, function, survey, changes.get(number, {}))


def method_defaults(project: Project) -> Iterator[Constant]:
    """Yield the parameters of methods that every call leaves to their default, where this is a literal.

    There is none of a method that is passed on, as in ``partial(self.build, width=3)``: who calls it is not seen.
    """
    calls = defaultdict(list)
    passed_on: set[str] = set()
    for survey in project.surveys.values():
        for called in survey.calls:
            passed_on.update(_find_passed_methods(called.node))
            if isinstance(called.node.func, ast.Attribute):
                calls[called.node.func.attr].append(called.node)
    for survey in project.surveys.values():
        for number, function in survey.functions.items():
            # the parameters of what is no method are found with their calls
            if number not in survey.owners and function.node.name not in passed_on:
                for argument, default in _find_own_defaults(function.node, calls):
                    if _is_literal_value(default):
                        yield _build_method_default(argument.arg, default, function, survey)


def _find_passed_methods(call: ast.Call) -> Iterator[str]:
    """Yield the names of what a call may be given of its own object's methods; ``partial`` of any object's."""
    is_partial = (dotted_path(call.func) or "") in PARTIALS
    for value in (*call.args, *(keyword.value for keyword in call.keywords)):
        match value:
            case ast.Attribute(value=base, attr=name) if is_partial or dotted_path(base) == "self":
                yield name


def _find_own_defaults(
    node: ast.FunctionDef | ast.AsyncFunctionDef, calls: Mapping[str, Sequence[ast.Call]]
) -> Iterator[tuple[ast.arg, ast.expr]]:
    """Yield the parameters that no call passes, with their defaults; none where no call can be seen."""
    seen = calls.get(node.name, ())
    if node.name not in HOOKS_WITHOUT_ARGUMENTS and (not seen or CALLED_WITH_ARGUMENTS.match(node.name)):
        return
    keywords = {keyword.arg for call in seen for keyword in call.keywords}
    if None in keywords or any(isinstance(each, ast.Starred) for call in seen for each in call.args):
        return
    by_position = [*node.args.posonlyargs, *node.args.args]
    n_passed = 1 + max(
        (len(call.args) for call in seen), default=0
    )  # `self`; of a static method one more is left alone
    n_required = len(by_position) - len(node.args.defaults)
    pairs = [*zip(by_position[n_required:], node.args.defaults, strict=True)][max(0, n_passed - n_required) :]
    by_keyword = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    pairs += [(argument, default) for argument, default in by_keyword if default is not None]
    yield from ((argument, default) for argument, default in pairs if argument.arg not in keywords)


def _build_method_default(name: str, default: ast.expr, function: Function, survey: ModuleScan) -> Constant:
    path = f"{function.path}.{name}"
    return Constant(
        name=path,
        value=evaluate_literal(default),
        sites=(Site(survey.source.name, Span.from_node(default)),),
        names=names_of(path, survey),
        form=ConstantKind.PARAMETER,
        reads=_find_reads(name, function, survey),
    )


def find_local(name: str, function: ast.AST | None, survey: ModuleScan) -> tuple[str, Binding] | None:
    """Return the path and the one binding of a name that a function, or one around it, gives a literal."""
    found = survey.functions.get(id(function))
    while found is not None and name not in found.bindings:
        found = found.outer
    if found is None:
        return None
    bindings = found.bindings[name]
    is_one = len(bindings) == 1 and _is_literal(bindings[0])
    return (f"{found.path}.{name}", bindings[0]) if is_one else None


def _is_literal(binding: Binding) -> bool:
    return binding.how is BindingKind.ASSIGNED and binding.value is not None and _is_literal_value(binding.value)


def _is_literal_value(value: ast.expr) -> bool:
    if is_choice(value):
        return True
    if not may_be_literal(value):
        return False
    held = evaluate_literal(value)
    return held is not None and not isinstance(held, Unknown)


def _constants_of_variable(
    name: str, bindings: Sequence[Binding], function: Function, survey: ModuleScan, changes: dict[str, int]
) -> Iterator[Constant | UnsupportedConstant]:
    path = f"{function.path}.{name}"
    wrong = _reason_not_constant(bindings, survey)
    inside = next((line for changed, line in changes.items() if changed.startswith(f"{name}.")), None)
    whole = changes.get(name, inside)
    about = wrong if wrong or whole is None else (f"is changed in place: {survey.place_of_line(whole)}", KEEP_NAME)
    yield _build_constant(path, [(each.value, each) for each in bindings], about, function, survey, name)
    for binding in bindings:
        if binding.value is None or len(bindings) > 1:
            continue
        for entry in entries_of(path, binding.value):
            key = canonical_name(entry.name).removeprefix(f"{function.path}.")
            line = next((changes[each] for each in (name, key) if each in changes), None)
            again = None if line is None else (f"is assigned again: {survey.place_of_line(line)}", KEEP_NAME)
            trouble = (f"lies in {path}, which {wrong[0]}", wrong[1]) if wrong else entry.trouble or again
            yield _build_constant(entry.name, [(entry.value, binding)], trouble, function, survey, name)


def _reason_not_constant(bindings: Sequence[Binding], survey: ModuleScan) -> tuple[str, str] | None:
    for how in (BindingKind.NONLOCAL, *TROUBLES):
        for each in bindings:
            if each.how is how:
                return f"is {how.value}: {survey.place_of_line(each.line)}", HINTS.get(how, KEEP_NAME)
    if not all(one.is_exclusive_with(other) for one, other in itertools.combinations(bindings, 2)):
        return (
            f"is assigned more than once: {' and '.join(survey.place_of_line(each.line) for each in bindings)}",
            KEEP_ONE,
        )
    return None


def _build_constant(
    name: str,
    held: Sequence[tuple[ast.expr | None, Binding]],
    wrong: tuple[str, str] | None,
    function: Function,
    survey: ModuleScan,
    variable: str,
) -> Constant | UnsupportedConstant:
    names = names_of(name, survey)
    values = [evaluate_literal(value) for value, _ in held if value is not None]
    for value, binding in held:
        if wrong is None and (value is None or _is_computed(value)):
            wrong = explain_computed("" if value is None else source_of(value), survey.place_of_line(binding.line))
    if wrong is not None:
        return UnsupportedConstant(names=names, source=survey.source.name, what=wrong[0], hint=wrong[1])
    return Constant(
        name=name,
        value=common_value(values),
        sites=tuple(
            Site(survey.source.name, Span.from_node(value), binding.name if binding.chained else None)
            for value, binding in held
            if value is not None
        ),
        names=names,
        form=ConstantKind.LOCAL,
        reads=_find_reads(variable, function, survey),
    )


def _is_computed(value: ast.expr) -> bool:
    return isinstance(evaluate_literal(value), Unknown) and not is_choice(value)


def _find_reads(name: str, function: Function, survey: ModuleScan) -> tuple[str, ...]:
    lines = range(function.node.lineno, (function.node.end_lineno or function.node.lineno) + 1)
    return tuple(survey.place_of_line(line) for line in sorted(set(survey.name_reads.get(name, ()))) if line in lines)


def _find_changes(survey: ModuleScan) -> dict[int, dict[str, int]]:
    """Return the lines that change what lies in names, by path (``config.lr``), for each function and those around."""
    found: dict[int, dict[str, int]] = {}
    changed = [(each.path, each.line, each.scope) for each in survey.overwrites]
    for called in survey.calls:
        match called.node:
            case ast.Call(func=ast.Attribute(value=base, attr=method)) if method in CHANGING:
                if (path := dotted_path(base)) is not None:
                    changed.append((path, called.node.lineno, called.scope))
    for path, line, scope in changed:
        function = survey.functions.get(id(scope.function))
        while function is not None:
            found.setdefault(id(function.node), {}).setdefault(path, line)
            function = function.outer
    return found

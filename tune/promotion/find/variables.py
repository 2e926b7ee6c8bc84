"""Names that a module binds at its own level, and attributes that methods give a literal."""

import ast
import itertools
from collections.abc import Iterator, Sequence

from tune.promotion.constant import Constant, ConstantKind, Site, Span, UnsupportedConstant
from tune.promotion.find.expressions import PromotableExpression, find_promotable, is_choice, is_local
from tune.promotion.find.literals import Unknown, evaluate_literal, source_of
from tune.promotion.find.module_scan import AttributeAssignment, Binding, BindingKind, ModuleScan
from tune.promotion.find.project import Project
from tune.promotion.find.usages import ConstantReads, NamespaceAssignments
from tune.space.dimensions import Value

TROUBLES = (BindingKind.GLOBAL, BindingKind.LOOPED, BindingKind.AUGMENTED, BindingKind.DELETED, BindingKind.UNPACKED)
"""What keeps a name from being a constant, the worst first."""

COMPUTED_FROM = "Search what it is computed from"
KEEP_ONE = "Keep one assignment: it is not clear which one counts."
HINTS = {
    BindingKind.GLOBAL: "Take the name out of `global`, or search a constant that the function reads.",
    BindingKind.LOOPED: "Give the value a name of its own, outside of the loop.",
    BindingKind.AUGMENTED: "Write the value once, or compute it under another name.",
    BindingKind.DELETED: "Take the `del` away.",
    BindingKind.UNPACKED: "Assign it on a line of its own.",
}


def find_variables(
    project: Project, reads: ConstantReads, overwrites: NamespaceAssignments
) -> Iterator[Constant | UnsupportedConstant]:
    """Yield the module-level names of every file."""
    for survey in project.surveys.values():
        for name, bindings in survey.bindings.items():
            if name.startswith("__") or name == "_" or all(each.how is BindingKind.OTHER for each in bindings):
                continue
            yield _build_variable(name, bindings, survey, reads, overwrites)


def reason_not_constant(
    name: str, bindings: Sequence[Binding], survey: ModuleScan, overwrites: NamespaceAssignments
) -> tuple[str, str] | None:
    """Return (what is wrong with a module-level name, what to do), or None where its assignment stands."""
    for how in TROUBLES:
        for each in bindings:
            if each.how is how:
                return f"is {how.value}: {survey.place_of_line(each.line)}", HINTS[how]
    assigned = [each for each in bindings if each.how is BindingKind.ASSIGNED]
    for each in assigned:
        if each.in_loop:
            return f"is assigned in a loop: {survey.place_of_line(each.line)}", HINTS[BindingKind.LOOPED]
    if not all(one.is_exclusive_with(other) for one, other in itertools.combinations(bindings, 2)):
        places = " and ".join(survey.place_of_line(each.line) for each in bindings)
        return f"is assigned more than once: {places}", KEEP_ONE
    if (place := overwrites.find_overwrite(name, survey)) is not None:
        return f"is assigned again: {place}", "Take that assignment away; it would undo the search."
    return None


def explain_computed(text: str, place: str) -> tuple[str, str]:
    """Return (what is wrong, what to do) with a value that only the program can make."""
    short = text if len(text) <= 60 else text[:57] + "..."
    return f"is computed: {short} ({place})", f"{COMPUTED_FROM}."


def names_of(name: str, survey: ModuleScan) -> tuple[str, ...]:
    """Return every way to write a name of a module, the shortest first."""
    return (name, *(f"{module}.{name}" for module in survey.modules))


def _build_variable(
    name: str, bindings: Sequence[Binding], survey: ModuleScan, reads: ConstantReads, overwrites: NamespaceAssignments
) -> Constant | UnsupportedConstant:
    names = names_of(name, survey)
    wrong = reason_not_constant(name, bindings, survey, overwrites)
    if wrong is None and (place := overwrites.find_overwrite_within(name, survey)) is not None:
        wrong = f"is changed in place: {place}", "Search its entries, or take that assignment away."
    assigned = [(each, each.value) for each in bindings if each.how is BindingKind.ASSIGNED and each.value is not None]
    worths = [(each, _promotable_of_binding(each, value, survey)) for each, value in assigned]
    for each, (_, value) in zip(worths, assigned, strict=True):
        if wrong is None and each[1] is None:
            wrong = explain_computed(source_of(value), survey.place_of_line(each[0].line))
    if wrong is not None:
        return UnsupportedConstant(names=names, source=survey.source.name, what=wrong[0], hint=wrong[1])
    found = [(each, value) for each, value in worths if value is not None]
    places = reads.of_variable(name, survey)
    return Constant(
        name=name,
        value=common_value([value.value for _, value in found]),
        sites=tuple(
            Site(survey.source.name, Span.from_node(value.node), each.name if each.chained else None)
            for each, value in found
        ),
        names=names,
        form=ConstantKind.VARIABLE,
        reads=places,
        warnings=(
            *dict.fromkeys(warning for _, value in found for warning in value.warnings),
            *_rebinding_warnings(survey),
        ),
    )


def _rebinding_warnings(survey: ModuleScan) -> tuple[str, ...]:
    if not survey.scope_writers:
        return ()
    return (f"`globals()` or `exec` may assign it again: {survey.place_of_line(survey.scope_writers[0])}",)


def _promotable_of_binding(binding: Binding, value: ast.expr, survey: ModuleScan) -> PromotableExpression | None:
    """Weigh an expression; a chained assignment is split around the whole of it, so a part is no site."""
    found = find_promotable(value, survey)
    if found is None or found.node is value or not binding.chained:
        return found
    return PromotableExpression(Unknown(source_of(value)), value, found.warnings)


def common_value(values: Sequence[Value | Unknown]) -> Value | Unknown:
    """Return the one value of several places; Unknown where they differ."""
    first, *others = values
    if all(is_same_result(first, other) for other in others):
        return first
    return Unknown(" or ".join(dict.fromkeys(map(repr, values))))


def is_same_result(one: Value | Unknown, other: Value | Unknown) -> bool:
    """Tell whether two values are one: of the same type, too."""
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return one == other
    return type(one) is type(other) and one == other


def find_attributes(project: Project, reads: ConstantReads) -> Iterator[Constant | UnsupportedConstant]:
    """Yield what is assigned to ``self`` once in its class, in ``__init__``; a second assignment is a refusal."""
    for survey in project.surveys.values():
        for (owner, name), assigned in _by_class(survey).items():
            first = assigned[0]
            held = None if first.value is None else _find_promotable_attribute(first.value, first, survey)
            function = first.scope.function
            if held is None or function is None or function.name != "__init__" or _in_body(first.scope.owner, name):
                continue
            yield _build_attribute(f"{owner}.{name}", name, held, assigned, survey, reads)


def _find_promotable_attribute(
    value: ast.expr, assigned: AttributeAssignment, survey: ModuleScan
) -> PromotableExpression | None:
    """Return what the value is worth; None where it is computed from a parameter or a local variable."""
    if is_choice(value):
        return PromotableExpression(evaluate_literal(value), value)
    held, function = find_promotable(value, survey), assigned.scope.function
    if held is None or any(isinstance(each, ast.Name) and is_local(each.id, function) for each in ast.walk(held.node)):
        return None
    return held


def _by_class(survey: ModuleScan) -> dict[tuple[str, str], list[AttributeAssignment]]:
    found: dict[tuple[str, str], list[AttributeAssignment]] = {}
    for overwrite in survey.overwrites:
        head, _, name = overwrite.path.partition(".")
        if head == "self" and overwrite.scope.owner is not None and "." not in name:
            found.setdefault((overwrite.scope.owner.name, name), []).append(overwrite)
    return found


def _in_body(owner: ast.ClassDef | None, name: str) -> bool:
    """Whether the class has an attribute of that name, too, which then is what is meant."""
    for statement in owner.body if owner is not None else ():
        match statement:
            case ast.Assign(targets=[ast.Name(id=there)]) | ast.AnnAssign(target=ast.Name(id=there)) if there == name:
                return True
    return False


def _build_attribute(
    path: str,
    name: str,
    held: PromotableExpression,
    assigned: list[AttributeAssignment],
    survey: ModuleScan,
    reads: ConstantReads,
) -> Constant | UnsupportedConstant:
    names = names_of(path, survey)
    if len(assigned) > 1 or assigned[0].scope.in_loop:
        places = " and ".join(survey.place_of_line(each.line) for each in assigned)
        what = f"is assigned more than once: {places}"
        return UnsupportedConstant(names=names, source=survey.source.name, what=what, hint=KEEP_ONE)
    return Constant(
        name=path,
        value=held.value,
        sites=(Site(survey.source.name, Span.from_node(held.node)),),
        names=names,
        form=ConstantKind.ATTRIBUTE,
        reads=reads.of_attribute(name),
        warnings=held.warnings,
    )

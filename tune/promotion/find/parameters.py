"""Parameters of the program's own classes and functions: ``LitModel.lr``, ``build.width``.

A parameter is one constant: its default and everything that the program passes for it are its sites, so a promoted
value is in force however the object is made. It belongs to the ``__init__`` that declares it; a class that inherits
that ``__init__`` is another name for it. What ``super().__init__(lr=...)`` passes is a site of the base's parameter.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tune.promotion.constant import Constant, ConstantKind, Site, Span, UnsupportedConstant
from tune.promotion.find.arguments import Call, CallArgument, names_at
from tune.promotion.find.containers import entries_of
from tune.promotion.find.expressions import find_promotable, is_local, may_be_literal
from tune.promotion.find.literals import Unknown, evaluate_literal, source_of
from tune.promotion.find.local_variables import find_local
from tune.promotion.find.module_scan import AttributeAssignment, BindingKind, ModuleScan, dotted_path
from tune.promotion.find.project import Project, ProjectSymbol
from tune.promotion.find.signatures import Parameter, is_factory, signature_of
from tune.promotion.find.usages import ConstantReads
from tune.promotion.find.variables import common_value, explain_computed
from tune.space.dimensions import Value

Key = tuple[int, str]


@dataclass(slots=True)
class ParameterUsage:
    """A parameter, and what the program gives it."""

    parameter: Parameter
    owners: list[ProjectSymbol]
    """What may be called with it; the one that declares it first, if it can be called."""
    passed: list[tuple[Call, CallArgument]] = field(default_factory=list)
    relied: bool = False
    """Whether a call leaves it to the default."""
    hidden: str | None = None
    """The place of a call that may pass it unseen, by ``*`` or ``**``."""
    replaced: str | None = None
    """Where the program assigns another value to the attribute of an object; None: nowhere."""


def find_parameters(
    found: list[Call], project: Project, reads: ConstantReads
) -> Iterator[Constant | UnsupportedConstant]:
    """Yield the parameters that hold a value somewhere: a default, or what a call passes."""
    groups = _group_parameters(project)
    _add_passed_arguments(groups, found)
    assigned = defaultdict[str, list[tuple[ModuleScan, AttributeAssignment]]](list)
    for survey in project.surveys.values():
        for each in survey.overwrites:
            assigned[each.path.rpartition(".")[2]].append((survey, each))
    for group in groups.values():
        if group.parameter.default is not None or group.passed:
            group.replaced = next(_find_replacements(group, assigned[group.parameter.name], project), None)
            yield from _build_constants(group, reads)


def _group_parameters(project: Project) -> dict[Key, ParameterUsage]:
    groups: dict[Key, ParameterUsage] = {}
    for survey in project.surveys.values():
        for nodes in survey.definitions.values():
            if len(nodes) > 1:
                continue  # defined twice: which one a call means cannot be told
            own = ProjectSymbol(survey, nodes[0])
            signature = signature_of(own, project)
            for parameter in signature.parameters if signature is not None else ():
                group = groups.setdefault(_key_of(parameter), ParameterUsage(parameter, []))
                group.owners.insert(0 if own.node is parameter.declared else len(group.owners), own)
    return groups


def _key_of(parameter: Parameter) -> Key:
    return id(parameter.declared), parameter.name


def _add_passed_arguments(groups: dict[Key, ParameterUsage], found: list[Call]) -> None:
    for call in found:
        if call.signature is None:
            continue
        given = {_key_of(argument.parameter): argument for argument in call.arguments if argument.parameter is not None}
        for parameter in call.signature.parameters:
            group = groups.get(_key_of(parameter))
            if group is None:
                continue
            argument = given.get(_key_of(parameter))
            if argument is not None:
                group.passed.append((call, argument))
            elif call.open_ended:
                group.hidden = group.hidden or call.survey.place_of_line(call.node.lineno)
            elif not call.partial:
                group.relied = True


def _build_constants(group: ParameterUsage, reads: ConstantReads) -> Iterator[Constant | UnsupportedConstant]:
    parameter, names = group.parameter, tuple(_names_of(group))
    trouble = _reason_not_constant(group)
    values = _collect_values(group)
    if trouble is None and len(values) > 1 and isinstance(common_value(values), Unknown):
        singles = list(_split_by_place(group, reads))
        yield from singles
        ways = ", ".join(f"{each.name} ({each.value!r})" for each in singles)
        trouble = "has a value of its own at each of several places", f"Write the one you mean: {ways}."
    if trouble is not None:
        yield UnsupportedConstant(names=names, source=parameter.survey.source.name, what=trouble[0], hint=trouble[1])
    else:
        yield _build_constant(group, values, names, reads)
    if parameter.default is not None and not group.passed:
        yield from _entries_of_default(parameter.default, group, reads)


def _entries_of_default(default: ast.expr, group: ParameterUsage, reads: ConstantReads) -> Iterator[Constant]:
    """Yield the literals in a dict that is a default: ``Net.optimizer['lr']``."""
    survey = group.parameter.survey
    for entry in entries_of("", default):
        value = evaluate_literal(entry.value) if may_be_literal(entry.value) else Unknown("")
        if not isinstance(value, Unknown | dict) and entry.trouble is None:
            names = tuple(f"{name}{entry.name}" for name in _names_of(group))
            yield Constant(
                name=names[0],
                value=value,
                sites=(Site(survey.source.name, Span.from_node(entry.value)),),
                names=names,
                form=ConstantKind.PARAMETER,
                reads=_find_reads(group, reads),
                warnings=_of_star(group),
                starred=group.hidden is not None,
            )


def _reason_not_constant(group: ParameterUsage) -> tuple[str, str] | None:
    if is_factory(group.parameter.default):
        place = group.parameter.survey.place_of_line(group.parameter.declared.lineno)
        return f"has a default that a factory makes: {place}", "Write `lambda: [...]` with the value, or pass it."
    calls = [None] * (group.parameter.default is not None) + [call for call, _ in group.passed]
    if not any(_can_hold(*each, call) for each, call in zip(_find_expressions(group), calls, strict=True)):
        node, survey = next(_find_expressions(group))
        return explain_computed(source_of(node), survey.place_of_line(node.lineno))
    return None


def _can_hold(node: ast.expr, survey: ModuleScan, call: Call | None) -> bool:
    """Whether a number or a text may be meant: a plain value, or one taken from a configuration (``args.lr``)."""
    taken = isinstance(node, ast.Attribute | ast.Subscript) and dotted_path(node) is not None
    return taken or find_promotable(node, survey) is not None or _find_local_literal(node, call) is not None


def _find_local_literal(node: ast.expr, call: Call | None) -> ast.expr | None:
    """Return the literal of a function's own variable that a call passes; None where it passes something else."""
    if not isinstance(node, ast.Name) or call is None:
        return None
    found = find_local(node.id, call.scope.function, call.survey)
    return None if found is None else found[1].value


def _names_of(group: ParameterUsage) -> Iterator[str]:
    for own in group.owners:
        yield f"{own.node.name}.{group.parameter.name}"
    for own in group.owners:
        for module in own.survey.modules:
            yield f"{module}.{own.node.name}.{group.parameter.name}"


def _collect_values(group: ParameterUsage) -> list[Value | Unknown]:
    """Return what may be in force: all that is passed, and the default where a call leaves it out, or none is."""
    values = [_evaluate_passed(argument.value, call.survey, call) for call, argument in group.passed]
    default = group.parameter.default
    if default is not None and (group.relied or not group.passed):
        values.append(_evaluate_passed(default, group.parameter.survey, None))
    return values


def _evaluate_passed(node: ast.expr, survey: ModuleScan, call: Call | None) -> Value | Unknown:
    """Return the literal, or that of the one constant which is passed, of the module or of a function."""
    if (literal := _find_local_literal(node, call)) is not None:
        return evaluate_literal(literal)
    if isinstance(node, ast.Name) and (call is None or not is_local(node.id, call.scope.function)):
        bindings = survey.bindings.get(node.id, [])
        if len(bindings) == 1 and bindings[0].how is BindingKind.ASSIGNED and bindings[0].value is not None:
            return evaluate_literal(bindings[0].value)
    held = find_promotable(node, survey)
    return Unknown(source_of(node)) if held is None else held.value


def _find_expressions(group: ParameterUsage) -> Iterator[tuple[ast.expr, ModuleScan]]:
    """Every site, the default first."""
    if group.parameter.default is not None:
        yield group.parameter.default, group.parameter.survey
    for call, argument in group.passed:
        yield argument.value, call.survey


def _evaluate_sites(group: ParameterUsage) -> Iterator[tuple[Span, ModuleScan, Value | Unknown]]:
    """Every site, the default first, with what it holds."""
    calls: list[Call | None] = [call for call, _ in group.passed]
    calls = [None, *calls] if group.parameter.default is not None else calls
    for (node, survey), call in zip(_find_expressions(group), calls, strict=True):
        yield Span.from_node(node), survey, _evaluate_passed(node, survey, call)


def _build_constant(
    group: ParameterUsage, values: list[Value | Unknown], names: tuple[str, ...], reads: ConstantReads
) -> Constant:
    each = list(_evaluate_sites(group))
    return Constant(
        name=names[0],
        value=common_value(values),
        sites=tuple(Site(survey.source.name, span) for span, survey, _ in each),
        names=names,
        form=ConstantKind.PARAMETER,
        reads=_find_reads(group, reads),
        warnings=(*_of_star(group), *_default_warnings(group, values), *_of_replacement(group)),
        starred=group.hidden is not None,
    )


def _of_star(group: ParameterUsage) -> tuple[str, ...]:
    if group.hidden is None:
        return ()
    return (f"a `*` or `**` may pass it ({group.hidden}): if it does, the pre-flight says so: search what is passed",)


def _find_replacements(
    group: ParameterUsage, assigned: Sequence[tuple[ModuleScan, AttributeAssignment]], project: Project
) -> Iterator[str]:
    """Yield where an object's attribute gets a value that is not made of it: ``config.model.lr = trial.suggest()``.

    It counts of a dataclass, whose fields are read from the object, and of an object that the same file makes.
    ``assigned``: what is assigned to attributes of the parameter's name.
    """
    for survey, each in assigned:
        head = each.path.rpartition(".")[0]
        if head in ("self", "cls") or each.value is None or _names(each.value, group.parameter.name):
            continue
        makers = [node for node in survey.held.get(head, ()) if isinstance(node, ast.Call)]
        made = [project.resolve_name(dotted_path(node.func) or "", survey) for node in makers]
        is_field = isinstance(group.parameter.declared, ast.ClassDef) and not made
        if is_field or any(own in made for own in group.owners if isinstance(own.node, ast.ClassDef)):
            yield f"{survey.place_of_line(each.line)} assigns {each.path}"


def _names(node: ast.expr, name: str) -> bool:
    """Tell whether an expression reads a variable or an attribute of this name."""
    return any(
        (isinstance(each, ast.Name) and each.id == name) or (isinstance(each, ast.Attribute) and each.attr == name)
        for each in ast.walk(node)
    )


def _of_replacement(group: ParameterUsage) -> tuple[str, ...]:
    return () if group.replaced is None else (f"{group.replaced}: where that runs, a trial's value is not in force",)


def _default_warnings(group: ParameterUsage, values: list[Value | Unknown]) -> tuple[str, ...]:
    default = group.parameter.default
    if default is None or not group.passed:
        return ()
    held = evaluate_literal(default)
    if isinstance(common_value([held, *values]), Unknown):
        place = group.parameter.survey.place_of_line(default.lineno)
        return (
            f"the default {source_of(default)} ({place}) is not what the program passes; a trial's value replaces both",
        )
    return ()


def _split_by_place(group: ParameterUsage, reads: ConstantReads) -> Iterator[Constant]:
    """Each place by itself: ``Net.width@42``. A default that every call replaces is read nowhere."""
    each = list(_evaluate_sites(group))
    replaced = group.parameter.default if not group.relied and group.hidden is None else None
    dead = None if replaced is None else Span.from_node(replaced)
    lines = [(survey.source.name, span.line) for span, survey, _ in each]
    plain = f"{group.owners[0].node.name}.{group.parameter.name}"
    for span, survey, value in each:
        shared = lines.count((survey.source.name, span.line)) > 1
        names = tuple(name for name in names_at(plain, survey, span, shared=shared) if "@" in name)
        yield Constant(
            name=names[0],
            value=value,
            sites=(Site(survey.source.name, span),),
            names=names,
            form=ConstantKind.PARAMETER,
            reads=() if span == dead and survey is group.parameter.survey else _find_reads(group, reads),
        )


def _find_reads(group: ParameterUsage, reads: ConstantReads) -> tuple[str, ...]:
    declared = group.parameter.declared
    lines = range(declared.lineno, (declared.end_lineno or declared.lineno) + 1)
    owner = declared.name if isinstance(declared, ast.ClassDef) else None
    return reads.of_parameter(group.parameter.name, group.parameter.survey, lines, owner=owner)

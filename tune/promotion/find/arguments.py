"""Calls: what each argument is called, whose parameter it is, and the literals that stand in calls of libraries."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tune.promotion.constant import Constant, ConstantKind, Site, Span, UnnamedLiteral
from tune.promotion.find.containers import container_calls, entries_of
from tune.promotion.find.expressions import may_be_literal
from tune.promotion.find.layer_widths import WIDTHS, WidthLiteral, find_bound_widths
from tune.promotion.find.literals import Unknown, evaluate_literal, source_of
from tune.promotion.find.module_scan import CallSite, ModuleScan, Scope, dotted_path
from tune.promotion.find.project import LibrarySymbol, Project, ProjectSymbol
from tune.promotion.find.signatures import Parameter, Signature, foreign_base, parameters_of, signature_of
from tune.space.dimensions import Value, is_int

UNKNOWN = Unknown("")

PARTIALS = frozenset({"partial", "functools.partial"})
UNTOLD = (
    frozenset({"print", "open", "log", "log_dict", "getLogger", "basicConfig", "format", "join", "get", "getenv"})
    | frozenset({"add_argument", "option", "argument", "set_defaults", "field", "Field", "dataclass", "namedtuple"})
    | frozenset({"getattr", "setattr", "hasattr", "save_hyperparameters", "min", "max", "range", "Path", "super"})
)
"""Callees whose literals are no hyperparameters, or are found in another form (options, fields, environment)."""


@dataclass(frozen=True, slots=True)
class CallArgument:
    """One argument of a call."""

    name: str | None
    """The parameter's name; None where a position has none that is known."""
    value: ast.expr
    parameter: Parameter | None = None
    """Of a function or class of the project."""
    library: tuple[str, int] | None = None
    """The dotted path of a library's callee, and the position there, where the name was not looked up."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose callee has a name."""

    survey: ModuleScan
    node: ast.Call
    scope: Scope
    callee: str
    """The callee's own name, whatever it is imported as: ``Adam``."""
    signature: Signature | None
    """Of a callee of the project."""
    arguments: tuple[CallArgument, ...]
    open_ended: bool
    """Whether ``*args`` or ``**kwargs`` may pass more."""
    partial: bool
    """Whether some arguments come in another call."""


def find_calls(project: Project) -> Iterator[Call]:
    """Yield every call of the program that can be named, in the order of the files."""
    for survey in project.surveys.values():
        partials = _find_partials(survey)
        for called in survey.calls:
            call = _resolve_call(called, survey, project, partials)
            if call is not None:
                yield call


def find_arguments(found: list[Call], project: Project) -> Iterator[Constant | UnnamedLiteral]:
    """Yield the literals in calls that belong to no constructor or function of the project."""
    literals: list[tuple[Call, CallArgument, Value]] = []
    computed: dict[tuple[str, str | None], str] = {}
    fields = {id_ for survey in project.surveys.values() for id_ in container_calls(survey)}
    for call in found:
        if call.callee in UNTOLD or id(call.node) in fields:
            continue
        for argument in call.arguments:
            literals += [(call, *each) for each in _find_entries(argument)]
            if argument.parameter is not None:
                continue
            value = evaluate_literal(argument.value) if may_be_literal(argument.value) else UNKNOWN
            if isinstance(value, Unknown):
                computed.setdefault((call.callee, argument.name), call.survey.place_of_line(argument.value.lineno))
                continue
            if argument.name is None:
                text, place = source_of(argument.value), call.survey.place_of_line(argument.value.lineno)
                yield UnnamedLiteral(callee=call.callee, text=text, place=place)
            else:
                literals.append((call, argument, value))
    counts, widths = _count_places(literals), [_width_of(*each) for each in literals]
    bound = find_bound_widths(each for each in widths if each is not None)
    for (call, argument, value), width in zip(literals, widths, strict=True):
        constant = _build_constant(call, argument, value, counts, computed.get((call.callee, argument.name)))
        fitting = bound.get(width) if width is not None else None
        yield constant if fitting is None else _bind_width(constant, fitting)


def _find_entries(argument: CallArgument) -> Iterator[tuple[CallArgument, Value]]:
    """Yield the literals in a dict that is written out as an argument: ``Net.optimizer['lr']``."""
    for entry in () if argument.name is None else entries_of(argument.name, argument.value):
        value = evaluate_literal(entry.value) if may_be_literal(entry.value) else UNKNOWN
        if not isinstance(value, Unknown | dict) and entry.trouble is None:
            yield CallArgument(entry.name, entry.value), value


def names_at(name: str, survey: ModuleScan, span: Span, *, shared: bool) -> tuple[str, ...]:
    """Return ``Adam.lr``, ``train.Adam.lr``, both with the place: ``@42``, or ``@42:7`` where a line has several."""
    place = f"@{span.line}:{span.column + 1}" if shared else f"@{span.line}"
    plain = (name, *(f"{module}.{name}" for module in survey.modules))
    return (*plain, *(f"{each}{place}" for each in plain))


def _count_places(literals: list[tuple[Call, CallArgument, Value]]) -> Mapping[tuple[str, str, str | None, int], int]:
    counts: dict[tuple[str, str, str | None, int], int] = {}
    for call, argument, _ in literals:
        key = (call.survey.source.name, call.callee, argument.name, argument.value.lineno)
        counts[key] = counts.get(key, 0) + 1
    return counts


def _build_constant(
    call: Call,
    argument: CallArgument,
    value: Value,
    counts: Mapping[tuple[str, str, str | None, int], int],
    elsewhere: str | None,
) -> Constant:
    assert argument.name is not None
    span = Span.from_node(argument.value)
    source = call.survey.source.name
    shared = counts[source, call.callee, argument.name, span.line] > 1
    return Constant(
        name=f"{call.callee}.{argument.name}",
        value=value,
        sites=(Site(source, span),),
        names=names_at(f"{call.callee}.{argument.name}", call.survey, span, shared=shared),
        form=ConstantKind.ARGUMENT,
        reads=(call.survey.place_of_line(call.node.lineno),),
        warnings=()
        if elsewhere is None
        else (f"another call of {call.callee} has a value of its own, which stays as it is: {elsewhere}",),
    )


def _width_of(call: Call, argument: CallArgument, value: Value) -> WidthLiteral | None:
    if argument.name not in WIDTHS or not is_int(value):
        return None
    return WidthLiteral(
        parameter=argument.name,
        value=value,
        owner=(call.survey.source.name, id(call.scope.owner or call.scope.function)),
        call=(call.node.lineno, call.node.col_offset),
        where=call.survey.place_of_line(argument.value.lineno),
    )


def _bind_width(constant: Constant, place: str) -> Constant:
    warning = f"the input of another layer has to fit it ({place}): give both one name, and search that"
    return replace(constant, bound_to=place, warnings=(*constant.warnings, warning))


def _find_partials(survey: ModuleScan) -> dict[str, CallSite]:
    """Return the names that hold ``partial(callee, ...)`` and nothing else in the file."""
    values = {id(called.node): called for called in survey.calls if (dotted_path(called.node.func) or "") in PARTIALS}
    return {name: values[id(held[0])] for name, held in survey.held.items() if len(held) == 1 and id(held[0]) in values}


def _resolve_call(
    called: CallSite, survey: ModuleScan, project: Project, partials: Mapping[str, CallSite]
) -> Call | None:
    node, function, positional = called.node, called.node.func, list(called.node.args)
    partial = (dotted_path(function) or "") in PARTIALS and bool(positional)
    skip = 0
    if partial:
        function, positional = positional[0], positional[1:]
    elif isinstance(function, ast.Name) and function.id in partials:
        before = partials[function.id].node.args
        function, skip, partial = before[0], len(before) - 1, True
        if any(isinstance(each, ast.Starred) for each in before):
            return None
    if (base := _class_of_init(function, survey, project)) is not None:
        function, positional = base, positional[1:]  # `Base.__init__(self, lr=1e-3)`
    callee, signature, library = _resolve_callee(function, called, survey, project)
    if callee is None:
        return None
    found = list(_bind_arguments(node, positional, skip, signature, library))
    starred = any(isinstance(each, ast.Starred) for each in positional)
    spread = any(_is_open(keyword) for keyword in node.keywords)
    return Call(survey, node, called.scope, callee, signature, tuple(found), starred or spread, partial)


def _class_of_init(function: ast.expr, survey: ModuleScan, project: Project) -> ast.expr | None:
    """Return the expression of the project's class whose constructor is called by its name; None for other calls."""
    match function:
        case ast.Attribute(value=base, attr="__init__"):
            symbol = project.resolve_name(dotted_path(base) or "", survey)
            return base if isinstance(symbol, ProjectSymbol) else None
        case _:
            return None


def _resolve_callee(
    function: ast.expr, called: CallSite, survey: ModuleScan, project: Project
) -> tuple[str | None, Signature | None, str | None]:
    """Return the callee's name, its signature in the project, and its dotted path in a library."""
    match function:
        case ast.Attribute(value=ast.Call(func=ast.Name("super")), attr="__init__"):
            return _resolve_super(called, survey, project)
        case ast.Attribute(attr=method) if dotted_path(function) is None:
            return method, None, None
    path = dotted_path(function)
    if path is None:
        return None, None, None
    match project.resolve_name(path, survey):
        case ProjectSymbol() as own:
            base = foreign_base(own, project)
            return own.node.name, signature_of(own, project), base.path if base else None
        case LibrarySymbol() as foreign:
            return foreign.name, None, foreign.path
        case _:
            return path.rpartition(".")[2], None, None


def _resolve_super(
    called: CallSite, survey: ModuleScan, project: Project
) -> tuple[str | None, Signature | None, str | None]:
    """``super().__init__``: the first base that has a constructor, as a class with one base has it."""
    owner = called.scope.owner
    for base in owner.bases if owner is not None else ():
        match project.resolve_name(dotted_path(base) or "", survey):
            case ProjectSymbol() as own if (signature := signature_of(own, project)) is not None:
                return own.node.name, signature, None
            case LibrarySymbol() as foreign:
                return foreign.name, None, foreign.path
    return None, None, None


def _bind_arguments(
    node: ast.Call, positional: list[ast.expr], skip: int, signature: Signature | None, library: str | None
) -> Iterator[CallArgument]:
    for position, value in enumerate(positional, start=skip):
        if isinstance(value, ast.Starred):
            break  # the positions after it are not known
        yield _bind_positional(position, value, signature, library)
    for name, given in _find_keywords(node):
        parameter = signature.by_name(name) if signature is not None else None
        yield CallArgument(name, given, parameter)


def _find_keywords(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """Yield the keywords of a call, also those of a dict written out after ``**``."""
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield keyword.arg, keyword.value
        elif isinstance(keyword.value, ast.Dict):
            for key, value in zip(keyword.value.keys, keyword.value.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, value


def _is_open(keyword: ast.keyword) -> bool:
    """Tell a ``**`` whose keys are not all written out."""
    if keyword.arg is not None:
        return False
    return not isinstance(keyword.value, ast.Dict) or not all(
        isinstance(key, ast.Constant) for key in keyword.value.keys
    )


def _bind_positional(position: int, value: ast.expr, signature: Signature | None, library: str | None) -> CallArgument:
    if signature is not None:
        parameter = signature.by_position(position)
        return CallArgument(parameter.name if parameter else None, value, parameter)
    if library is not None and not may_be_literal(value):
        return CallArgument(None, value, library=(library, position))
    names = parameters_of(library) if library is not None else None
    return CallArgument(names[position] if names and position < len(names) else None, value)

"""Class attributes, and the entries of dicts and namespaces that a module holds: ``CFG.lr``, ``CFG['optim']['lr']``."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tune.promotion.constant import Constant, ConstantKind, Site, Span, UnsupportedConstant
from tune.promotion.find.expressions import find_promotable
from tune.promotion.find.literals import source_of
from tune.promotion.find.module_scan import AttributeAssignment, BindingKind, ModuleScan, dotted_path
from tune.promotion.find.project import Project
from tune.promotion.find.signatures import is_dataclass, is_field
from tune.promotion.find.usages import ConstantReads, NamespaceAssignments, find_changing_calls
from tune.promotion.find.variables import KEEP_ONE, explain_computed, names_of, reason_not_constant
from tune.promotion.program import BODIES
from tune.space.dimensions import canonical_name

NAMESPACES = frozenset(
    {"dict", "OrderedDict", "SimpleNamespace", "Namespace", "AttrDict", "AttributeDict", "EasyDict", "edict"}
) | frozenset({"Munch", "munchify", "ConfigDict", "CfgNode", "CN", "DotMap", "Box", "OmegaConf.create", "DictConfig"})
"""Calls that make a container of their keywords, or of one dict: the end of their name."""


@dataclass(frozen=True, slots=True)
class ContainerEntry:
    """A value inside a container."""

    name: str
    """As a user writes it: ``CFG['optim']['lr']``."""
    key: str
    value: ast.expr
    key_line: int
    trouble: tuple[str, str] | None = None


def find_fields(
    project: Project, reads: ConstantReads, overwrites: NamespaceAssignments
) -> Iterator[Constant | UnsupportedConstant]:
    """Yield the entries of module-level containers and the attributes of classes, of every file."""
    for survey in project.surveys.values():
        yield from _of_containers(survey, reads, overwrites)
        yield from _of_classes(survey, reads, overwrites)
    yield from _of_assignments(project, reads)


def find_returned_entries(project: Project, reads: ConstantReads) -> Iterator[Constant | UnsupportedConstant]:
    """Yield what lies in the dict that a function returns, as its only value: ``get_config['lr']``.

    Those of a returned call, as ``dict(lr=1e-3)``, are arguments: ``dict.lr``.
    """
    again = {
        each.path.rpartition(".")[2]: survey.place_of_line(each.line)
        for survey in project.surveys.values()
        for each in survey.overwrites
        if not (each.path.startswith("self.") and each.path.count(".") == 1)
    }
    for survey in project.surveys.values():
        for function in survey.functions.values():
            if "." in function.path:
                continue
            returned = [node.value for node in _find_returns(function.node)]
            if len(returned) != 1 or not isinstance(returned[0], ast.Dict):
                continue
            for entry in entries_of(function.path, returned[0]):
                place = again.get(entry.key)
                wrong = entry.trouble if place is None else (f"is assigned again: {place}", KEEP_ONE)
                if find_promotable(entry.value, survey) is not None:
                    yield _build_entry(entry, function.path, survey, reads, wrong, ConstantKind.LOCAL)


def _find_returns(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.Return]:
    """Yield the ``return`` statements of a function, without those of the functions and classes in it."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for name in BODIES:
                waiting += getattr(node, name, ())


def is_container(call: ast.Call) -> bool:
    """Tell whether a call makes a container whose entries are fields: ``SimpleNamespace(lr=1e-3)``."""
    path = dotted_path(call.func) or ""
    return path in NAMESPACES or path.rpartition(".")[2] in NAMESPACES


def container_calls(survey: ModuleScan) -> set[int]:
    """Return the ``id`` of every call whose keywords are fields of a module-level name."""
    found: set[int] = set()
    for bindings in survey.bindings.values():
        for binding in bindings:
            if isinstance(binding.value, ast.Call | ast.Dict):
                found |= {
                    id(each) for each in ast.walk(binding.value) if isinstance(each, ast.Call) and is_container(each)
                }
    return found


def _of_containers(
    survey: ModuleScan, reads: ConstantReads, overwrites: NamespaceAssignments
) -> Iterator[Constant | UnsupportedConstant]:
    for name, bindings in survey.bindings.items():
        wrong = reason_not_constant(name, bindings, survey, overwrites)
        for binding in bindings:
            if binding.value is None or binding.how is not BindingKind.ASSIGNED:
                continue
            for entry in entries_of(name, binding.value):
                yield _build_field(
                    entry, name, survey, reads, overwrites, _reason_of_container(name, wrong) or entry.trouble
                )


@dataclass(frozen=True, slots=True)
class _FilledContainer:
    """A container that is made once, and filled by assignments."""

    path: str
    """``CFG``; of a function's own ``make.config``."""
    made: ast.expr
    is_local: bool


def _of_assignments(project: Project, reads: ConstantReads) -> Iterator[Constant | UnsupportedConstant]:
    """Yield what is assigned to a container once it is made: ``CFG.optim.lr = 1e-3``, in a module or a function."""
    alike: dict[str, list[tuple[_FilledContainer | None, str]]] = {}
    found: dict[tuple[_FilledContainer, str], tuple[AttributeAssignment, ast.expr, ModuleScan]] = {}
    for survey in project.surveys.values():
        changed = {path.partition(".")[0] for path, _ in find_changing_calls(survey)}
        for each in survey.overwrites:
            is_own = each.path.startswith("self.")
            head, _, rest = each.path.removeprefix("self.").partition(".")
            filled = None if is_own else _find_filled_container(head, each, survey)
            alike.setdefault(rest, []).append((filled, survey.place_of_line(each.line)))
            if filled is not None and each.value is not None and head not in changed:
                found.setdefault((filled, rest), (each, each.value, survey))
    for (filled, rest), (each, value, survey) in found.items():
        place = survey.place_of_line(each.line)
        others = [where for by, where in alike[rest] if by in (None, filled) and where != place]
        wrong = (f"is assigned again: {others[0]}", KEEP_ONE) if others else None
        if each.scope.in_loop:
            wrong = f"is assigned in a loop: {place}", KEEP_ONE
        entry = ContainerEntry(f"{filled.path}.{rest}", rest.rpartition(".")[2], value, each.line)
        inside = list(entries_of(entry.name, value))
        form = ConstantKind.LOCAL if filled.is_local else ConstantKind.FIELD
        for one in inside or ([] if _is_empty(value) else [entry]):
            yield _build_entry(one, each.path.partition(".")[0], survey, reads, wrong or one.trouble, form)


def _find_filled_container(head: str, each: AttributeAssignment, survey: ModuleScan) -> _FilledContainer | None:
    """Return the container of the assignment's scope that is called ``head``; None where it holds ``each`` already."""
    function = survey.functions.get(id(each.scope.function))
    if function is None and not each.scope.at_module_level:
        return None
    bindings = (survey.bindings if function is None else function.bindings).get(head, [])
    made = bindings[0].value if len(bindings) == 1 else None
    if made is None or not (isinstance(made, ast.Dict) or (isinstance(made, ast.Call) and is_container(made))):
        return None
    if any(canonical_name(entry.name) == each.path for entry in entries_of(head, made)):
        return None
    return _FilledContainer(head if function is None else f"{function.path}.{head}", made, function is not None)


def _is_empty(node: ast.expr) -> bool:
    """Tell ``CN()`` and ``{}``, which later assignments fill."""
    return (isinstance(node, ast.Dict) and not node.keys) or (
        isinstance(node, ast.Call) and is_container(node) and not node.keywords
    )


def _reason_of_container(name: str, wrong: tuple[str, str] | None) -> tuple[str, str] | None:
    return None if wrong is None else (f"lies in {name}, which {wrong[0]}", wrong[1])


def entries_of(name: str, value: ast.expr) -> Iterator[ContainerEntry]:
    """Yield what lies in the container that an expression makes."""
    match value:
        case ast.Dict():
            yield from _dict_entries(name, value)
        case ast.Call(args=[*positional, ast.Dict() as inner]) if is_container(value) and not positional:
            yield from _dict_entries(name, inner)
            yield from _keyword_entries(name, value)
        case ast.Call() if is_container(value):
            yield from _keyword_entries(name, value)


def _dict_entries(name: str, node: ast.Dict) -> Iterator[ContainerEntry]:
    """Yield the last of equal keys; a later ``**other`` may bring any key again."""
    last_spread = max((number for number, key in enumerate(node.keys) if key is None), default=-1)
    seen: dict[str, ContainerEntry] = {}
    for number, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
        match key:
            case ast.Constant(value=str(text)):
                path = f"{name}[{text!r}]"
                hidden = None
                if number < last_spread:
                    hidden = ("may be replaced by the `**` that follows it", "Write the entry after the `**`.")
                seen[text] = ContainerEntry(path, text, value, key.lineno, hidden)
    for entry in seen.values():
        yield entry
        yield from entries_of(entry.name, entry.value)


def _keyword_entries(name: str, call: ast.Call) -> Iterator[ContainerEntry]:
    attribute = (dotted_path(call.func) or "").rpartition(".")[2] not in ("dict", "OrderedDict")
    for keyword in call.keywords:
        if keyword.arg is not None:
            path = f"{name}.{keyword.arg}" if attribute else f"{name}[{keyword.arg!r}]"
            yield ContainerEntry(path, keyword.arg, keyword.value, keyword.value.lineno)
            yield from entries_of(path, keyword.value)
        elif isinstance(keyword.value, ast.Dict):
            yield from _dict_entries(name, keyword.value)


def _of_classes(
    survey: ModuleScan, reads: ConstantReads, overwrites: NamespaceAssignments
) -> Iterator[Constant | UnsupportedConstant]:
    for nodes in survey.definitions.values():
        for node in nodes:
            path = _class_path(node, survey) if isinstance(node, ast.ClassDef) else None
            if path is not None and isinstance(node, ast.ClassDef):
                again = ("is assigned more than once", KEEP_ONE) if len(nodes) > 1 else None
                yield from _of_class(path, node, survey, reads, overwrites, again)


def _class_path(node: ast.ClassDef, survey: ModuleScan) -> str | None:
    """``Config.optim`` for a class in a class; None in a function, where every call makes it anew."""
    scope = survey.owners[id(node)]
    if scope.function is not None:
        return None
    if scope.owner is None:
        return node.name
    outer = _class_path(scope.owner, survey)
    return None if outer is None else f"{outer}.{node.name}"


def _of_class(
    path: str,
    node: ast.ClassDef,
    survey: ModuleScan,
    reads: ConstantReads,
    overwrites: NamespaceAssignments,
    again: tuple[str, str] | None,
) -> Iterator[Constant | UnsupportedConstant]:
    found: dict[str, list[ast.expr]] = {}
    for statement in node.body:
        for name, value in _find_assigned_names(statement, skip_fields=is_dataclass(node)):
            found.setdefault(name, []).append(value)
    for name, values in found.items():
        if name.startswith("__"):
            continue
        wrong = again or _class_trouble(node.name, name, values, survey, overwrites)
        entry = ContainerEntry(f"{path}.{name}", name, values[0], 0)
        yield _build_field(entry, path.partition(".")[0], survey, reads, overwrites, wrong)
        for inner in entries_of(entry.name, values[0]):
            yield _build_field(inner, path.partition(".")[0], survey, reads, overwrites, wrong or inner.trouble)


def _find_assigned_names(statement: ast.stmt, *, skip_fields: bool) -> Iterator[tuple[str, ast.expr]]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
            for target, value in zip(targets, values, strict=True):
                if isinstance(target, ast.Name) and not isinstance(value, ast.Starred):
                    yield target.id, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            if not (skip_fields and is_field(statement)):
                yield name, value


def _class_trouble(
    owner: str, name: str, values: list[ast.expr], survey: ModuleScan, overwrites: NamespaceAssignments
) -> tuple[str, str] | None:
    if len(values) > 1:
        return (
            f"is assigned more than once: {' and '.join(survey.place_of_line(each.lineno) for each in values)}",
            KEEP_ONE,
        )
    if (place := overwrites.of_self(owner, name, survey)) is not None:
        return f"is assigned again, on the instance: {place}", "Search what is assigned there."
    return None


def _build_field(
    entry: ContainerEntry,
    base: str,
    survey: ModuleScan,
    reads: ConstantReads,
    overwrites: NamespaceAssignments,
    wrong: tuple[str, str] | None,
) -> Constant | UnsupportedConstant:
    place = overwrites.find_overwrite(canonical_name(entry.name), survey)
    if wrong is None and place is not None:
        wrong = f"is assigned again: {place}", "Take that assignment away; it would undo the search."
    return _build_entry(entry, base, survey, reads, wrong, ConstantKind.FIELD)


def _build_entry(
    entry: ContainerEntry,
    base: str,
    survey: ModuleScan,
    reads: ConstantReads,
    wrong: tuple[str, str] | None,
    form: ConstantKind,
) -> Constant | UnsupportedConstant:
    held = find_promotable(entry.value, survey)
    if wrong is None and held is None:
        wrong = explain_computed(source_of(entry.value), survey.place_of_line(entry.value.lineno))
    names = names_of(entry.name, survey)
    if wrong is not None or held is None:
        assert wrong is not None
        return UnsupportedConstant(names=names, source=survey.source.name, what=wrong[0], hint=wrong[1])
    return Constant(
        name=entry.name,
        value=held.value,
        sites=(Site(survey.source.name, Span.from_node(held.node)),),
        names=names,
        form=form,
        reads=reads.of_field(base, entry.name.removeprefix(base), entry.key, survey, entry.key_line),
        warnings=held.warnings,
    )

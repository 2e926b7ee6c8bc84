"""What steps of validation log, as far as the source tells, and the modules that have none."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from tune.promotion.find.literals import evaluate_literal
from tune.promotion.find.module_scan import ModuleScan, dotted_path
from tune.promotion.find.project import Project, ProjectSymbol
from tune.promotion.metric.conditions import NO_SETTINGS, UNKNOWN, Conditions, KnownSettings, keys_of

Function = ast.FunctionDef | ast.AsyncFunctionDef
VALIDATION = frozenset(
    {"validation_step", "on_validation_epoch_end", "validation_epoch_end", "on_validation_batch_end"}
)
"""Methods that log what is judged."""
MAX_BASES = 8
"""Classes followed upward."""
MAX_HOPS = 3
"""Calls and names followed from ``validation_step`` to the helper that logs, or to the dict that is logged."""


class LoggedTag(NamedTuple):
    """A metric that is logged in validation."""

    name: str
    place: str
    is_certain: bool
    """Whether no setting of which the value is not known decides about it."""


def find_logged_tags(project: Project, settings: KnownSettings = NO_SETTINGS) -> Iterator[LoggedTag]:
    """Yield what is logged in validation and can be read off the source.

    ``settings``: what they hold; what is logged with other values alone is left out.
    """
    for survey in project.surveys.values():
        for owner in ast.walk(survey.source.tree):
            if isinstance(owner, ast.ClassDef):
                yield from _find_own_tags(owner, survey, settings)


def find_tags_of_class(own: ProjectSymbol, project: Project) -> Iterator[LoggedTag]:
    """Yield what a class, or one that it descends from, logs in validation."""
    for each in (own, *_ancestors_of(own, project)):
        if isinstance(each.node, ast.ClassDef):
            yield from _find_own_tags(each.node, each.survey, NO_SETTINGS)


def _find_own_tags(owner: ast.ClassDef, survey: ModuleScan, settings: KnownSettings) -> Iterator[LoggedTag]:
    methods = {each.name: each for each in owner.body if isinstance(each, Function)}
    for name in sorted(methods.keys() & VALIDATION):
        yield from _follow_log_calls(
            _CalledMethod(
                function=methods[name],
                methods=methods,
                known={},
                survey=survey,
                hops=MAX_HOPS,
                settings=settings,
            )
        )


def find_unjudged_modules(project: Project) -> Iterator[tuple[ModuleScan, ast.ClassDef]]:
    """Yield the LightningModules that have no step of validation, beside one that has; a base of one has its step."""
    modules = list(_find_modules(project))
    above = {id(own.node): {id(own.node), *(id(each.node) for each in _ancestors_of(own, project))} for own in modules}
    judged = {id(own.node) for own in modules if any(each.name in VALIDATION for each in _methods_of(own.node))}
    bases = set[int]().union(*(above[each] for each in judged))
    for own in modules if judged else ():
        if id(own.node) not in bases and judged.isdisjoint(above[id(own.node)]):
            assert isinstance(own.node, ast.ClassDef)
            yield own.survey, own.node


def find_other_modules(own: ProjectSymbol, project: Project) -> Iterator[ProjectSymbol]:
    """Yield the LightningModules but one and its bases."""
    lineage = {id(own.node), *(id(each.node) for each in _ancestors_of(own, project))}
    yield from (each for each in _find_modules(project) if id(each.node) not in lineage)


def _find_modules(project: Project) -> Iterator[ProjectSymbol]:
    for survey in project.surveys.values():
        for node in (each for nodes in survey.definitions.values() for each in nodes):
            own = ProjectSymbol(survey, node)
            if isinstance(node, ast.ClassDef) and project.has_base(own, "LightningModule"):
                yield own


def _ancestors_of(own: ProjectSymbol, project: Project, hops: int = MAX_BASES) -> Iterator[ProjectSymbol]:
    """Yield the classes of the project that a class descends from."""
    for base in own.node.bases if isinstance(own.node, ast.ClassDef) and hops else ():
        found = project.resolve_name(dotted_path(base) or "", own.survey)
        if isinstance(found, ProjectSymbol) and isinstance(found.node, ast.ClassDef):
            yield found
            yield from _ancestors_of(found, project, hops - 1)


def _methods_of(node: ast.AST) -> Iterator[Function]:
    yield from (each for each in getattr(node, "body", ()) if isinstance(each, Function))


@dataclass(frozen=True, slots=True, kw_only=True)
class _CalledMethod:
    """A method that a step of validation leads to."""

    function: Function
    methods: Mapping[str, Function]
    """All of its class."""
    known: Mapping[str, str]
    """Its parameters whose text the call told: ``self.shared_step(batch, "val")``."""
    survey: ModuleScan
    hops: int
    """Calls and names that may still be followed."""
    settings: KnownSettings

    def walk_reachable(self) -> Iterator[tuple[ast.AST, bool]]:
        """Yield the nodes of its body that are executed, each with whether that is certain."""
        yield from Conditions(self.settings, self.known, _find_bound_names(self.function)).walk_reachable(
            self.function.body
        )

    def follow_call(self, call: ast.Call) -> "_CalledMethod | None":
        """Return the method of the same class that a call leads to."""
        if not (self.hops and _is_own(call.func) and isinstance(call.func, ast.Attribute)):
            return None
        helper = self.methods.get(call.func.attr)
        if helper is None:
            return None
        known = _bind_texts(call, helper, self.known, self.survey)
        return replace(self, function=helper, known=known, hops=self.hops - 1)

    def settings_of(self, node: ast.expr | None) -> KnownSettings:
        """Return the settings that an expression may read: none where a name of it is the method's own."""
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} if node is not None else set[str]()
        return NO_SETTINGS if (names - {"self"}) & _find_bound_names(self.function) else self.settings


def _find_bound_names(function: Function) -> set[str]:
    """Return the parameters of a function and the names that it assigns."""
    parameters = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    return parameters | {
        node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _follow_log_calls(step: _CalledMethod) -> Iterator[LoggedTag]:
    """Yield what a method logs, and those that it calls."""
    known, survey = step.known, step.survey
    calls = [(node, is_certain) for node, is_certain in step.walk_reachable() if isinstance(node, ast.Call)]
    for call, is_certain in sorted(calls, key=lambda each: (each[0].lineno, each[0].col_offset)):
        if not (_is_own(call.func) and isinstance(call.func, ast.Attribute)):
            continue
        place = survey.place_of_line(call.lineno)
        if call.func.attr == "log":
            key = _first_argument(call, "name")
            tag = evaluate_text(key, known, survey, step.settings_of(key))
            if tag is not None:
                yield LoggedTag(tag, place, is_certain)
        elif call.func.attr == "log_dict":
            for tag in _find_keys(_first_argument(call, "dictionary"), step):
                yield LoggedTag(tag, place, is_certain)
        elif (helper := step.follow_call(call)) is not None:
            for each in _follow_log_calls(helper):
                yield each._replace(is_certain=each.is_certain and is_certain)


def _is_own(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "self"


def _first_argument(call: ast.Call, name: str) -> ast.expr | None:
    keywords = (keyword.value for keyword in call.keywords if keyword.arg == name)
    return call.args[0] if call.args else next(keywords, None)


def _find_keys(node: ast.expr | None, step: _CalledMethod) -> Iterator[str]:
    """Yield the keys of a dict: of a literal, of what a name is bound to, of what a method of the class returns."""
    match node:
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                yield from _evaluate_key(key, step) if key is not None else _find_keys(value, step)
        case ast.Call(func=ast.Name("dict"), args=[], keywords=keywords):
            for keyword in keywords:
                yield from [keyword.arg] if keyword.arg is not None else _find_keys(keyword.value, step)
        case ast.Call() if (helper := step.follow_call(node)) is not None:
            for each, _ in helper.walk_reachable():
                if isinstance(each, ast.Return):
                    yield from _find_keys(each.value, helper)
        case ast.DictComp():
            yield from _find_computed_keys(node, step)
        case ast.Name(id=name) if step.hops:
            yield from _find_bound_keys(name, replace(step, hops=step.hops - 1))


def _find_bound_keys(name: str, step: _CalledMethod) -> Iterator[str]:
    """Yield the keys that a method gives to the dict of a name; none where the name is bound to what is not known."""
    assigned = [node for node, _ in step.walk_reachable() if isinstance(node, ast.Assign)]
    found: list[str] = []
    for node in sorted(assigned, key=lambda node: node.lineno):
        match node:
            case ast.Assign(targets=[ast.Name(id=bound)], value=value) if bound == name:
                keys = list(_find_keys(value, step))
                if not keys and evaluate_literal(value) != {}:
                    return
                found += keys
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=bound), slice=key)]) if bound == name:
                found += _evaluate_key(key, step)
    yield from found


def _find_computed_keys(node: ast.DictComp, step: _CalledMethod) -> Iterator[str]:
    """Yield the keys of ``{f"val_{name}": value for name, value in scores.items()}``."""
    match node.generators:
        case [ast.comprehension(target=ast.Tuple(elts=[ast.Name(id=name), _]), iter=ast.Call(func=function), ifs=[])]:
            if isinstance(function, ast.Attribute) and function.attr == "items":
                for text in _find_keys(function.value, step):
                    yield from _evaluate_key(node.key, replace(step, known={**step.known, name: text}))


def _evaluate_key(node: ast.expr, step: _CalledMethod) -> Iterator[str]:
    text = evaluate_text(node, step.known, step.survey, step.settings_of(node))
    if text is not None:
        yield text


def _bind_texts(call: ast.Call, helper: Function, known: Mapping[str, str], survey: ModuleScan) -> dict[str, str]:
    """Return the texts that a call passes; ``known``: those of the method that it stands in."""
    names = [argument.arg for argument in (*helper.args.posonlyargs, *helper.args.args)][1:]
    defaults = dict(zip(reversed(names), reversed(helper.args.defaults), strict=False))
    texts = {name: evaluate_text(node, {}, survey) for name, node in defaults.items()}
    given = dict(zip(names, call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    texts |= {name: evaluate_text(node, known, survey) for name, node in given.items()}
    return {name: text for name, text in texts.items() if text is not None}


def evaluate_text(
    node: ast.expr | None, known: Mapping[str, str], survey: ModuleScan, settings: KnownSettings = NO_SETTINGS
) -> str | None:
    """Return a text that the source tells: a literal, a module's constant, a setting, an f-string of these."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.Name(id=name):
            bound = [each.value for each in survey.bindings.get(name, ()) if each.value is not None]
            value = evaluate_literal(bound[0]) if len(bound) == 1 else None
            return value if isinstance(value, str) else None
        case ast.Attribute() | ast.Subscript() if keys := keys_of(node):
            is_own = keys[0] == "self" and len(keys) == 2  # the class may assign it
            value = UNKNOWN if is_own else settings.find_value(keys)
            return value if isinstance(value, str) else None
        case ast.JoinedStr(values=parts):
            return _join_texts([evaluate_text(part, known, survey, settings) for part in parts])
        case ast.FormattedValue(value=inner, conversion=-1, format_spec=None):
            return evaluate_text(inner, known, survey, settings)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _join_texts([evaluate_text(each, known, survey, settings) for each in (left, right)])
        case _:
            return None


def _join_texts(parts: list[str | None]) -> str | None:
    texts = [part for part in parts if part is not None]
    return "".join(texts) if len(texts) == len(parts) else None

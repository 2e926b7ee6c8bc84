"""Where a program trains: the calls of ``Trainer.fit`` that it makes when it is run or imported, by its source."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tune.promotion.find.project import Own, Project, Variable
from tune.promotion.find.survey import Survey, dotted
from tune.promotion.find.walk import is_main_guard

FIT_KEYWORDS = frozenset({"datamodule", "train_dataloaders", "val_dataloaders", "ckpt_path"})
"""Arguments that no other library's `fit` has."""

MAX_HOPS = 4
"""Functions and names followed from an object to the Trainer that it is."""


@dataclass(frozen=True, slots=True)
class FitCall:
    """A call that trains."""

    node: ast.Call
    survey: Survey


def find_fits(project: Project, *, as_main: bool) -> list[FitCall]:
    """Return the calls that train when the program is run (``as_main``), or when it is imported.

    Calls of the program's own functions are followed, and functions that are passed on: ``study.optimize(objective)``.
    """
    return list(_ExecutedCalls(project, as_main=as_main).fits())


class _ExecutedCalls:
    """The functions that an execution of the program enters."""

    def __init__(self, project: Project, *, as_main: bool) -> None:
        self._project = project
        self._seen: set[int] = set()
        self._waiting: list[tuple[Survey, Iterable[ast.AST]]] = []
        for survey in project.surveys.values():
            runs_guard = as_main and survey is project.main
            self._waiting.append((survey, list(_walk_executed(survey.source.tree.body, runs_guard=runs_guard))))
        if as_main:  # a command of click, typer or hydra
            for node in project.main.source.tree.body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.decorator_list:
                    self._enter(Own(project.main, node))

    def fits(self) -> Iterator[FitCall]:
        while self._waiting:
            survey, nodes = self._waiting.pop()
            for node in nodes:
                if isinstance(node, ast.Call):
                    if _is_fit(node, survey, self._project):
                        yield FitCall(node, survey)
                    self._follow(node, survey)

    def _follow(self, call: ast.Call, survey: Survey) -> None:
        self._enter_method(call.func, survey)
        for node in (call.func, *call.args, *(keyword.value for keyword in call.keywords)):
            path = dotted(node)
            meaning = self._project.meaning(path, survey) if path is not None else None
            if isinstance(meaning, Own):
                self._enter(meaning, whole=node is not call.func)

    def _enter(self, own: Own, *, whole: bool = False) -> None:
        """Enter a function, or the constructor of a class; ``whole``: every method of it."""
        if not isinstance(own.node, ast.ClassDef):
            self._enter_function(own.survey, own.node)
            return
        for each in own.node.body:
            if isinstance(each, ast.FunctionDef) and (whole or each.name in ("__init__", "__post_init__", "__call__")):
                self._enter_function(own.survey, each)

    def _enter_method(self, function: ast.expr, survey: Survey) -> None:
        """Enter the methods that ``App().run()`` may call; of an object that is not known those of any class."""
        if not isinstance(function, ast.Attribute):
            return
        owners = list(_classes_of(function.value, survey, self._project)) or self._own_classes
        for own in owners:
            for method in own.node.body:
                if isinstance(method, ast.FunctionDef) and method.name == function.attr:
                    self._enter_function(own.survey, method)

    @cached_property
    def _own_classes(self) -> list[Own]:
        surveys = self._project.surveys.values()
        found = (Own(each, node) for each in surveys for nodes in each.definitions.values() for node in nodes)
        return [own for own in found if isinstance(own.node, ast.ClassDef)]

    def _enter_function(self, survey: Survey, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if id(node) not in self._seen:
            self._seen.add(id(node))
            self._waiting.append((survey, [each for part in node.body for each in ast.walk(part)]))


def _walk_executed(body: list[ast.stmt], *, runs_guard: bool) -> Iterator[ast.AST]:
    """Yield what a module's execution evaluates: no bodies of functions, and a lambda only where it is passed on."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                continue
            case ast.If(test=test) if is_main_guard(test) and not runs_guard:
                waiting.extend(node.orelse)
                continue
            case ast.Call():
                given = (*node.args, *(keyword.value for keyword in node.keywords))
                waiting.extend(each.body for each in given if isinstance(each, ast.Lambda))
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def _is_fit(call: ast.Call, survey: Survey, project: Project) -> bool:
    """Tell ``trainer.fit(...)`` and ``LightningCLI(...)``, and not the `fit` of a scaler."""
    match call.func:
        case ast.Attribute(value=trainer, attr="fit"):
            return (
                is_trainer(trainer, survey, project)
                or any(keyword.arg in FIT_KEYWORDS for keyword in call.keywords)
                or any(_is_module(each, survey, project) for each in call.args)
                or (_is_unknown_name(trainer, survey, project) and _builds_a_trainer(project))
            )
        case function:
            return _is_class(function, "LightningCLI", survey, project)


def is_trainer(node: ast.expr, survey: Survey, project: Project, hops: int = MAX_HOPS) -> bool:
    """Tell whether an expression is a Trainer: a call of its class, or a name or attribute that holds one."""
    if hops == 0:
        return False
    match node:
        case ast.Call(func=function):
            name = (dotted(function) or "").rpartition(".")[2]
            if name == "from_argparse_args" or _is_class(function, "Trainer", survey, project):
                return True
            meaning = project.meaning(dotted(function) or "", survey)
            return isinstance(meaning, Own) and any(
                is_trainer(each.value, meaning.survey, project, hops - 1)
                for each in ast.walk(meaning.node)
                if isinstance(each, ast.Return) and each.value is not None
            )
        case ast.Name(id=name) | ast.Attribute(attr=name) if "trainer" in name.casefold():
            return True
        case ast.Name() | ast.Attribute():
            return any(
                is_trainer(value, there, project, hops - 1) for there, value in _assigned_values(node, survey, project)
            )
        case _:
            return False


def _is_unknown_name(node: ast.expr, survey: Survey, project: Project) -> bool:
    """Tell a name of which the source does not tell what it holds: a parameter."""
    return (
        isinstance(node, ast.Name)
        and not any(_assigned_values(node, survey, project))
        and not project.meaning(node.id, survey)
    )


def _builds_a_trainer(project: Project) -> bool:
    surveys = project.surveys.values()
    return any(_is_class(called.node.func, "Trainer", each, project) for each in surveys for called in each.calls)


def _is_module(node: ast.expr, survey: Survey, project: Project) -> bool:
    """Tell whether an expression is an instance of one of the program's LightningModules."""
    return any(project.descends(own, "LightningModule") for own in _classes_of(node, survey, project))


def _classes_of(node: ast.expr, survey: Survey, project: Project) -> Iterator[Own]:
    """Yield the program's classes of which an expression may be an instance."""
    values = [(survey, node), *_assigned_values(node, survey, project)]
    for there, value in values:
        if isinstance(value, ast.Call):
            meaning = project.meaning(dotted(value.func) or "", there)
            if isinstance(meaning, Own) and isinstance(meaning.node, ast.ClassDef):
                yield meaning


def _assigned_values(node: ast.expr, survey: Survey, project: Project) -> Iterator[tuple[Survey, ast.expr]]:
    """Yield what a name or an attribute is assigned, in any scope of its file."""
    path = dotted(node) or ""
    match project.meaning(path, survey) if path else None:
        case Variable(survey=there, name=name):
            yield from ((there, value) for value in there.held.get(name, ()))
        case _:
            yield from ((survey, value) for value in survey.held.get(path, ()))
    yield from ((survey, each.value) for each in survey.overwrites if each.path == path and each.value is not None)


def _is_class(function: ast.expr, name: str, survey: Survey, project: Project) -> bool:
    """Tell whether a callee is a library's class ``name``, or one of the program that descends from it."""
    path = dotted(function) or ""
    if path.rpartition(".")[2] == name:
        return True
    match project.meaning(path, survey) if path else None:
        case Own() as own:
            return project.descends(own, name)
        case None:
            return False
        case meaning:
            return meaning.name == name

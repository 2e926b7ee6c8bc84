"""Whether a program is a system or a script, and where it trains, as far as its source tells."""

import ast
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tune.promotion.assigned_values import find_assigned_values
from tune.promotion.find.module_scan import ModuleScan, dotted_path
from tune.promotion.find.project import Project, ProjectSymbol, project_of
from tune.promotion.find.scan import is_main_guard
from tune.promotion.find.signatures import signature_of
from tune.promotion.options.declared_options import find_options, is_lightning_cli
from tune.promotion.options.option import OptionParser
from tune.promotion.program import Program, decode_source
from tune.space.space import Script, Shape, System

FIT_KEYWORDS = frozenset({"datamodule", "train_dataloaders", "val_dataloaders", "ckpt_path"})
"""Arguments that no other library's `fit` has."""

MAX_HOPS = 4
"""Functions and names followed from an object to the Trainer that it is."""


@dataclass(frozen=True, slots=True)
class FitCall:
    """A call that trains."""

    node: ast.Call
    survey: ModuleScan


def find_fits(project: Project, *, as_main: bool) -> list[FitCall]:
    """Return the calls that train when the program is run (``as_main``), or when it is imported.

    Calls of the program's own functions are followed, and functions that are passed on: ``study.optimize(objective)``.
    """
    return list(_ExecutedCalls(project, as_main=as_main).find_fit_calls())


class _ExecutedCalls:
    """The functions that an execution of the program enters."""

    def __init__(self, project: Project, *, as_main: bool) -> None:
        self._project = project
        self._seen: set[int] = set()
        self._waiting: list[tuple[ModuleScan, Iterable[ast.AST]]] = []
        for survey in project.surveys.values():
            runs_guard = as_main and survey is project.main
            self._waiting.append((survey, list(_walk_executed(survey.source.tree.body, runs_guard=runs_guard))))
        if as_main:  # a command of click, typer or hydra
            for node in project.main.source.tree.body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.decorator_list:
                    self._enter_definition(ProjectSymbol(project.main, node))

    def find_fit_calls(self) -> Iterator[FitCall]:
        while self._waiting:
            survey, nodes = self._waiting.pop()
            for node in nodes:
                if isinstance(node, ast.Call):
                    if _is_fit(node, survey, self._project):
                        yield FitCall(node, survey)
                    self._follow_call(node, survey)

    def _follow_call(self, call: ast.Call, survey: ModuleScan) -> None:
        self._enter_method(call.func, survey)
        for node in (call.func, *call.args, *(keyword.value for keyword in call.keywords)):
            path = dotted_path(node)
            meaning = self._project.resolve_name(path, survey) if path is not None else None
            if isinstance(meaning, ProjectSymbol):
                self._enter_definition(meaning, whole=node is not call.func)

    def _enter_definition(self, own: ProjectSymbol, *, whole: bool = False) -> None:
        """Enter a function, or the constructor of a class; ``whole``: every method of it."""
        if not isinstance(own.node, ast.ClassDef):
            self._enter_function(own.survey, own.node)
            return
        for each in own.node.body:
            if isinstance(each, ast.FunctionDef) and (whole or each.name in ("__init__", "__post_init__", "__call__")):
                self._enter_function(own.survey, each)

    def _enter_method(self, function: ast.expr, survey: ModuleScan) -> None:
        """Enter the methods that ``App().run()`` may call; of an object that is not known those of any class."""
        if not isinstance(function, ast.Attribute):
            return
        owners = list(_classes_of(function.value, survey, self._project)) or self._own_classes
        for own in owners:
            for method in own.node.body:
                if isinstance(method, ast.FunctionDef) and method.name == function.attr:
                    self._enter_function(own.survey, method)

    @cached_property
    def _own_classes(self) -> list[ProjectSymbol]:
        surveys = self._project.surveys.values()
        found = (ProjectSymbol(each, node) for each in surveys for nodes in each.definitions.values() for node in nodes)
        return [own for own in found if isinstance(own.node, ast.ClassDef)]

    def _enter_function(self, survey: ModuleScan, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
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


def _is_fit(call: ast.Call, survey: ModuleScan, project: Project) -> bool:
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


def is_trainer(node: ast.expr, survey: ModuleScan, project: Project, hops: int = MAX_HOPS) -> bool:
    """Tell whether an expression is a Trainer: a call of its class, or a name or attribute that holds one."""
    if hops == 0:
        return False
    match node:
        case ast.Call(func=function):
            name = (dotted_path(function) or "").rpartition(".")[2]
            if name == "from_argparse_args" or _is_class(function, "Trainer", survey, project):
                return True
            meaning = project.resolve_name(dotted_path(function) or "", survey)
            return isinstance(meaning, ProjectSymbol) and any(
                is_trainer(each.value, meaning.survey, project, hops - 1)
                for each in ast.walk(meaning.node)
                if isinstance(each, ast.Return) and each.value is not None
            )
        case ast.Name(id=name) | ast.Attribute(attr=name) if "trainer" in name.casefold():
            return True
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return any(
                is_trainer(value, there, project, hops - 1)
                for there, value in find_assigned_values(node, survey, project)
            )
        case _:
            return False


def _is_unknown_name(node: ast.expr, survey: ModuleScan, project: Project) -> bool:
    """Tell a name of which the source does not tell what it holds: a parameter."""
    return (
        isinstance(node, ast.Name)
        and not any(find_assigned_values(node, survey, project))
        and not project.resolve_name(node.id, survey)
    )


def _builds_a_trainer(project: Project) -> bool:
    surveys = project.surveys.values()
    return any(_is_class(called.node.func, "Trainer", each, project) for each in surveys for called in each.calls)


def _is_module(node: ast.expr, survey: ModuleScan, project: Project) -> bool:
    """Tell whether an expression is an instance of one of the program's LightningModules."""
    return any(project.has_base(own, "LightningModule") for own in _classes_of(node, survey, project))


def _classes_of(node: ast.expr, survey: ModuleScan, project: Project) -> Iterator[ProjectSymbol]:
    """Yield the program's classes of which an expression may be an instance."""
    values = [(survey, node), *find_assigned_values(node, survey, project)]
    for there, value in values:
        if isinstance(value, ast.Call):
            meaning = project.resolve_name(dotted_path(value.func) or "", there)
            if isinstance(meaning, ProjectSymbol) and isinstance(meaning.node, ast.ClassDef):
                yield meaning


def _is_class(function: ast.expr, name: str, survey: ModuleScan, project: Project) -> bool:
    """Tell whether a callee is a library's class ``name``, or one of the program that descends from it."""
    path = dotted_path(function) or ""
    if path.rpartition(".")[2] == name:
        return True
    match project.resolve_name(path, survey) if path else None:
        case ProjectSymbol() as own:
            return project.has_base(own, name)
        case None:
            return False
        case meaning:
            return meaning.name == name


MAX_BASES = 12

SET_BY_THE_SEARCH = frozenset({"max_epochs", "accelerator", "devices", "num_nodes", "logger", "default_root_dir"}) | {
    "enable_progress_bar",
    "enable_model_summary",
    "enable_checkpointing",
    "log_every_n_steps",
    "num_sanity_val_steps",
}
"""Arguments of a program's Trainer that a search of a system may leave out: none changes what is trained."""

PLAIN_FIT = frozenset({"model", "train_dataloaders", "val_dataloaders"})
"""Keywords of a `fit` that a search of a system makes, too."""


def shape_of(program: Program) -> Shape:
    """Return a System where the search can do all that the program does when it is run, else a Script.

    A system has a LightningModule that can be built without arguments, and its data. If it trains when it is run, it is
    a system only if it offers ``dataloaders()``, and the search would train the same.
    """
    project = project_of(program)
    buildable = _find_buildable_models(project)
    system = system_of(program)
    if _needs_the_guard(project):
        return Script()
    fits = find_fits(project, as_main=True)
    if fits:
        return system if buildable and _trains_the_same(fits, project, buildable) else Script()
    is_whole = bool(buildable) and _has_data(project, buildable)
    return system if is_whole or not does_something(project) else Script()


def system_of(program: Program) -> System:
    """Return the program as a system. One of several LightningModules is named: the first that can be built."""
    project = project_of(program)
    buildable = _find_buildable_models(project)
    leaves = [own for own in buildable if not any(_is_base(own, other, project) for other in buildable)]
    return System(class_name=leaves[0].node.name if len(_find_models(project)) > 1 and leaves else None)


def defines_settings_alone(program: Program) -> bool:
    """Tell whether a program holds values for others: it neither does anything nor has a class or data to train."""
    project = project_of(program)
    main = project.main
    classes = any(isinstance(node, ast.ClassDef) and node.bases for node in main.source.tree.body)
    builds_cli = any(is_lightning_cli(called, main, project) for called in main.calls)  # it trains where it is built
    trains = does_something(project) or builds_cli or bool(find_fits(project, as_main=True))
    return not (trains or classes or _find_models(project) or _has_data(project, []))


def trains_at_import(program: Program) -> bool:
    """Tell whether importing the program trains: a ``fit`` outside of functions and of the main guard."""
    return bool(find_fits(project_of(program), as_main=False))


def _trains_the_same(fits: list[FitCall], project: Project, models: list[ProjectSymbol]) -> bool:
    """Tell whether a search of a system would train what the program trains, with its own Trainer."""
    loaders = project.resolve_name("dataloaders", project.main)
    if not isinstance(loaders, ProjectSymbol) or not _is_callable(loaders, project):
        return False
    if len(fits) > 1 or find_fits(project, as_main=False):
        return False
    if any(option.parser is not OptionParser.FILE for option in find_options(project.program)):
        return False
    trainings = (keyword.arg for fit in fits for keyword in fit.node.keywords)
    calls = [called.node for called in project.main.calls]
    trainers = [call for call in calls if is_trainer(call, project.main, project)]
    arguments = (keyword.arg for call in trainers for keyword in call.keywords)
    built = (call for call in calls if dotted_path(call.func) in {own.node.name for own in models})
    return (
        all(name in PLAIN_FIT for name in trainings)
        and all(name in SET_BY_THE_SEARCH for name in arguments)
        and not any(call.args for call in trainers)
        and not any(call.args or call.keywords for call in built)
    )


def _needs_the_guard(project: Project) -> bool:
    """Tell whether a function or class reads a name that only the main guard binds."""
    guards = [node for node in project.main.source.tree.body if isinstance(node, ast.If) and is_main_guard(node.test)]
    arms = {(id(node), 0) for node in guards}
    bound = {name for name, each in project.main.bindings.items() if all(arms & {*one.branch} for one in each)}
    if not bound:
        return False
    lines = {line for node in guards for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    source = project.main.source
    table = symtable.symtable(decode_source(source.raw), source.name, "exec")
    return not bound.isdisjoint(_read_globals(each for each in table.get_children() if each.get_lineno() not in lines))


def _read_globals(tables: Iterator[symtable.SymbolTable]) -> Iterator[str]:
    """Yield the module's names that functions and classes read."""
    for table in tables:
        yield from (each.get_name() for each in table.get_symbols() if each.is_global() and each.is_referenced())
        yield from _read_globals(iter(table.get_children()))


def does_something(project: Project) -> bool:
    """Tell whether a run of the program's file does more than define."""
    return any(
        isinstance(node, ast.For | ast.While | ast.With)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        or (isinstance(node, ast.If) and is_main_guard(node.test))
        for node in project.main.source.tree.body
    )


def _find_models(project: Project) -> list[ProjectSymbol]:
    return [own for own in _find_classes(project) if project.has_base(own, "LightningModule")]


def _find_buildable_models(project: Project) -> list[ProjectSymbol]:
    """Return the LightningModules that can be built without arguments."""
    return [own for own in _find_models(project) if _is_callable(own, project)]


def _find_classes(project: Project) -> list[ProjectSymbol]:
    """Return the program's own classes; where it has no LightningModule of its own, those that it imports."""
    own = [
        ProjectSymbol(project.main, node) for node in project.main.source.tree.body if isinstance(node, ast.ClassDef)
    ]
    if any(project.has_base(each, "LightningModule") for each in own):
        return own
    imported = [alias for node in project.main.imports for alias in node.names]
    meanings = [
        project.resolve_name(alias.asname or alias.name, project.main) for alias in imported if alias.name != "*"
    ]
    return own + [each for each in meanings if isinstance(each, ProjectSymbol)]


def _is_base(own: ProjectSymbol, other: ProjectSymbol, project: Project) -> bool:
    assert isinstance(other.node, ast.ClassDef)
    return any(project.resolve_name(dotted_path(base) or "", other.survey) == own for base in other.node.bases)


def _is_callable(own: ProjectSymbol, project: Project) -> bool:
    """Tell whether a class or function can be called without arguments."""
    signature = signature_of(own, project)
    return signature is None or all(each.default is not None for each in signature.parameters)


def _has_data(project: Project, models: list[ProjectSymbol]) -> bool:
    if "dataloaders" in project.main.definitions or "dataloaders" in project.main.bindings:
        return True
    modules = [own for own in _data_classes(project) if _is_callable(own, project)]
    loaders = [_has_method(own, "train_dataloader", project) for own in models]
    return bool(modules) or any(loaders)


def _data_classes(project: Project) -> list[ProjectSymbol]:
    names = [*project.main.definitions, *(name for name in project.main.bindings)]
    meanings = [project.resolve_name(name, project.main) for name in dict.fromkeys(names)]
    return [
        each for each in meanings if isinstance(each, ProjectSymbol) and project.has_base(each, "LightningDataModule")
    ]


def _has_method(own: ProjectSymbol, name: str, project: Project, hops: int = MAX_BASES) -> bool:
    if not isinstance(own.node, ast.ClassDef) or not hops:
        return False
    if any(isinstance(each, ast.FunctionDef) and each.name == name for each in own.node.body):
        return True
    bases = (project.resolve_name(dotted_path(base) or "", own.survey) for base in own.node.bases)
    return any(_has_method(base, name, project, hops - 1) for base in bases if isinstance(base, ProjectSymbol))

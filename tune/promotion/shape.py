"""Whether a program is a system or a script, as far as its source tells."""

import ast
import symtable
from collections.abc import Iterator

from tune.promotion.find.project import Own, Project, project_of
from tune.promotion.find.signatures import signature_of
from tune.promotion.find.survey import dotted
from tune.promotion.find.walk import is_main_guard
from tune.promotion.options import Parser, find_options
from tune.promotion.program import Program, decode
from tune.promotion.training import FitCall, find_fits, is_trainer
from tune.space.space import Script, Shape, System

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
    buildable = _buildable(project)
    system = system_of(program)
    if _needs_the_guard(project):
        return Script()
    fits = find_fits(project, as_main=True)
    if fits:
        return system if buildable and _trains_the_same(fits, project, buildable) else Script()
    is_whole = bool(buildable) and _has_data(project, buildable)
    return system if is_whole or not _does_something(project) else Script()


def system_of(program: Program) -> System:
    """Return the program as a system. One of several LightningModules is named: the first that can be built."""
    project = project_of(program)
    buildable = _buildable(project)
    leaves = [own for own in buildable if not any(_is_base(own, other, project) for other in buildable)]
    return System(class_name=leaves[0].node.name if len(_models(project)) > 1 and leaves else None)


def trains_at_import(program: Program) -> bool:
    """Tell whether importing the program trains: a ``fit`` outside of functions and of the main guard."""
    return bool(find_fits(project_of(program), as_main=False))


def _trains_the_same(fits: list[FitCall], project: Project, models: list[Own]) -> bool:
    """Tell whether a search of a system would train what the program trains, with its own Trainer."""
    loaders = project.meaning("dataloaders", project.main)
    if not isinstance(loaders, Own) or not _is_callable(loaders, project):
        return False
    if len(fits) > 1 or find_fits(project, as_main=False):
        return False
    if any(option.parser is not Parser.FILE for option in find_options(project.program)):
        return False
    trainings = (keyword.arg for fit in fits for keyword in fit.node.keywords)
    calls = [called.node for called in project.main.calls]
    trainers = [call for call in calls if is_trainer(call, project.main, project)]
    arguments = (keyword.arg for call in trainers for keyword in call.keywords)
    built = (call for call in calls if dotted(call.func) in {own.node.name for own in models})
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
    table = symtable.symtable(decode(source.raw), source.name, "exec")
    return not bound.isdisjoint(_read_globals(each for each in table.get_children() if each.get_lineno() not in lines))


def _read_globals(tables: Iterator[symtable.SymbolTable]) -> Iterator[str]:
    """Yield the module's names that functions and classes read."""
    for table in tables:
        yield from (each.get_name() for each in table.get_symbols() if each.is_global() and each.is_referenced())
        yield from _read_globals(iter(table.get_children()))


def _does_something(project: Project) -> bool:
    """Tell whether a run of the program's file does more than define."""
    return any(
        isinstance(node, ast.For | ast.While | ast.With)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        or (isinstance(node, ast.If) and is_main_guard(node.test))
        for node in project.main.source.tree.body
    )


def _models(project: Project) -> list[Own]:
    return [own for own in _classes(project) if project.descends(own, "LightningModule")]


def _buildable(project: Project) -> list[Own]:
    """Return the LightningModules that can be built without arguments."""
    return [own for own in _models(project) if _is_callable(own, project)]


def _classes(project: Project) -> list[Own]:
    """Return the program's own classes; where it has no LightningModule of its own, those that it imports."""
    own = [Own(project.main, node) for node in project.main.source.tree.body if isinstance(node, ast.ClassDef)]
    if any(project.descends(each, "LightningModule") for each in own):
        return own
    imported = [alias for node in project.main.imports for alias in node.names]
    meanings = [project.meaning(alias.asname or alias.name, project.main) for alias in imported if alias.name != "*"]
    return own + [each for each in meanings if isinstance(each, Own)]


def _is_base(own: Own, other: Own, project: Project) -> bool:
    assert isinstance(other.node, ast.ClassDef)
    return any(project.meaning(dotted(base) or "", other.survey) == own for base in other.node.bases)


def _is_callable(own: Own, project: Project) -> bool:
    """Tell whether a class or function can be called without arguments."""
    signature = signature_of(own, project)
    return signature is None or all(each.default is not None for each in signature.parameters)


def _has_data(project: Project, models: list[Own]) -> bool:
    if "dataloaders" in project.main.definitions or "dataloaders" in project.main.bindings:
        return True
    modules = [own for own in _data_classes(project) if _is_callable(own, project)]
    loaders = [_has_method(own, "train_dataloader", project) for own in models]
    return bool(modules) or any(loaders)


def _data_classes(project: Project) -> list[Own]:
    names = [*project.main.definitions, *(name for name in project.main.bindings)]
    meanings = [project.meaning(name, project.main) for name in dict.fromkeys(names)]
    return [each for each in meanings if isinstance(each, Own) and project.descends(each, "LightningDataModule")]


def _has_method(own: Own, name: str, project: Project, hops: int = MAX_BASES) -> bool:
    if not isinstance(own.node, ast.ClassDef) or not hops:
        return False
    if any(isinstance(each, ast.FunctionDef) and each.name == name for each in own.node.body):
        return True
    bases = (project.meaning(dotted(base) or "", own.survey) for base in own.node.bases)
    return any(_has_method(base, name, project, hops - 1) for base in bases if isinstance(base, Own))

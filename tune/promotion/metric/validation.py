"""Whether a program validates, as far as its source tells."""

import ast
from collections.abc import Iterator, Mapping

from tune.promotion.find.literals import evaluate_literal
from tune.promotion.find.module_scan import dotted_path
from tune.promotion.find.project import LibrarySymbol, Project, ProjectSymbol, project_of
from tune.promotion.program import Program
from tune.promotion.program_kind import FitCall, find_fits, is_trainer
from tune.space.dimensions import Value
from tune.space.space import Shape, System

LIMIT = "limit_val_batches"
LOADER = b"val_dataloader"
"""A method of modules and datamodules, and the beginning of the argument of ``fit``."""
TRAINING_LOADER = b"def train_dataloader("
DATA_MODULE = "DataModule"


def never_validates(program: Program, shape: Shape, trainer: Mapping[str, Value]) -> bool:
    """Tell whether the source says that nothing is validated: no fit has a loader for it, or the Trainers leave it out.

    ``trainer``: arguments of the Trainer that win over the program's own.
    """
    if LIMIT in trainer:
        return trainer[LIMIT] == 0
    project = project_of(program)
    has_loader = any(LOADER in source.raw for source in program.sources.values())
    may_have_loader = has_loader or any(_foreign_data_modules(project))
    if isinstance(shape, System):
        return not may_have_loader and _has_training_loader_alone(project)
    limits = list(_validation_limits(project))
    if limits and all(limit == 0 for limit in limits):
        return True
    fits = find_fits(project, as_main=True)
    return bool(fits) and not may_have_loader and not any(map(_may_validate, fits))


def _foreign_data_modules(project: Project) -> Iterator[str]:
    """Yield the names of LightningDataModules that other libraries define."""
    for survey in project.surveys.values():
        for alias in (alias for node in survey.imports for alias in node.names):
            name = alias.asname or alias.name
            is_one = name.endswith(DATA_MODULE) and name != f"Lightning{DATA_MODULE}"
            if is_one and isinstance(project.resolve_name(name, survey), LibrarySymbol):
                yield name


def _has_training_loader_alone(project: Project) -> bool:
    """Tell whether ``dataloaders()`` of a system returns one loader, or without it a class has one of training."""
    functions = project.main.definitions.get("dataloaders")
    if not functions:
        is_other = project.resolve_name("dataloaders", project.main) is not None
        return not is_other and any(TRAINING_LOADER in source.raw for source in project.program.sources.values())
    returned = [each.value for node in functions for each in ast.walk(node) if isinstance(each, ast.Return)]
    return bool(returned) and all(_is_one_loader(value) for value in returned)


def _is_one_loader(value: ast.expr | None) -> bool:
    match value:
        case ast.Tuple(elts=[_]):
            return True
        case ast.Call(func=function):
            return (dotted_path(function) or "").rpartition(".")[2] == "DataLoader"
        case _:
            return False


def _validation_limits(project: Project) -> Iterator[object]:
    """Yield ``limit_val_batches`` of each Trainer that is built; None of one that does not say it."""
    for survey in project.surveys.values():
        for called in survey.calls:
            made = project.resolve_name(dotted_path(called.node.func) or "", survey)
            is_class = not isinstance(made, ProjectSymbol) or isinstance(made.node, ast.ClassDef)
            if is_class and is_trainer(called.node, survey, project):
                given = {keyword.arg: keyword.value for keyword in called.node.keywords}
                yield evaluate_literal(given[LIMIT]) if LIMIT in given else None


def _may_validate(fit: FitCall) -> bool:
    """Tell whether a call may pass a loader of validation, beside one of training or a datamodule."""
    call = fit.node
    is_open = any(isinstance(each, ast.Starred) for each in call.args) or any(
        each.arg is None for each in call.keywords
    )
    is_cli = not (isinstance(call.func, ast.Attribute) and call.func.attr == "fit")
    return is_open or is_cli or len(call.args) > 2

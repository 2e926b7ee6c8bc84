"""Options of a LightningCLI that reach ``configure_optimizers`` alone, which a given ``optimizer`` replaces."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tune.promotion.find.literals import evaluate_literal
from tune.promotion.find.module_scan import dotted_path
from tune.promotion.find.project import Project, ProjectSymbol
from tune.promotion.options.option import Option, OptionParser

METHOD = "configure_optimizers"
OPTIMIZER = "optimizer"
MODEL = "model"
SAVING = "save_hyperparameters"


def mark_replaced(options: Iterable[Option], project: Project, args: Sequence[str]) -> Iterator[Option]:
    """Yield the options; of a LightningCLI that configures the optimizer itself those without an effect are marked."""
    options = list(options)
    is_replacing = _replaces_optimizers(options, project, args)
    for option in options:
        is_replaced = (
            is_replacing and MODEL in option.dest.split(".")[:2] and _reaches_optimizers_alone(option.dest, project)
        )
        yield replace(option, is_replaced=True) if is_replaced else option


def _replaces_optimizers(options: Sequence[Option], project: Project, args: Sequence[str]) -> bool:
    """Tell whether the command line, a config file or the source gives the LightningCLI an optimizer."""
    calls = [called.node for survey in project.surveys.values() for called in survey.calls]
    for call in calls:
        for keyword in call.keywords:
            if keyword.arg == "auto_configure_optimizers" and evaluate_literal(keyword.value) is not True:
                return False
    in_words = any(
        word.lstrip("-").partition("=")[0].partition(".")[0] == OPTIMIZER for word in args if word[:1] == "-"
    )
    given = [each.dest for each in options if each.parser is OptionParser.FILE and each.value is not None]
    in_files = any(OPTIMIZER in dest.split(".")[:2] for dest in given)
    return in_words or in_files or any(_last_name(call.func) == "add_optimizer_args" for call in calls)


def _reaches_optimizers_alone(dest: str, project: Project) -> bool:
    """Tell whether ``configure_optimizers`` alone reads what each LightningModule with such a parameter is given."""
    name = dest.rpartition(".")[2]
    found = [
        (own, init)
        for survey in project.surveys.values()
        for nodes in survey.definitions.values()
        for node in nodes
        if isinstance(node, ast.ClassDef) and project.has_base(own := ProjectSymbol(survey, node), "LightningModule")
        for init in node.body
        if isinstance(init, ast.FunctionDef) and init.name == "__init__"
        if name in {each.arg for each in (*init.args.args, *init.args.kwonlyargs)}
    ]
    attributes = [_attributes_of(name, init) for _, init in found]
    known = {each for names in attributes if names is not None for each in names}
    return bool(found) and None not in attributes and _is_read_there_alone(known, project)


def _attributes_of(name: str, init: ast.FunctionDef) -> set[str] | None:
    """Return the attributes that hold a parameter, its own name among them; None where the constructor reads it."""
    attributes = {name}
    kept: set[int] = set()
    for node in ast.walk(init):
        match node:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name("self"), attr=attribute)], value=ast.Name(id=held)):
                if held == name:
                    attributes.add(attribute)
                    kept.add(id(node.value))
    reads = (each for each in ast.walk(init) if isinstance(each, ast.Name) and each.id == name)
    return attributes if all(id(each) in kept for each in reads) else None


def _is_read_there_alone(attributes: set[str], project: Project) -> bool:
    places = [
        is_there
        for survey in project.surveys.values()
        for is_there, node in _walk_methods(survey.source.tree, is_there=False)
        if _may_read(node, attributes)
    ]
    return bool(places) and all(places)


def _walk_methods(node: ast.AST, *, is_there: bool) -> Iterator[tuple[bool, ast.AST]]:
    """Yield each node, and whether it stands in ``configure_optimizers``; but no names of hyperparameters to save."""
    yield is_there, node
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.Call) and _last_name(each.func) == SAVING:
            continue
        is_method = isinstance(each, ast.FunctionDef) and each.name == METHOD
        if isinstance(each, ast.Attribute | ast.Subscript) and _is_hparams(each.value):  # what is taken of them tells
            each = _without_owner(each)
        yield from _walk_methods(each, is_there=is_there or is_method)


def _is_hparams(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "hparams"


def _without_owner(node: ast.Attribute | ast.Subscript) -> ast.expr:
    owner = ast.Name("self", ast.Load())
    if isinstance(node, ast.Attribute):
        return ast.Attribute(owner, node.attr, node.ctx)
    return ast.Subscript(owner, node.slice, node.ctx)


def _may_read(node: ast.AST, attributes: set[str]) -> bool:
    match node:
        case ast.Attribute(attr=attribute, ctx=ast.Load()):
            return attribute in attributes or attribute in ("hparams", "__dict__")
        case ast.Constant(value=str(text)):
            return text in attributes
        case _:
            return False


def _last_name(function: ast.expr) -> str:
    return (dotted_path(function) or "").rpartition(".")[2]

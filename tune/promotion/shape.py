"""Whether a program is a system or a script, as far as its source tells."""

import ast
from collections.abc import Iterator

from tune.promotion.find.project import Foreign, Own, Project, project_of
from tune.promotion.find.signatures import signature_of
from tune.promotion.find.survey import Survey, dotted
from tune.promotion.find.walk import is_main_guard
from tune.promotion.program import Program
from tune.space.space import Script, Shape, System

MAX_BASES = 12


def shape_of(program: Program) -> Shape:
    """Return a Script where the program trains by itself and does not offer itself as a system; else a System.

    A system has a LightningModule that can be built without arguments, and its data. One of several LightningModules is
    named: the first that can be built.
    """
    project = project_of(program)
    models = [own for own in _classes(project) if _descends(own, "LightningModule", project)]
    buildable = [own for own in models if _is_buildable(own, project)]
    trains, trains_at_import = _trains(project)
    if trains_at_import or (trains and not (buildable and _has_data(project, buildable))):
        return Script()
    leaves = [own for own in buildable if not any(_is_base(own, other, project) for other in buildable)]
    return System(class_name=leaves[0].node.name if len(models) > 1 and leaves else None)


def trains_at_import(program: Program) -> bool:
    """Tell whether importing the program trains: a ``fit`` outside of functions and of the main guard."""
    return _trains(project_of(program))[1]


def _classes(project: Project) -> list[Own]:
    """Return the program's own classes; where it has no LightningModule of its own, those that it imports."""
    own = [Own(project.main, node) for node in project.main.source.tree.body if isinstance(node, ast.ClassDef)]
    if any(_descends(each, "LightningModule", project) for each in own):
        return own
    imported = [alias for node in project.main.imports for alias in node.names]
    meanings = [project.meaning(alias.asname or alias.name, project.main) for alias in imported if alias.name != "*"]
    return own + [each for each in meanings if isinstance(each, Own)]


def _descends(own: Own, name: str, project: Project, hops: int = MAX_BASES) -> bool:
    if not isinstance(own.node, ast.ClassDef) or not hops:
        return False
    for base in own.node.bases:
        path = dotted(base) or ""
        match project.meaning(path, own.survey):
            case Own() as inner:
                if _descends(inner, name, project, hops - 1):
                    return True
            case Foreign(path=library):
                if library.rpartition(".")[2] == name:
                    return True
            case _:
                if path.rpartition(".")[2] == name:
                    return True
    return False


def _is_base(own: Own, other: Own, project: Project) -> bool:
    assert isinstance(other.node, ast.ClassDef)
    return any(project.meaning(dotted(base) or "", other.survey) == own for base in other.node.bases)


def _is_buildable(own: Own, project: Project) -> bool:
    signature = signature_of(own, project)
    return signature is None or all(each.default is not None for each in signature.parameters)


def _has_data(project: Project, models: list[Own]) -> bool:
    if "dataloaders" in project.main.definitions or "dataloaders" in project.main.bindings:
        return True
    modules = [own for own in _data_classes(project) if _is_buildable(own, project)]
    loaders = [_has_method(own, "train_dataloader", project) for own in models]
    return bool(modules) or any(loaders)


def _data_classes(project: Project) -> list[Own]:
    names = [*project.main.definitions, *(name for name in project.main.bindings)]
    meanings = [project.meaning(name, project.main) for name in dict.fromkeys(names)]
    return [each for each in meanings if isinstance(each, Own) and _descends(each, "LightningDataModule", project)]


def _has_method(own: Own, name: str, project: Project, hops: int = MAX_BASES) -> bool:
    if not isinstance(own.node, ast.ClassDef) or not hops:
        return False
    if any(isinstance(each, ast.FunctionDef) and each.name == name for each in own.node.body):
        return True
    bases = (project.meaning(dotted(base) or "", own.survey) for base in own.node.bases)
    return any(_has_method(base, name, project, hops - 1) for base in bases if isinstance(base, Own))


def _trains(project: Project) -> tuple[bool, bool]:
    """Return whether the program's own file trains when it is run, and whether it does so when it is imported."""
    survey, body = project.main, project.main.source.tree.body
    functions = {node.name: list(ast.walk(node)) for node in body if isinstance(node, ast.FunctionDef)}
    training = {name for name, nodes in functions.items() if any(_is_fit(node, survey) for node in nodes)}
    for _ in functions:
        training |= {name for name, nodes in functions.items() if _calls_one_of(training, nodes)}

    def do(nodes: list[ast.AST]) -> bool:
        return any(_is_fit(node, survey) for node in nodes) or _calls_one_of(training, nodes)

    guarded = [node for node in body if isinstance(node, ast.If) and is_main_guard(node.test)]
    at_import = do(list(_at_import(body)))
    return at_import or do([each for node in guarded for each in ast.walk(node)]), at_import


def _at_import(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield what an import executes: no bodies of functions, nothing under the main guard."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and is_main_guard(node.test):
            waiting.extend(node.orelse)
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def _is_fit(node: ast.AST, survey: Survey) -> bool:
    """Tell ``trainer.fit(...)`` and ``LightningCLI(...)``, and not the `fit` of a scaler."""
    match node:
        case ast.Call(func=ast.Attribute(value=trainer, attr="fit")):
            return _is_trainer(trainer, survey)
        case ast.Call(func=function):
            return (dotted(function) or "").rpartition(".")[2] == "LightningCLI"
        case _:
            return False


def _is_trainer(node: ast.expr, survey: Survey) -> bool:
    match node:
        case ast.Call(func=function):
            return (dotted(function) or "").rpartition(".")[2] in ("Trainer", "from_argparse_args")
        case ast.Name(id=name):
            return "trainer" in name.casefold() or any(
                isinstance(held, ast.Call) and _is_trainer(held, survey) for held in survey.held.get(name, ())
            )
        case ast.Attribute(attr=name):
            return "trainer" in name.casefold()
        case _:
            return False


def _calls_one_of(names: set[str], nodes: list[ast.AST]) -> bool:
    called = (node.func for node in nodes if isinstance(node, ast.Call))
    return any(isinstance(function, ast.Name) and function.id in names for function in called)

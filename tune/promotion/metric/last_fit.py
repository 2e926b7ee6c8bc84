"""What the module logs that a program fits last, where it fits modules of several classes: pretraining comes first."""

import ast

from tune.promotion.find.module_scan import ModuleScan, dotted_path
from tune.promotion.find.project import Project, ProjectSymbol
from tune.promotion.metric.logged_tags import find_logged_tags, find_other_modules, find_tags_of_class
from tune.promotion.program_kind import FitCall, find_fits


def find_tags_of_last_fit(project: Project) -> frozenset[str] | None:
    """Return what the module of the last fit logs in validation.

    Where all fits train one class, that is all that the project logs but what other modules alone log. None where the
    source does not tell which fit is the last, or what it trains.
    """
    fits = sorted(find_fits(project, as_main=True), key=lambda each: each.node.lineno)
    if not fits or len({each.survey.source.name for each in fits}) > 1:
        return None
    trained = [_find_trained_class(each, project) for each in fits]
    known = [each for each in trained if each is not None]
    if len(known) < len(trained):
        return None
    last = {tag.name for tag in find_tags_of_class(known[-1], project)}
    if len({id(each.node) for each in known}) > 1:
        return frozenset(last)
    strange = {tag.name for each in find_other_modules(known[-1], project) for tag in find_tags_of_class(each, project)}
    return frozenset({tag.name for tag in find_logged_tags(project)} - (strange - last)) if last else None


def _find_trained_class(fit: FitCall, project: Project) -> ProjectSymbol | None:
    given = [*fit.node.args[:1], *(keyword.value for keyword in fit.node.keywords if keyword.arg == "model")]
    made = given[:1]
    if made and isinstance(made[0], ast.Name):
        made = fit.survey.held.get(made[0].id, [])
    found = [_find_built_class(each, fit.survey, project) for each in made]
    same = {id(each.node) for each in found if each is not None}
    return found[0] if len(same) == 1 and None not in found else None


def _find_built_class(node: ast.expr, survey: ModuleScan, project: Project) -> ProjectSymbol | None:
    """Return the class of ``Net(...)`` and of ``Net.load_from_checkpoint(...)``."""
    path = dotted_path(node.func) if isinstance(node, ast.Call) else None
    for each in () if path is None else (path, path.rpartition(".")[0]):
        found = project.resolve_name(each, survey) if each else None
        if isinstance(found, ProjectSymbol) and isinstance(found.node, ast.ClassDef):
            return found
    return None

"""Attributes that methods give a literal: ``self.lr = 1e-3`` in ``LitModel.__init__`` is ``LitModel.lr``."""

import ast
from collections.abc import Iterator

from tune.promotion.find.forms.variables import KEEP_ONE, names_of
from tune.promotion.find.project import Project
from tune.promotion.find.reads import Reads
from tune.promotion.find.survey import Overwrite, Survey
from tune.promotion.find.worth import Worth, is_local, worth
from tune.promotion.found import Constant, Form, Refusal, Site, Span


def attributes(project: Project, reads: Reads) -> Iterator[Constant | Refusal]:
    """Yield what is assigned to ``self`` once in its class, in ``__init__``; a second assignment is a refusal."""
    for survey in project.surveys.values():
        for (owner, name), assigned in _by_class(survey).items():
            first = assigned[0]
            held = worth(first.value, survey) if first.value is not None else None
            function = first.scope.function
            if held is None or function is None or function.name != "__init__" or _in_body(first.scope.owner, name):
                continue
            if any(isinstance(each, ast.Name) and is_local(each.id, function) for each in ast.walk(held.node)):
                continue
            yield _attribute(f"{owner}.{name}", name, held, assigned, survey, reads)


def _by_class(survey: Survey) -> dict[tuple[str, str], list[Overwrite]]:
    found: dict[tuple[str, str], list[Overwrite]] = {}
    for overwrite in survey.overwrites:
        head, _, name = overwrite.path.partition(".")
        if head == "self" and overwrite.scope.owner is not None and "." not in name:
            found.setdefault((overwrite.scope.owner.name, name), []).append(overwrite)
    return found


def _in_body(owner: ast.ClassDef | None, name: str) -> bool:
    """Whether the class has an attribute of that name, too, which then is what is meant."""
    for statement in owner.body if owner is not None else ():
        match statement:
            case ast.Assign(targets=[ast.Name(id=there)]) | ast.AnnAssign(target=ast.Name(id=there)) if there == name:
                return True
    return False


def _attribute(
    path: str, name: str, held: Worth, assigned: list[Overwrite], survey: Survey, reads: Reads
) -> Constant | Refusal:
    names = names_of(path, survey)
    if len(assigned) > 1 or assigned[0].scope.in_loop:
        places = " and ".join(survey.place(each.line) for each in assigned)
        what = f"is assigned more than once: {places}"
        return Refusal(names=names, source=survey.source.name, what=what, hint=KEEP_ONE)
    return Constant(
        name=path,
        value=held.value,
        sites=(Site(survey.source.name, Span.of(held.node)),),
        names=names,
        form=Form.ATTRIBUTE,
        reads=reads.of_attribute(name),
        warnings=held.warnings,
    )

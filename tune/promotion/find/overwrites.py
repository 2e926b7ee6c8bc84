"""Assignments that reach into another namespace: ``config.LR = 3``, ``CFG['lr'] = 3``, ``setattr``, ``update``."""

import ast
from collections.abc import Iterator

from tune.promotion.find.project import Project, Variable
from tune.promotion.find.survey import Survey, dotted

CHANGING = frozenset(
    {"update", "clear", "pop", "popitem", "setdefault", "merge_from_file", "merge_from_list"}
) | frozenset({"append", "extend", "insert", "remove", "sort", "reverse"})
"""Methods that change what they are called on."""


class Overwrites:
    """What the program assigns from outside, by file and path."""

    def __init__(self, project: Project) -> None:
        self._places: dict[tuple[str, str], str] = {}
        self._inside: dict[tuple[str, str], str] = {}
        self._of_self: dict[tuple[str, str, str], str] = {}
        for each in project.surveys.values():
            for path, line in (*_assigned(each), *_called(each)):
                match project.meaning(path, each):
                    case Variable(survey=survey, name=name):
                        self._places.setdefault((survey.source.name, name), each.place(line))
                        for prefix in _prefixes(name)[:-1]:
                            self._inside.setdefault((survey.source.name, prefix), each.place(line))
            for line, module in project.starred(each):
                for name in module.bindings.keys() & each.bindings.keys():
                    if any(binding.line < line for binding in each.bindings[name]):
                        self._places.setdefault((each.source.name, name), each.place(line))
            for overwrite in each.overwrites:
                head, _, attribute = overwrite.path.partition(".")
                if head in ("self", "cls") and overwrite.scope.owner is not None:
                    key = (each.source.name, overwrite.scope.owner.name, attribute)
                    self._of_self.setdefault(key, each.place(overwrite.line))

    def of(self, path: str, survey: Survey) -> str | None:
        """Return the place that overwrites ``path`` of a module, or something that it lies in; None: no place."""
        found = (self._places.get((survey.source.name, prefix)) for prefix in _prefixes(path))
        return next((place for place in found if place is not None), None)

    def within(self, path: str, survey: Survey) -> str | None:
        """Return the place that overwrites something that lies in ``path``; None: no place."""
        return self._inside.get((survey.source.name, path))

    def of_self(self, owner: str, attribute: str, survey: Survey) -> str | None:
        """Return the place where a class's own methods assign ``self.attribute``."""
        return self._of_self.get((survey.source.name, owner, attribute))


def _prefixes(path: str) -> list[str]:
    """Return ``a``, ``a.b`` and ``a.b.c`` of ``a.b.c``."""
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _assigned(survey: Survey) -> Iterator[tuple[str, int]]:
    return ((each.path, each.line) for each in survey.overwrites)


def _called(survey: Survey) -> Iterator[tuple[str, int]]:
    for called in survey.calls:
        match called.node:
            case ast.Call(func=ast.Attribute(value=base, attr=method)) if method in CHANGING:
                path = dotted(base)
            case ast.Call(func=ast.Name("setattr"), args=[base, ast.Constant(value=str(name)), _]):
                path = f"{dotted(base)}.{name}"
            case _:
                continue
        if path is not None:
            yield path, called.node.lineno

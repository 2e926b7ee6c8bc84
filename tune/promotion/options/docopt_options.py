"""The options that docopt reads in a text, as ``--lr=<lr>  Learning rate [default: 0.01]``."""

import ast
import re
from collections.abc import Iterator

from tune.promotion.assigned_values import find_assigned_values
from tune.promotion.find.module_scan import CallSite, ModuleScan, dotted_path
from tune.promotion.find.project import Project
from tune.promotion.options.option import Option, OptionParser
from tune.space.parse_dimension import parse_scalar

DOCOPT = frozenset({"docopt", "docopt.docopt"})
OPTION = re.compile(r"^[ \t]*(-\S.*?)(?=^[ \t]*-\S|^\s*$|\Z)", re.MULTILINE | re.DOTALL)
"""A line that begins with a dash, and those below it up to the next one, or an empty one."""
DEFAULT = re.compile(r"\[default: (.*?)\]", re.IGNORECASE)


def find_docopt_options(called: CallSite, survey: ModuleScan, project: Project) -> Iterator[Option]:
    """Yield what the text that docopt is given declares; of one that is put together there is nothing to read."""
    if dotted_path(called.node.func) not in DOCOPT:
        return
    given = [*called.node.args[:1], *(each.value for each in called.node.keywords if each.arg in ("doc", "docstring"))]
    for node in given:
        text, line = _find_text(node, survey, project)
        for match in OPTION.finditer(text):
            yield from _read_option(match[1], survey.place_of_line(line + text[: match.start(1)].count("\n")))


def _find_text(node: ast.expr, survey: ModuleScan, project: Project) -> tuple[str, int]:
    """Return a text and the line that it begins in; ``__doc__`` is that of the file."""
    first = survey.source.tree.body[:1]
    documented = isinstance(node, ast.Name) and node.id == "__doc__" and isinstance(first[0], ast.Expr)
    found = [each.value for each in first if documented and isinstance(each, ast.Expr)]
    values = [node, *found, *(value for there, value in find_assigned_values(node, survey, project) if there is survey)]
    for value in values:
        match value:
            case ast.Constant(value=str(text)):
                return text, value.lineno
    return "", 0


def _read_option(text: str, place: str) -> Iterator[Option]:
    said, _, described = text.partition("  ")
    words = said.replace(",", " ").replace("=", " ").split()
    names = sorted((word for word in words if word.startswith("-")), key=lambda word: not word.startswith("--"))
    is_flag = len(names) == len(words)
    default = DEFAULT.search(described)
    if not names or names[0] in ("--help", "--version", "-h"):
        return
    value = False if is_flag else None if default is None else parse_scalar(default[1])
    yield Option(
        name=names[0],
        value=value,
        parser=OptionParser.FUNCTION,
        dest=names[0].lstrip("-").replace("-", "_"),
        is_float=isinstance(value, float),
        place=place,
        names=tuple(names),
        is_flag=is_flag,
    )

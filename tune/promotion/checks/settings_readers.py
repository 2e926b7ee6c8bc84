"""Calls by which a program takes settings from a file that no search looks into: one of gin, one that it executes."""

import ast

from tune.promotion.find.module_scan import dotted_path
from tune.promotion.find.project import project_of
from tune.promotion.program import Program

EXECUTED = "import the file as a module"
DEFAULTS = "write the value into the source, as a default"
READERS = {
    "SourceFileLoader": EXECUTED,
    "fromfile": EXECUTED,
    "DEFINE_config_file": EXECUTED,
    "parse_config_file": DEFAULTS,
    "parse_config_files_and_bindings": DEFAULTS,
}
"""By the last part of a function's name what to do instead, so that its values can be searched."""


def describe_settings_reader(program: Program) -> str | None:
    """Return a sentence about the first such call, without its full stop; None where there is none."""
    for survey in project_of(program).surveys.values():
        for called in survey.calls:
            node, path = called.node, dotted_path(called.node.func) or ""
            remedy = READERS.get(path.rpartition(".")[2])
            if path == "exec" and node.args and _reads_file(node.args[0]):
                remedy = EXECUTED
            if remedy is not None:
                place = survey.place_of_line(node.lineno)
                return f"{place} takes settings from a file by `{path}`, and those cannot be searched: {remedy}"
    return None


def _reads_file(node: ast.expr) -> bool:
    """Tell ``open(path).read()``; a text that is put together is no file."""
    return any(isinstance(each, ast.Attribute) and each.attr in ("read", "read_text") for each in ast.walk(node))

"""Which installed packages a program imports: a template imports them for its trials."""

import ast
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

from tune.promotion.program import Program

ORDER_MATTERS = re.compile(rb"environ|putenv|dotenv|sys\.(path|modules|meta_path)|import_module")
"""What a program may do before an import so that the import has another result."""


MATH_VARIABLES = re.compile(rb"\b(MKL|ONEDNN|DNNL|ATEN_CPU|OPENBLAS|BLIS)_")
"""Variables of the CPU's libraries for mathematics, which read them when they are first used."""


def find_top_level_imports(program: Program) -> tuple[str, ...]:
    """Return the modules of installed packages that the program imports whatever happens, in the order of its files.

    That is each import statement at the top level of a file. None where the program changes what an import may read.
    """
    if _order_matters(program):
        return ()
    names: dict[str, None] = {}
    own = {name for source in program.sources.values() for name in source.module_names}
    for source in program.sources.values():
        for node in source.tree.body:
            match node:
                case ast.Import():
                    names.update(dict.fromkeys(alias.name for alias in node.names))
                case ast.ImportFrom(level=0, module=str(module)):
                    names[module] = None
    return tuple(name for name in names if name not in own and name.partition(".")[0] not in own)


def find_new_imports(before: Iterable[str], program: Program, changed: Mapping[str, str]) -> dict[str, str | None]:
    """Return the modules of installed packages that were imported since, with their files, in the order of import.

    ``changed``: environment variables that were set since; where the program sets any, an import may have read it.
    """
    if changed and _order_matters(program):
        return {}
    known = {*before, "__main__"}
    found = {name: module for name, module in list(sys.modules.items()) if name not in known}
    return {name: _file_of(module) for name, module in found.items() if _is_installed(module, program)}


def names_math_variables(program: Program) -> bool:
    """Return whether a program may set what libraries read as they are first used: nothing may use them before it."""
    return any(MATH_VARIABLES.search(source.raw) for source in program.sources.values())


def _order_matters(program: Program) -> bool:
    return any(ORDER_MATTERS.search(source.raw) for source in program.sources.values())


def _file_of(module: ModuleType) -> str | None:
    return getattr(getattr(module, "__spec__", None), "origin", None)


def _is_installed(module: ModuleType, program: Program) -> bool:
    """Return whether a module comes from a file outside the project."""
    file = _file_of(module)
    return file is not None and not program.is_project_file(Path(file).resolve())

"""Child processes of a trial: a forked one has its values, any other would import the source on disk and is refused."""

import ast
import contextlib
from collections.abc import Iterator
from multiprocessing import spawn
from typing import Any, NoReturn

from tune.errors import ProgramError
from tune.promotion.program import Program

METHODS = frozenset({"spawn", "forkserver"})


@contextlib.contextmanager
def only_forked(program: Program) -> Iterator[None]:
    """Raise ProgramError in whatever starts a child by spawn or forkserver: both first ask for this preparation."""

    def refuse(name: str) -> NoReturn:
        what = f"a child process ({name}) is started afresh, and would import the program with its hardcoded values"
        raise ProgramError(_place(program), what, "Use the start method `fork`, or num_workers=0.")

    before: Any = spawn.get_preparation_data
    spawn.get_preparation_data = refuse
    try:
        yield
    finally:
        spawn.get_preparation_data = before


def _place(program: Program) -> str | None:
    """Return the first place where the program names such a start method, or calls ``torch.multiprocessing.spawn``."""
    for source in program.sources.values():
        for node in ast.walk(source.tree):
            match node:
                case ast.Constant(value=str(text)) if text in METHODS:
                    return f"{source.name}:{node.lineno}"
                case ast.Call(func=ast.Attribute(attr="spawn") | ast.Name("spawn")):
                    return f"{source.name}:{node.lineno}"
    return None

"""A notebook that was exported to a script: ``jupyter nbconvert --to script`` writes magics as calls."""

import ast

from tune.promotion.program import Program

LINE_MAGICS = frozenset({"run_line_magic", "magic", "system", "getoutput"})
"""Methods of IPython's shell that a line of a notebook becomes. A cell's magic holds the cell's code, and is kept."""


def is_line_magic(node: ast.AST) -> bool:
    """Tell whether a statement is a line's magic: ``get_ipython().run_line_magic('matplotlib', 'inline')``."""
    match node:
        case ast.Expr(ast.Call(ast.Attribute(ast.Call(ast.Name("get_ipython")), name))):
            return name in LINE_MAGICS
        case _:
            return False


def find_line_magics(program: Program) -> list[str]:
    """Return the places of line magics: a plain Python has no ``get_ipython``."""
    return [
        f"{source.name}:{node.lineno}"
        for source in program.sources.values()
        if b"get_ipython" in source.raw
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Expr) and is_line_magic(node)
    ]

"""Whether a program's source may read an option from its parser's Namespace, in an epoch that no pre-flight sees."""

import ast
from collections.abc import Iterator

from tune.promotion.program import Program

WHOLE = frozenset({"vars", "eval", "exec", "attrgetter"})
"""Functions that may read any attribute of what they are given."""


def may_read(dest: str, program: Program) -> bool:
    """Tell whether an attribute of this name, of anything but ``self``, is read anywhere, or may be."""
    return any(_reads(node, dest) for source in program.sources.values() for node in _nodes(source.tree))


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those of declarations: ``add_argument("--lr", dest="lr")``."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def _reads(node: ast.AST, dest: str) -> bool:
    match node:
        case ast.Attribute(attr="__dict__"):
            return True
        case ast.Attribute(value=owner, attr=name, ctx=ast.Load()):
            return name == dest and not (isinstance(owner, ast.Name) and owner.id == "self")
        case ast.Constant(value=str(text)):
            return text == dest
        case ast.Name(id=name):
            return name in WHOLE
        case ast.Call(func=ast.Name(id="getattr"), args=[_, name, *_]):
            return not isinstance(name, ast.Constant)
        case ast.MatchClass(kwd_attrs=names):
            return dest in names
        case _:
            return False

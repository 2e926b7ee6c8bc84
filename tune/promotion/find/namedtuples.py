"""``Config = namedtuple("Config", "lr wd", defaults=(0.1,))``, seen as the class that it makes."""

import ast

from tune.promotion.literals import Unknown, evaluate


def made_class(name: str, call: ast.expr) -> ast.ClassDef | None:
    """Return a NamedTuple class whose defaults are the call's own expressions; None where it is no such call."""
    match call:
        case ast.Call(func=ast.Name("namedtuple") | ast.Attribute(attr="namedtuple"), args=[_, fields]):
            names = _names(fields)
        case _:
            return None
    defaults = next((keyword.value for keyword in call.keywords if keyword.arg == "defaults"), None)
    values: list[ast.expr] = []
    if isinstance(defaults, ast.Tuple | ast.List):
        values = defaults.elts
    if not names or len(values) > len(names) or (defaults is not None and not values):
        return None
    given = [None] * (len(names) - len(values)) + values
    return ast.copy_location(_class(name, names, given), call)


def _class(name: str, names: list[str], defaults: list[ast.expr | None]) -> ast.ClassDef:
    body: list[ast.stmt] = [
        ast.AnnAssign(target=ast.Name(field, ast.Store()), annotation=ast.Constant(None), value=default, simple=1)
        for field, default in zip(names, defaults, strict=True)
    ]
    return ast.ClassDef(
        name=name, bases=[ast.Name("NamedTuple", ast.Load())], keywords=[], body=body, decorator_list=[]
    )


def _names(fields: ast.expr) -> list[str]:
    held = evaluate(fields)
    match held:
        case str():
            return held.replace(",", " ").split()
        case list() | tuple():
            return [str(name) for name in held]
        case _:
            assert not isinstance(held, Unknown) or held.text
            return []

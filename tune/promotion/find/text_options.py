"""The texts that a program takes for a name: keys of a dict that it looks it up in, or what it compares it with."""

import ast
from collections.abc import Collection, Iterator

from tune.promotion.program import Program, Source


def find_text_options(program: Program, names: Collection[str], value: str) -> tuple[str, ...]:
    """Return the texts that the source knows for a value, itself included; none where it does not say.

    ``names``: what the value is called, as the constant and as the parameters that take it: ``OPT``, ``optimizer``.
    """
    called = {_last_word(name) for name in names}
    for source in program.sources.values():
        for texts in (*_list_lookups(source, called), *_list_comparisons(source, called)):
            known = _with_spelling(texts, value)
            if value in known and len(known) > 1:
                return known
    return ()


def _last_word(name: str) -> str:
    return name.partition("@")[0].rpartition(".")[2].lstrip("-").replace("-", "_").casefold()


def _with_spelling(texts: tuple[str, ...], value: str) -> tuple[str, ...]:
    """Return the texts with the value in its own spelling, for a program that asks ``name.lower() == "adam"``."""
    if value in texts:
        return texts
    return tuple(value if text == value.lower() else text for text in texts)


def _list_lookups(source: Source, called: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Yield the keys of each dict that a name is looked up in, and the elements of what it has to be in."""
    dicts: dict[str | None, ast.Dict] = {}
    for node in ast.walk(source.tree):
        match node:
            case ast.Assign(targets=[target], value=ast.Dict() as literal):
                dicts[_name_of(target)] = literal
            case ast.AnnAssign(target=target, value=ast.Dict() as literal):
                dicts[_name_of(target)] = literal

    def list_keys(node: ast.expr) -> tuple[str, ...]:
        literal = node if isinstance(node, ast.Dict) else dicts.get(_name_of(node))
        return () if literal is None else _texts_of([key for key in literal.keys if key is not None])

    for node in ast.walk(source.tree):
        match node:
            case ast.Subscript(value=holder, slice=key) if _name_of(key) in called:
                yield list_keys(holder)
            case ast.Call(func=ast.Attribute(value=holder, attr="get"), args=[key, *_]) if _name_of(key) in called:
                yield list_keys(holder)
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[holder]) if _name_of(left) in called:
                if isinstance(holder, ast.Tuple | ast.List | ast.Set):
                    yield _texts_of(holder.elts)
                else:
                    yield list_keys(holder)


def _list_comparisons(source: Source, called: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Yield the texts that a name is compared with, of each function together."""
    for function in (*_functions_of(source.tree), source.tree):
        texts: dict[str, None] = {}
        for node in ast.walk(function):
            match node:
                case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[ast.Constant(value=str(text))]):
                    texts |= {text: None} if _name_of(left) in called else {}
                case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Tuple() | ast.List() | ast.Set() as held]):
                    texts |= dict.fromkeys(_texts_of(held.elts) if _name_of(left) in called else ())
                case ast.Match(subject=subject, cases=cases) if _name_of(subject) in called:
                    texts |= dict.fromkeys(_texts_of([each for case in cases for each in _values_of(case.pattern)]))
        yield tuple(texts)


def _functions_of(tree: ast.AST) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _name_of(node: ast.expr) -> str | None:
    """Return the last name of an expression in small letters: ``opt`` of ``self.hparams["opt"].lower()``."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name))):
            return name.casefold()
        case ast.Call(func=ast.Attribute(value=inner, attr="lower" | "upper" | "strip"), args=[]):
            return _name_of(inner)
        case _:
            return None


def _texts_of(nodes: list[ast.expr]) -> tuple[str, ...]:
    """Return the literals where all are texts; else none."""
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return tuple(texts) if len(texts) == len(nodes) else ()


def _values_of(pattern: ast.pattern) -> Iterator[ast.expr]:
    match pattern:
        case ast.MatchValue(value=value):
            yield value
        case ast.MatchOr(patterns=patterns):
            for each in patterns:
                yield from _values_of(each)

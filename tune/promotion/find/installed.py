"""The parameters of installed functions and classes, read from their source without importing it.

Only what a positional literal needs is read, and only its own lines are parsed: ``nn.Dropout(0.2)`` costs two small
files. Packages are found by their top-level name alone, since ``find_spec`` of a submodule would import its parents.
"""

import ast
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGES = frozenset({"torch", "pytorch_lightning", "lightning", "lightning_fabric", "torchmetrics", "torchvision"})
MAX_HOPS = 10
"""Re-exports and base classes followed before a name is given up."""

FROM = re.compile(r"^[ \t]*from[ \t]+([.\w]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n(]+)", re.MULTILINE)
DEFINITION = r"^(?:class|(?:async )?def) {name}\b"
NEXT_STATEMENT = re.compile(r"^[^\s#)\]}]", re.MULTILINE)


@cache
def parameters_of(path: str) -> tuple[str, ...] | None:
    """Return the positional parameters of ``torch.nn.Dropout``, in order, without ``self``; None: unknown."""
    package, _, rest = path.partition(".")
    folder = _folder(package)
    if folder is None or not rest:
        return None
    *modules, name = rest.split(".")
    for part in modules:
        inner = folder / part
        folder = inner if inner.is_dir() else inner.with_suffix(".py")
    return _installed_parameters(_file(folder), name, MAX_HOPS)


@cache
def _folder(package: str) -> Path | None:
    if package not in PACKAGES:
        return None
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _file(module: Path) -> Path:
    return module if module.suffix == ".py" else module / "__init__.py"


@cache
def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _installed_parameters(file: Path, name: str, hops: int) -> tuple[str, ...] | None:
    if hops == 0:
        return None
    match _definition(file, name):
        case ast.ClassDef() as node:
            return _installed_constructor(node, file, hops - 1)
        case ast.FunctionDef() as node:
            return _positional(node, bound=False)
    for there, symbol in _origins(file, name):
        found = _installed_parameters(there, symbol, hops - 1)
        if found is not None:
            return found
    return None


def _installed_constructor(node: ast.ClassDef, file: Path, hops: int) -> tuple[str, ...] | None:
    """Take the first of ``__init__`` and ``__new__``: where overloads stand before a bare ``*args``, they say more."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name in ("__init__", "__new__"):
            return _positional(statement, bound=True)
    for base in node.bases:
        if isinstance(base, ast.Name):
            found = _installed_parameters(file, base.id, hops)
            if found is not None:
                return found
    return None


def _positional(node: ast.FunctionDef, *, bound: bool) -> tuple[str, ...]:
    return tuple(argument.arg for argument in (*node.args.posonlyargs, *node.args.args))[bound:]


def _definition(file: Path, name: str) -> ast.stmt | None:
    """Parse the lines of one definition alone; the file as a whole where they cannot be told apart."""
    text = _text(file)
    start = re.search(DEFINITION.format(name=re.escape(name)), text, re.MULTILINE)
    if start is None:
        return None
    end = NEXT_STATEMENT.search(text, start.end())
    try:
        return ast.parse(text[start.start() : end.start() if end else len(text)]).body[0]
    except SyntaxError:
        tree = ast.parse(text)
    return next((node for node in tree.body if getattr(node, "name", None) == name), None)


def _origins(file: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Yield the (file, name there) that an import of ``name`` in ``file`` may lead to."""
    for match in FROM.finditer(_text(file)):
        there = _module_file(match[1], file)
        if there is None:
            continue
        for item in re.sub(r"#[^\n]*", "", match[2]).strip("()").split(","):
            symbol, _, alias = item.strip().partition(" as ")
            if (alias.strip() or symbol) == name or symbol == "*":
                yield there, name if symbol == "*" else symbol


def _module_file(module: str, file: Path) -> Path | None:
    """Return the file of ``from module import``, absolute within the known packages or relative."""
    level = len(module) - len(module.lstrip("."))
    parts = [part for part in module.split(".") if part]
    if level:
        folder: Path | None = file.parents[level - 1]
    else:
        folder, parts = _folder(parts[0]), parts[1:]
    if folder is None:
        return None
    path = folder.joinpath(*parts)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

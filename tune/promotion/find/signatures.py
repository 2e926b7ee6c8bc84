"""The parameters of the program's own and of installed functions and classes, read from their source.

Only what a positional literal needs is read, and only its own lines are parsed: ``nn.Dropout(0.2)`` costs two small
files. Packages are found by their top-level name alone, since ``find_spec`` of a submodule would import its parents.
"""

import ast
import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tune.promotion.find.module_scan import Definition, ModuleScan, dotted_path
from tune.promotion.find.project import LibrarySymbol, Project, ProjectSymbol

DATACLASS_DECORATORS = frozenset({"dataclass", "define", "frozen", "mutable", "attrs", "attr.s"})
FIELD_FUNCTIONS = frozenset({"field", "Field", "ib", "attrib"})
MODEL_BASES = frozenset({"NamedTuple", "BaseModel", "BaseSettings"})
MAX_BASES = 12

FLOAT = re.compile(r"float|float \| None|None \| float|(typing\.)?Optional\[float\]")
"""Annotations of floats."""

Base = tuple[ModuleScan, ast.ClassDef]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a function or constructor."""

    name: str
    default: ast.expr | None
    """None: required."""
    by_position: bool
    """Whether it may be given without its name."""
    survey: ModuleScan
    """The file that declares it."""
    declared: Definition
    """The function or class that declares it; one that inherits its constructor shares the parameter."""
    annotation: ast.expr | None = None

    @property
    def is_float(self) -> bool:
        """Whether its annotation says that it is a float, or None."""
        return self.annotation is not None and FLOAT.fullmatch(ast.unparse(self.annotation)) is not None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a call may pass."""

    parameters: tuple[Parameter, ...]

    def by_position(self, position: int) -> Parameter | None:
        """Return the parameter that a positional argument goes to, from 0."""
        positional = [each for each in self.parameters if each.by_position]
        return positional[position] if position < len(positional) else None

    def by_name(self, name: str) -> Parameter | None:
        """Return the parameter of a keyword."""
        return next((each for each in self.parameters if each.name == name), None)


def signature_of(own: ProjectSymbol, project: Project) -> Signature | None:
    """Return a function's parameters or a class's constructor's; None where a library decides them."""
    known = project.signatures
    if id(own.node) not in known:
        known[id(own.node)] = _find_signature(own, project)
    found = known[id(own.node)]
    assert found is None or isinstance(found, Signature)
    return found


def _find_signature(own: ProjectSymbol, project: Project) -> Signature | None:
    if isinstance(own.node, ast.ClassDef):
        return _constructor_signature(own.survey, own.node, project, MAX_BASES)
    return Signature(tuple(_build_parameters(own.node.args, own.survey, own.node, bound=False)))


def foreign_base(own: ProjectSymbol, project: Project) -> LibrarySymbol | None:
    """Return the library class that gives a class its constructor; None where the project has it."""
    if not isinstance(own.node, ast.ClassDef) or signature_of(own, project) is not None:
        return None
    for base in own.node.bases:
        match project.resolve_name(dotted_path(base) or "", own.survey):
            case LibrarySymbol() as foreign:
                return foreign
            case ProjectSymbol() as inner:
                return foreign_base(inner, project)
    return None


def default_of(value: ast.expr | None) -> ast.expr | None:
    """Return the expression that a class body gives a field: what stands in ``field(default=...)``, or the value."""
    match value:
        case ast.Call() if _is_field_call(value):
            return _field_default(value)
        case _:
            return value


def is_factory(default: ast.expr | None) -> bool:
    """Tell ``field(default_factory=list)``, whose value no expression of the source holds."""
    return isinstance(default, ast.Call) and _is_field_call(default) and default_of(default) is default


def is_dataclass(node: ast.ClassDef) -> bool:
    """Tell whether a class's annotated names become its constructor's parameters."""
    decorators = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
    names = [dotted_path(each) or "" for each in decorators]
    if any(name in DATACLASS_DECORATORS or name.rpartition(".")[2] in DATACLASS_DECORATORS for name in names):
        return True
    return any((dotted_path(base) or "").rpartition(".")[2] in MODEL_BASES for base in node.bases)


def is_field(statement: ast.stmt) -> bool:
    """Tell whether a statement of a dataclass's body declares a parameter."""
    match statement:
        case ast.AnnAssign(target=ast.Name(), annotation=annotation, value=value):
            return "ClassVar" not in ast.unparse(annotation) and not _is_set_later(value)
        case _:
            return False


def _constructor_signature(survey: ModuleScan, node: ast.ClassDef, project: Project, depth: int) -> Signature | None:
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return Signature(tuple(_build_parameters(statement.args, survey, node, bound=True)))
    if depth == 0:
        return None
    bases = list(_own_bases(survey, node, project))
    if is_dataclass(node):
        return _dataclass_signature(survey, node, bases, project, depth)
    signatures = (_constructor_signature(there, base, project, depth - 1) for there, base in bases)
    return next((found for found in signatures if found is not None), None)


def _dataclass_signature(
    survey: ModuleScan, node: ast.ClassDef, bases: Sequence[Base], project: Project, depth: int
) -> Signature:
    """Return a dataclass's parameters: the bases' first, a name declared again in its first place."""
    found: dict[str, Parameter] = {}
    for there, base in bases:
        inherited = _constructor_signature(there, base, project, depth - 1)
        found |= {each.name: each for each in (inherited.parameters if inherited else ())}
    by_position = not any("kw_only=True" in ast.unparse(each) for each in node.decorator_list)
    for statement in node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name("_"), annotation=annotation) if "KW_ONLY" in ast.unparse(annotation):
                by_position = False
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if is_field(statement):
                found[name] = Parameter(
                    name=name, default=default_of(value), by_position=by_position, survey=survey, declared=node
                )
    return Signature(tuple(found.values()))


def _own_bases(survey: ModuleScan, node: ast.ClassDef, project: Project) -> Iterator[Base]:
    for base in node.bases:
        match project.resolve_name(dotted_path(base) or "", survey):
            case ProjectSymbol(survey=there, node=ast.ClassDef() as inner) if inner is not node:
                yield there, inner


def _build_parameters(
    arguments: ast.arguments, survey: ModuleScan, declared: Definition, *, bound: bool
) -> Iterator[Parameter]:
    """Yield what may be passed by name or place; ``bound`` leaves out ``self``."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    by_position = list(zip(positional, defaults, strict=True))[bound:]
    by_name = list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    for place, (argument, default) in enumerate([*by_position, *by_name]):
        yield Parameter(
            name=argument.arg,
            default=default,
            by_position=place < len(by_position),
            survey=survey,
            declared=declared,
            annotation=argument.annotation,
        )


def _is_field_call(call: ast.Call) -> bool:
    return (dotted_path(call.func) or "").rpartition(".")[2] in FIELD_FUNCTIONS


def _field_default(call: ast.Call) -> ast.expr | None:
    for keyword in call.keywords:
        match keyword:
            case ast.keyword(arg="default", value=value):
                return value
            case ast.keyword(arg="default_factory", value=ast.Lambda(body=body)):
                return body
            case ast.keyword(arg="default_factory"):
                return call  # a factory: the field has a default, and no expression holds it
    return call.args[0] if call.args and not isinstance(call.args[0], ast.Starred) else None  # pydantic's Field(1e-3)


def _is_set_later(value: ast.expr | None) -> bool:
    match value:
        case ast.Call(keywords=keywords):
            return any(each.arg == "init" and ast.unparse(each.value) == "False" for each in keywords)
        case _:
            return False


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
    folder = _find_package_folder(package)
    if folder is None or not rest:
        return None
    *modules, name = rest.split(".")
    for part in modules:
        inner = folder / part
        folder = inner if inner.is_dir() else inner.with_suffix(".py")
    return _installed_parameters(folder if folder.suffix == ".py" else folder / "__init__.py", name, MAX_HOPS)


@cache
def _find_package_folder(package: str) -> Path | None:
    if package not in PACKAGES:
        return None
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin).parent if spec is not None and spec.origin else None


@cache
def _read_source(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _installed_parameters(file: Path, name: str, hops: int) -> tuple[str, ...] | None:
    if hops == 0:
        return None
    match _parse_definition(file, name):
        case ast.ClassDef() as node:
            return _installed_constructor(node, file, hops - 1)
        case ast.FunctionDef() as node:
            return _positional_names(node, bound=False)
    for there, symbol in _find_origins(file, name):
        found = _installed_parameters(there, symbol, hops - 1)
        if found is not None:
            return found
    return None


def _installed_constructor(node: ast.ClassDef, file: Path, hops: int) -> tuple[str, ...] | None:
    """Take the first of ``__init__`` and ``__new__``: where overloads stand before a bare ``*args``, they say more."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name in ("__init__", "__new__"):
            return _positional_names(statement, bound=True)
    for base in node.bases:
        if isinstance(base, ast.Name):
            found = _installed_parameters(file, base.id, hops)
            if found is not None:
                return found
    return None


def _positional_names(node: ast.FunctionDef, *, bound: bool) -> tuple[str, ...]:
    return tuple(argument.arg for argument in (*node.args.posonlyargs, *node.args.args))[bound:]


def _parse_definition(file: Path, name: str) -> ast.stmt | None:
    """Parse the lines of one definition alone; the file as a whole where they cannot be told apart."""
    text = _read_source(file)
    start = re.search(DEFINITION.format(name=re.escape(name)), text, re.MULTILINE)
    if start is None:
        return None
    end = NEXT_STATEMENT.search(text, start.end())
    try:
        return ast.parse(text[start.start() : end.start() if end else len(text)]).body[0]
    except SyntaxError:
        tree = ast.parse(text)
    return next((node for node in tree.body if getattr(node, "name", None) == name), None)


def _find_origins(file: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Yield the (file, name there) that an import of ``name`` in ``file`` may lead to."""
    for match in FROM.finditer(_read_source(file)):
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
        folder, parts = _find_package_folder(parts[0]), parts[1:]
    if folder is None:
        return None
    path = folder.joinpath(*parts)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

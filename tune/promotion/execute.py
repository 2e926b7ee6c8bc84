"""Execute a program with a trial's values in force before its modules' bodies run.

The expression at each site of a promoted constant is compiled as ``__promoted__[key] if key in __promoted__ else
<the expression>``. So everything that follows from the constant follows: derived constants, default arguments, class
bodies, module-level partials, ``from config import LR``, and one file under two module names. The code is compiled once
in a template; each trial executes it afresh.
"""

import ast
import builtins
import contextlib
import importlib
import importlib.util
import linecache
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder, SourceFileLoader
from importlib.readers import FileReader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from tune.gc_control import deep_recursion
from tune.promotion.checks.program_checks import is_line_magic
from tune.promotion.constant import Site, Span
from tune.promotion.file_loaders import patch_file_loaders
from tune.promotion.find.signatures import default_of
from tune.promotion.program import Program, decode_source
from tune.promotion.promoted_values import PromotedValues
from tune.promotion.snapshot import Snapshot
from tune.space.dimensions import Value

IN_FORCE = "__promoted__"
"""The name that every module of the program holds the trial's values under."""
HELD = "__held__"
INIT_HOOKS = ("__post_init__", "__attrs_post_init__", "model_post_init")
"""What dataclasses, attrs and pydantic call when an object has its fields, before it is used."""
SINGLE = "@"
"""In the name of one place of several (``Net.width@42``): the other places keep their own values."""

Keys = dict[tuple[Span, str | None], str]
"""The promoted expressions of a file: (place, the one target that is meant of several) -> the constant's key."""


def promote_expressions(tree: ast.Module, keys: Keys) -> None:
    """Change the tree in place."""
    _Promotion(keys).visit(tree)
    ast.fix_missing_locations(tree)


class _Promotion(ast.NodeTransformer):
    """Replace the expressions at given spans."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def visit(self, node: ast.AST) -> Any:
        key = self._keys.get((Span.from_node(node), None)) if isinstance(node, ast.expr) else None
        if key is None or not isinstance(node, ast.expr):
            return super().visit(node)
        return _build_lookup(key, node)

    def visit_Expr(self, node: ast.Expr) -> Any:
        """Leave a notebook's line magic out."""
        return ast.copy_location(ast.Pass(), node) if is_line_magic(node) else self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """Have a function tell what its promoted parameters hold, each time that it is called."""
        heard = [
            ast.copy_location(_build_parameter_check(key, parameter.arg), node.body[0])
            for parameter, default in find_defaults(node.args)
            if (key := self._keys.get((Span.from_node(default), None))) is not None and SINGLE not in key
        ]
        visited: Any = self.generic_visit(node)
        start = 1 if ast.get_docstring(node, clean=False) is not None else 0
        visited.body[start:start] = heard
        return visited

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        """Have a dataclass, or a model of pydantic's or attrs', tell what its promoted fields hold in each object."""
        keys = {
            statement.target.id: key
            for statement in node.body
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
            for value in (default_of(statement.value),)
            if value is not None and (key := self._keys.get((Span.from_node(value), None))) and SINGLE not in key
        }
        heard = [ast.copy_location(_build_field_check(hook, keys), node.body[-1]) for hook in INIT_HOOKS if keys]
        attributes = keys | {
            target.id: key
            for statement in node.body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name) and (key := self._find_target_key(statement, target.id)) is not None
        }
        visited: Any = self.generic_visit(node)
        visited.body += heard
        if attributes:
            visited.decorator_list.append(ast.copy_location(_build_mapping_call("watch_attributes", attributes), node))
        if attributes.keys() - keys.keys():
            visited.decorator_list.insert(0, ast.copy_location(_build_mapping_call("note_class", attributes), node))
        return visited

    def _find_target_key(self, statement: ast.Assign, target: str) -> str | None:
        """Return the constant that a name of an assignment holds."""
        span = Span.from_node(statement.value)
        key = self._keys.get((span, target), self._keys.get((span, None)))
        return None if key is None or SINGLE in key else key

    def visit_Assign(self, node: ast.Assign) -> Any:
        """Split ``A = B = 7`` where A alone is promoted: ``held = 7``, ``A = promoted``, ``B = held``."""
        span = Span.from_node(node.value)
        keys = {target: key for (place, target), key in self._keys.items() if place == span and target is not None}
        if not keys:
            return self.generic_visit(node)
        value: Any = self.visit(node.value)
        held = ast.Name(HELD, ast.Load())
        statements: list[ast.stmt] = [ast.Assign([ast.Name(HELD, ast.Store())], value)]
        for target in node.targets:
            key = keys.get(ast.unparse(target))
            taken = (
                held if key is None else _build_lookup(key, ast.copy_location(ast.Name(HELD, ast.Load()), node.value))
            )
            statements.append(ast.Assign([target], taken))
        statements.append(ast.Delete([ast.Name(HELD, ast.Del())]))
        return [ast.copy_location(statement, node) for statement in statements]


def find_defaults(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr]]:
    """Yield the parameters that have a default."""
    positional = [*arguments.posonlyargs, *arguments.args]
    yield from zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
    for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            yield parameter, default


def _build_parameter_check(key: str, name: str) -> ast.stmt:
    """Return ``__promoted__.check_parameter(key, name)``."""
    function = ast.Attribute(ast.Name(IN_FORCE, ast.Load()), "check_parameter", ast.Load())
    return ast.Expr(ast.Call(function, [ast.Constant(key), ast.Name(name, ast.Load())], []))


def _build_field_check(hook: str, keys: Mapping[str, str]) -> ast.stmt:
    """Return ``hook = __promoted__.watch_fields(hook, keys, locals())``, for the body of a class."""
    function = ast.Attribute(ast.Name(IN_FORCE, ast.Load()), "watch_fields", ast.Load())
    names: list[ast.expr | None] = [ast.Constant(name) for name in keys]
    fields = ast.Dict(names, [ast.Constant(key) for key in keys.values()])
    body = ast.Call(ast.Name("locals", ast.Load()), [], [])
    return ast.Assign([ast.Name(hook, ast.Store())], ast.Call(function, [ast.Constant(hook), fields, body], []))


def _build_mapping_call(method: str, keys: Mapping[str, str]) -> ast.expr:
    """Return ``__promoted__.method(keys)``."""
    function = ast.Attribute(ast.Name(IN_FORCE, ast.Load()), method, ast.Load())
    names: list[ast.expr | None] = [ast.Constant(name) for name in keys]
    return ast.Call(function, [ast.Dict(names, [ast.Constant(key) for key in keys.values()])], [])


def _build_lookup(key: str, node: ast.expr) -> ast.expr:
    """Return ``__promoted__[key] if key in __promoted__ else node``; of a name and of None the value is resolved."""
    table = ast.Name(IN_FORCE, ast.Load())
    taken: ast.expr = ast.Subscript(table, ast.Constant(key), ast.Load())
    if isinstance(node, ast.Name | ast.Attribute) or (isinstance(node, ast.Constant) and node.value is None):
        # What the expression sees, in case the values are names of the source: nn.GELU in the place of nn.ReLU
        scopes: list[ast.expr] = [ast.Call(ast.Name(name, ast.Load()), [], []) for name in ("locals", "globals")]
        if (root := _find_root(node)) is not None:  # a class body's locals() lack what its function imports
            scopes.insert(0, ast.Dict([ast.Constant(root)], [ast.Name(root, ast.Load())]))
        taken = ast.Call(ast.Attribute(table, "resolve", ast.Load()), [ast.Constant(key), *scopes], [])
    held = ast.Compare(ast.Constant(key), [ast.In()], [table])
    return ast.copy_location(ast.IfExp(held, taken, node), node)


def _find_root(node: ast.expr) -> str | None:
    """Return the name that a dotted name begins with."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


OWN_PACKAGE = __name__.partition(".")[0]


class Executor:
    """Executes one snapshot again and again; holds the compiled code, which forked processes inherit."""

    def __init__(
        self,
        snapshot: Snapshot,
        sites: Mapping[str, Sequence[Site]],
        symbols: Mapping[str, Sequence[Value]] | None = None,
    ) -> None:
        """``symbols``: by the keys whose values are names of the source, all that a search may give them."""
        self.snapshot = snapshot
        self._symbols = symbols
        self._keys: dict[str, Keys] = {}
        for key, places in sites.items():
            for site in places:
                self._keys.setdefault(site.source, {})[site.span, site.target] = key
        self._code: dict[Path, CodeType] = {}

    @contextlib.contextmanager
    def import_program(self, values: Mapping[str, Value]) -> Iterator[tuple[ModuleType, PromotedValues]]:
        """Import the program with ``values`` in force; on leaving, every module of it is forgotten."""
        with self.promoted_imports(values) as in_force:
            yield importlib.import_module(self.snapshot.program.module), in_force

    @contextlib.contextmanager
    def promoted_imports(self, values: Mapping[str, Value]) -> Iterator[PromotedValues]:
        """Put ``values`` in force for whatever is imported of the project; on leaving, all of it is forgotten."""
        program = self.snapshot.program
        in_force = PromotedValues(values, self._symbols)

        def create_loader(name: str, path: Path) -> "_SnapshotLoader | None":
            return _SnapshotLoader(name, path, self, in_force) if program.is_project_file(path) else None

        with (
            _import_path(program),
            _hide_modules(_find_shadowed_modules(program)),
            _ProjectFinder(self, in_force),
            patch_file_loaders(create_loader, IN_FORCE),
        ):
            yield in_force

    @staticmethod
    def forget_modules() -> None:
        """Let the project's modules be executed anew when they are imported again; within ``promoted_imports``."""
        for finder in sys.meta_path:
            if isinstance(finder, _ProjectFinder):
                finder.forget_modules()

    def execute_main(self, in_force: PromotedValues) -> None:
        """Execute the program under the name ``__main__``; within ``promoted_imports``.

        As ``python file.py`` would, and one with relative imports as ``python -m package.file`` would: its package's
        ``__init__.py`` runs first.
        """
        path, package = self.snapshot.program.path, self.snapshot.program.package
        if package:
            importlib.import_module(package)
        module = ModuleType("__main__")
        module.__dict__.update({"__file__": str(path), "__builtins__": builtins, "__spec__": None, IN_FORCE: in_force})
        module.__package__ = package
        in_force.modules.append(module)
        before = sys.modules["__main__"]
        sys.modules["__main__"] = module
        try:
            exec(self.code_of(path), module.__dict__)  # noqa: S102 - it is the user's program
        finally:
            sys.modules["__main__"] = before

    def code_of(self, path: Path) -> CodeType:
        """Return a project file's code, promoted expressions replaced."""
        if path not in self._code:
            raw = self.snapshot.read_source(path)
            tree = ast.parse(raw, filename=str(path))
            with deep_recursion():
                promote_expressions(tree, self._keys.get(self.snapshot.program.name_of(path), {}))
            self._code[path] = compile(tree, str(path), "exec", dont_inherit=True)
            lines = decode_source(raw).splitlines(keepends=True)
            linecache.cache[str(path)] = (len(raw), None, lines, str(path))  # None: never compared with the disk
        return self._code[path]

    def compile_all(self) -> None:
        """Compile all files of the snapshot, and find the module's name, so that a process forked later need not."""
        root, _ = self.snapshot.program.root, self.snapshot.program.module  # the latter keeps what it finds
        for name in self.snapshot.stored_program.sources:
            self.code_of(root / name)


class _ProjectFinder(MetaPathFinder):
    """Imports project modules from the snapshot, and forgets them on leaving."""

    def __init__(self, executor: Executor, in_force: PromotedValues) -> None:
        self._executor = executor
        self._in_force = in_force
        self._claimed: set[str] = set()

    def __enter__(self) -> None:
        sys.meta_path.insert(0, self)  # the finder of an editable install may be the first

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)
        self.forget_modules()

    def forget_modules(self) -> None:
        """Forget all that was imported so far."""
        for name in self._claimed:
            sys.modules.pop(name, None)
        self._claimed.clear()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if any(finder.find_spec(fullname, path) for finder in (BuiltinImporter, FrozenImporter)):
            return None
        spec = PathFinder.find_spec(fullname, path, target) or self._found_by_others(fullname, path, target)
        if spec is None:
            return None
        program = self._executor.snapshot.program
        if spec.origin is None:  # a namespace package
            locations = [Path(place) for place in spec.submodule_search_locations or ()]
            if any(program.is_project_file(place / "__init__.py") for place in locations):
                self._claimed.add(fullname)
            return spec
        origin = Path(spec.origin).resolve()
        if not isinstance(spec.loader, SourceFileLoader) or not program.is_project_file(origin):
            return None
        self._claimed.add(fullname)
        spec.loader = _SnapshotLoader(fullname, origin, self._executor, self._in_force)
        return spec

    def _found_by_others(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        """Ask the finders of editable installs: they lead to the project's files, and not to the snapshot."""
        others = [finder for finder in sys.meta_path if finder not in (self, PathFinder)]
        found = (finder.find_spec(fullname, path, target) for finder in others if hasattr(finder, "find_spec"))
        return next((spec for spec in found if spec is not None), None)


class _SnapshotLoader(Loader):
    def __init__(self, fullname: str, path: Path, executor: Executor, in_force: PromotedValues) -> None:
        self.name = fullname
        self.path = str(path)  # what `inspect` and FileReader look for
        self._origin = path
        self._executor = executor
        self._in_force = in_force

    def exec_module(self, module: ModuleType) -> None:
        setattr(module, IN_FORCE, self._in_force)
        self._in_force.modules.append(module)
        exec(self._executor.code_of(self._origin), module.__dict__)  # noqa: S102 - it is the user's program

    def get_resource_reader(self, fullname: str) -> FileReader:
        return FileReader(self)  # type: ignore[arg-type]  # it takes the loader's path alone

    def get_source(self, fullname: str) -> str:
        return decode_source(self._executor.snapshot.read_source(self._origin))


@contextlib.contextmanager
def _import_path(program: Program) -> Iterator[None]:
    before = list(sys.path)
    path = program.search_path
    first, last = [str(folder) for folder in path.before], [str(folder) for folder in path.behind]
    sys.path[:] = first + [entry for entry in before if entry not in (*first, *last)] + last
    try:
        yield
    finally:
        sys.path[:] = before


@contextlib.contextmanager
def _hide_modules(names: Sequence[str]) -> Iterator[None]:
    """Take modules out of sight, so that the project's of the same name are imported."""
    hidden = {name: sys.modules.pop(name) for name in names}
    try:
        yield
    finally:
        sys.modules.update(hidden)


def _find_shadowed_modules(program: Program) -> list[str]:
    """Return the loaded modules from elsewhere that the project's own would shadow in a run of its own.

    Where there is none the names of all loaded modules are not looked at: each look would copy, in a forked process,
    the page of memory that a name lies in.
    """
    own = {
        entry.stem
        for folder in program.search_path.before
        if folder.is_dir()
        for entry in folder.iterdir()
        if _is_module(entry)
    }
    own -= {OWN_PACKAGE, "__main__"} | sys.stdlib_module_names
    own = {name for name in own if name in sys.modules}
    return [name for name in sys.modules if name.partition(".")[0] in own] if own else []


def _is_module(entry: Path) -> bool:
    return entry.suffix == ".py" or (entry / "__init__.py").is_file()

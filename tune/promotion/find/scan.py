"""One walk over a file, which fills its scan."""

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from tune.promotion.find.literals import Unknown, evaluate_literal
from tune.promotion.find.module_scan import (
    AttributeAssignment,
    Binding,
    BindingKind,
    CallSite,
    Function,
    ModuleScan,
    Scope,
    dotted_path,
)
from tune.promotion.program import Program, Source


def made_class(name: str, call: ast.expr) -> ast.ClassDef | None:
    """Return a NamedTuple class whose defaults are the call's own expressions; None where it is no such call."""
    match call:
        case ast.Call(func=ast.Name("namedtuple") | ast.Attribute(attr="namedtuple"), args=[_, fields]):
            names = _read_field_names(fields)
        case _:
            return None
    defaults = next((keyword.value for keyword in call.keywords if keyword.arg == "defaults"), None)
    values: list[ast.expr] = []
    if isinstance(defaults, ast.Tuple | ast.List):
        values = defaults.elts
    if not names or len(values) > len(names) or (defaults is not None and not values):
        return None
    given = [None] * (len(names) - len(values)) + values
    return ast.copy_location(_build_class(name, names, given), call)


def _build_class(name: str, names: list[str], defaults: list[ast.expr | None]) -> ast.ClassDef:
    body: list[ast.stmt] = [
        ast.AnnAssign(target=ast.Name(field, ast.Store()), annotation=ast.Constant(None), value=default, simple=1)
        for field, default in zip(names, defaults, strict=True)
    ]
    return ast.ClassDef(
        name=name, bases=[ast.Name("NamedTuple", ast.Load())], keywords=[], body=body, decorator_list=[]
    )


def _read_field_names(fields: ast.expr) -> list[str]:
    held = evaluate_literal(fields)
    match held:
        case str():
            return held.replace(",", " ").split()
        case list() | tuple():
            return [str(name) for name in held]
        case _:
            assert not isinstance(held, Unknown) or held.text
            return []


SCOPE_READERS = frozenset({"globals", "locals", "eval", "exec"})
SCOPE_WRITERS = frozenset({"globals", "exec"})


def scan_program(program: Program) -> dict[str, ModuleScan]:
    """Walk over each of a program's files, by their names."""
    main = program.name_of(program.path)
    return {name: scan_module(source, is_program=name == main) for name, source in program.sources.items()}


def scan_module(source: Source, *, is_program: bool) -> ModuleScan:
    """Walk a file once."""
    found = ModuleScan(source, is_program, source.module_names)
    walk = _Scanner(found)
    walk.scan_statements(source.tree.body, Scope())
    found.calls.sort(key=lambda called: (called.node.lineno, called.node.col_offset, -(called.node.end_lineno or 0)))
    return found


class _Scanner:
    """Statements one by one, since what encloses them matters; expressions in one fast loop, since they are many."""

    def __init__(self, found: ModuleScan) -> None:
        self._found = found
        self._globals: dict[int, set[str]] = {}
        self._nonlocals: dict[int, set[str]] = {}
        self._class_paths: dict[int, str] = {}
        self._handlers: dict[type[ast.stmt], Callable[..., None]] = {
            ast.Assign: self._scan_assign,
            ast.AnnAssign: self._scan_annotated_assign,
            ast.AugAssign: self._scan_augmented_assign,
            ast.Delete: self._scan_delete,
            ast.For: self._scan_for,
            ast.AsyncFor: self._scan_for,
            ast.While: self._scan_while,
            ast.If: self._scan_if,
            ast.Try: self._scan_try,
            ast.TryStar: self._scan_try,
            ast.With: self._scan_with,
            ast.AsyncWith: self._scan_with,
            ast.FunctionDef: self._scan_function,
            ast.AsyncFunctionDef: self._scan_function,
            ast.ClassDef: self._scan_class,
            ast.Import: self._scan_import,
            ast.ImportFrom: self._scan_import,
            ast.Global: self._scan_global,
            ast.Nonlocal: self._scan_nonlocal,
            ast.Match: self._scan_match,
        }

    def scan_statements(self, body: Iterable[ast.stmt], scope: Scope) -> None:
        for statement in body:
            handler = self._handlers.get(type(statement))
            if handler is not None:
                handler(statement, scope)
            else:
                self._scan_expressions([statement], scope)

    def _scan_assign(self, node: ast.Assign, scope: Scope) -> None:
        self._scan_expressions([node.value], scope)
        for target in node.targets:
            self._hold_value(target, node.value, scope)
            self._bind_targets(target, node.value, scope, chained=len(node.targets) > 1)

    def _hold_value(self, target: ast.expr, value: ast.expr, scope: Scope) -> None:
        """Note what a name is given, also by ``a, b = f(), g()``."""
        match target, value:
            case ast.Name(id=name), _:
                self._found.held[name].append(value)
                made = made_class(name, value)
                if made is not None:
                    self._found.definitions[name].append(made)
                    self._found.owners[id(made)] = scope
            case ((ast.Tuple() | ast.List()), (ast.Tuple() | ast.List())) if _is_pairwise(target, value):
                for inner, element in zip(target.elts, value.elts, strict=True):
                    self._hold_value(inner, element, scope)

    def _scan_annotated_assign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:  # the annotation is left out: it may never be executed
            self._scan_expressions([node.value], scope)
            self._bind_targets(node.target, node.value, scope, chained=False)

    def _scan_augmented_assign(self, node: ast.AugAssign, scope: Scope) -> None:
        self._scan_expressions([node.value], scope)
        self._bind_all_names(node.target, BindingKind.AUGMENTED, scope)

    def _scan_delete(self, node: ast.Delete, scope: Scope) -> None:
        for target in node.targets:
            self._bind_all_names(target, BindingKind.DELETED, scope)

    def _scan_for(self, node: ast.For | ast.AsyncFor, scope: Scope) -> None:
        self._scan_expressions([node.iter], scope)
        self._bind_all_names(node.target, BindingKind.LOOPED, scope)
        self.scan_statements(node.body, _scope_of_loop(scope))
        self.scan_statements(node.orelse, scope)

    def _scan_while(self, node: ast.While, scope: Scope) -> None:
        self._scan_expressions([node.test], scope)
        self.scan_statements(node.body, _scope_of_loop(scope))
        self.scan_statements(node.orelse, scope)

    def _scan_if(self, node: ast.If, scope: Scope) -> None:
        if is_main_guard(node.test) and not self._found.is_program:
            self.scan_statements(node.orelse, scope)  # imported: the guarded arm never runs
            return
        self._scan_expressions([node.test], scope)
        self.scan_statements(node.body, _scope_of_arm(scope, node, 0))
        self.scan_statements(node.orelse, _scope_of_arm(scope, node, 1))

    def _scan_try(self, node: ast.Try | ast.TryStar, scope: Scope) -> None:
        self.scan_statements(node.body, _scope_of_arm(scope, node, 0))
        for number, handler in enumerate(node.handlers, start=1):
            if handler.type is not None:
                self._scan_expressions([handler.type], scope)
            self.scan_statements(handler.body, _scope_of_arm(scope, node, number))
        self.scan_statements(node.orelse, _scope_of_arm(scope, node, 0))
        self.scan_statements(node.finalbody, scope)

    def _scan_with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> None:
        for item in node.items:
            self._scan_expressions([item.context_expr], scope)
            if item.optional_vars is not None:
                self._bind_all_names(item.optional_vars, BindingKind.OTHER, scope)
        self.scan_statements(node.body, scope)

    def _scan_match(self, node: ast.Match, scope: Scope) -> None:
        self._scan_expressions([node.subject], scope)
        for number, case in enumerate(node.cases):
            self._scan_expressions([case.pattern, *([case.guard] if case.guard else [])], scope)
            self.scan_statements(case.body, _scope_of_arm(scope, node, number))

    def _scan_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        defaults = [default for default in (*node.args.defaults, *node.args.kw_defaults) if default is not None]
        self._scan_expressions([*node.decorator_list, *defaults], scope)
        is_method = scope.owner is not None and scope.function is None
        if not is_method:
            self._found.definitions[node.name].append(node)
            self._found.owners[id(node)] = scope
        self._bind_name(node.name, node.lineno, BindingKind.OTHER, scope)
        outer = self._found.functions.get(id(scope.function))
        function = Function(node, f"{self._definition_prefix(scope)}{node.name}", outer)
        self._found.functions[id(node)] = function
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            binding = Binding(name=argument.arg, line=argument.lineno, how=BindingKind.ARGUMENT)
            function.bindings[argument.arg].append(binding)
        self.scan_statements(node.body, Scope(owner=scope.owner, function=node))

    def _definition_prefix(self, scope: Scope) -> str:
        """Return what stands before the name of a definition: ``Net.``, ``main.``."""
        if scope.function is not None:
            return f"{self._found.functions[id(scope.function)].path}."
        return "" if scope.owner is None else f"{self._class_paths[id(scope.owner)]}."

    def _scan_class(self, node: ast.ClassDef, scope: Scope) -> None:
        keywords = [keyword.value for keyword in node.keywords]
        self._scan_expressions([*node.decorator_list, *node.bases, *keywords], scope)
        self._found.definitions[node.name].append(node)
        self._found.owners[id(node)] = scope
        self._class_paths[id(node)] = f"{self._definition_prefix(scope)}{node.name}"
        self._bind_name(node.name, node.lineno, BindingKind.OTHER, scope)
        self.scan_statements(node.body, Scope(owner=node, function=None))

    def _scan_import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        self._found.imports.append(node)
        for alias in node.names:
            self._bind_name(alias.asname or alias.name.partition(".")[0], node.lineno, BindingKind.OTHER, scope)

    def _scan_global(self, node: ast.Global, scope: Scope) -> None:
        self._globals.setdefault(id(scope.function), set()).update(node.names)

    def _scan_nonlocal(self, node: ast.Nonlocal, scope: Scope) -> None:
        self._nonlocals.setdefault(id(scope.function), set()).update(node.names)

    def _bind_targets(self, target: ast.expr, value: ast.expr, scope: Scope, *, chained: bool) -> None:
        """Bind a target to its own expression, element by element where both sides are written out."""
        match target, value:
            case ast.Name(id=name), _:
                self._bind_name(name, target.lineno, BindingKind.ASSIGNED, scope, value, chained=chained)
            case ((ast.Tuple() | ast.List()), (ast.Tuple() | ast.List())) if (
                _is_pairwise(target, value) and not chained
            ):
                for inner, element in zip(target.elts, value.elts, strict=True):
                    self._bind_targets(inner, element, scope, chained=False)
            case ((ast.Tuple() | ast.List()), _):
                self._bind_all_names(target, BindingKind.UNPACKED, scope)
            case _:
                self._bind_all_names(target, BindingKind.ASSIGNED, scope, None if chained else value)

    def _bind_all_names(self, target: ast.expr, how: BindingKind, scope: Scope, value: ast.expr | None = None) -> None:
        """Bind every name under a target, without a value that is known to be theirs."""
        match target:
            case ast.Name(id=name):
                self._bind_name(name, target.lineno, how, scope)
            case ast.Tuple() | ast.List():
                for inner in target.elts:
                    self._bind_all_names(inner, how, scope)
            case ast.Starred():
                self._bind_all_names(target.value, how, scope)
            case ast.Attribute() | ast.Subscript():
                path = dotted_path(target)
                if (
                    path is None
                    and isinstance(target, ast.Subscript)
                    and (base := dotted_path(target.value)) is not None
                ):
                    path, value = f"{base}.[]", None  # an entry that only running the program can tell
                if path is not None:
                    self._found.overwrites.append(AttributeAssignment(path, target.lineno, scope, value))
                self._scan_expressions(
                    [target.value, *([target.slice] if isinstance(target, ast.Subscript) else [])], scope
                )

    def _bind_name(
        self,
        name: str,
        line: int,
        how: BindingKind,
        scope: Scope,
        value: ast.expr | None = None,
        *,
        chained: bool = False,
    ) -> None:
        bindings = self._found.bindings
        if not scope.at_module_level:
            if name in self._globals.get(id(scope.function), ()):
                how, value = BindingKind.GLOBAL, None
            elif scope.function is None:
                return
            else:
                function: Function | None = self._found.functions[id(scope.function)]
                if name in self._nonlocals.get(id(scope.function), ()):
                    how, value = BindingKind.NONLOCAL, None
                    # the function around another one that a nonlocal name is of
                    outer = function and function.outer
                    while outer is not None and name not in outer.bindings:
                        outer = outer.outer
                    function = outer
                if function is None:
                    return
                bindings = function.bindings
        bindings[name].append(
            Binding(
                name=name,
                line=line,
                how=how,
                value=value,
                chained=chained,
                in_loop=scope.in_loop,
                branch=scope.branch,
            )
        )

    def _scan_expressions(self, roots: Sequence[ast.AST], scope: Scope, *, in_text: bool = False) -> None:
        found = self._found
        stack = list(roots)
        while stack:
            node = stack.pop()
            kind = type(node)
            if kind is ast.Name:
                found.name_reads[node.id].append(node.lineno)  # type: ignore[attr-defined]
                found.bare_reads[node.id].append(node.lineno)  # type: ignore[attr-defined]
            elif kind is ast.Constant:
                if type(node.value) is str:  # type: ignore[attr-defined]
                    found.strings[node.value].append(node.lineno)  # type: ignore[attr-defined]
            elif kind is ast.Attribute:
                found.attribute_reads[node.attr].append(node.lineno)  # type: ignore[attr-defined]
                self._scan_base(node.value, stack)  # type: ignore[attr-defined]
            elif kind is ast.Subscript:
                stack.append(node.slice)  # type: ignore[attr-defined]
                self._scan_base(node.value, stack)  # type: ignore[attr-defined]
            elif kind is ast.JoinedStr and not in_text:
                self._scan_expressions([node], scope, in_text=True)
            else:
                self._record_node(node, scope, in_text=in_text)
                stack.extend(_child_nodes(node))

    def _scan_base(self, node: ast.expr, stack: list[ast.AST]) -> None:
        """Note what an attribute or an entry is taken from."""
        if isinstance(node, ast.Name):
            self._found.name_reads[node.id].append(node.lineno)
        else:
            stack.append(node)

    def _record_node(self, node: ast.AST, scope: Scope, *, in_text: bool) -> None:
        match node:
            case ast.Call():
                if not in_text:
                    self._found.calls.append(CallSite(node, scope))
                if isinstance(node.func, ast.Name) and node.func.id in SCOPE_READERS:
                    self._found.scope_readers.append(node.lineno)
                    if node.func.id in SCOPE_WRITERS:
                        self._found.scope_writers.append(node.lineno)
            case ast.NamedExpr(target=target):
                self._bind_name(target.id, node.lineno, BindingKind.OTHER, scope)


def is_main_guard(test: ast.expr) -> bool:
    """Tell ``__name__ == "__main__"``, either way round."""
    match test:
        case ast.Compare(left=ast.Name("__name__"), ops=[ast.Eq()], comparators=[ast.Constant("__main__")]):
            return True
        case ast.Compare(left=ast.Constant("__main__"), ops=[ast.Eq()], comparators=[ast.Name("__name__")]):
            return True
        case _:
            return False


def _is_pairwise(target: ast.Tuple | ast.List, value: ast.Tuple | ast.List) -> bool:
    """Whether each element on the left takes the one on the right: as many, and no stars."""
    starred = any(isinstance(item, ast.Starred) for item in (*target.elts, *value.elts))
    return not starred and len(target.elts) == len(value.elts)


def _scope_of_loop(scope: Scope) -> Scope:
    return replace(scope, in_loop=True)


def _scope_of_arm(scope: Scope, statement: ast.stmt, number: int) -> Scope:
    return Scope(scope.owner, scope.function, scope.in_loop, (*scope.branch, (id(statement), number)))


def _child_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            yield from (item for item in value if isinstance(item, ast.AST))
        elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
            yield value

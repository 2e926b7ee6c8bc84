"""Whether a program's source may read an option or a parameter that a command line fills."""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache

from tune.promotion.find.module_scan import CallSite, Definition, ModuleScan, dotted_path
from tune.promotion.find.project import LibrarySymbol, Project, ProjectSymbol
from tune.promotion.program import Program

MAX_BASES = 8
"""Classes followed upward."""
NAMESPACES = frozenset({"args", "opt", "opts", "options", "hparams", "params", "config", "cfg", "conf", "flags"})
"""Names of what a parser returns, as most programs give them."""
PARSING = frozenset({"parse_args", "parse_known_args", "parse_intermixed_args", "parse_known_intermixed_args"})
"""Methods of a parser that return what it read; where the program calls none, a library may parse."""
MAY_BE_SELF = re.compile(rb"\bTap\b|class \w+\([^)]*(Namespace|ArgumentParser)")
"""What a source holds where ``self`` is what a parser fills."""
SHOWING = frozenset({"print", "pprint", "str", "repr", "logging.info", "logger.info"})
"""Functions that change nothing by what they are given."""
WHOLE = frozenset({"vars", "eval", "exec", "attrgetter"})
"""Functions that may read any attribute of what they are given."""


def may_read(dest: str, program: Program) -> bool:
    """Tell whether an attribute of this name, of anything but ``self``, is read anywhere, or may be."""
    return any(
        _is_read_of(node, dest)
        for source in program.sources.values()
        for node in _walk_without_declarations(source.tree)
    )


def _walk_without_declarations(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those of declarations: ``add_argument("--lr", dest="lr")``."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def _is_read_of(node: ast.AST, dest: str) -> bool:
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


def is_dest_read(dest: str, project: Project) -> bool:
    """Tell whether the program may read what argparse makes of an option: by its name, or all options at once."""
    surveys = project.surveys.values()
    if "." in dest or not any(PARSING & survey.attribute_reads.keys() for survey in surveys):
        return True
    if any(dest in survey.strings or _reads_attribute(dest, survey, project) for survey in surveys):
        return True
    return any(
        WHOLE_NAMESPACE & (survey.name_reads.keys() | survey.attribute_reads.keys())
        or any(_passes_namespace_on(called, survey, project) for called in survey.calls)
        for survey in surveys
    )


def _reads_attribute(name: str, survey: ModuleScan, project: Project) -> bool:
    """Tell whether a file reads an attribute of this name of what a parser may have filled: of no plain ``self``."""
    if name not in survey.attribute_reads or _may_be_self(project):
        return name in survey.attribute_reads
    for node in ast.walk(survey.source.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self")):
                continue
            case ast.Attribute(attr=read, ctx=ast.Load()) if read == name:
                return True
    return False


@lru_cache(maxsize=2)
def _may_be_self(project: Project) -> bool:
    """Tell whether a parser may put its options into an object of the program, whose methods read them of ``self``."""
    surveys = project.surveys.values()
    if any(MAY_BE_SELF.search(survey.source.raw) for survey in surveys):
        return True
    parsing = (called.node for survey in surveys for called in survey.calls if _is_parsing(called.node))
    return any(len(node.args) > 1 or any(each.arg != "args" for each in node.keywords) for node in parsing)


def _is_parsing(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr in PARSING


def _passes_namespace_on(called: CallSite, survey: ModuleScan, project: Project) -> bool:
    """Tell a call that gives all options to what is none of the program: ``OmegaConf.merge(args)``."""
    given = (*called.node.args, *(keyword.value for keyword in called.node.keywords))
    if not any(_is_namespace(each, project) for each in given):
        return False
    path = dotted_path(called.node.func) or ""
    return path not in SHOWING and not isinstance(project.resolve_name(path, survey), ProjectSymbol)


def _is_namespace(given: ast.expr, project: Project) -> bool:
    match given:
        case ast.Name(id=name):
            return name in NAMESPACES or name in _find_namespaces(project)
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in PARSING
        case _:
            return False


@lru_cache(maxsize=2)
def _find_namespaces(project: Project) -> frozenset[str]:
    """Return the names that a program gives to what its parsers return, and to parameters that are declared so."""
    found = set()
    for survey in project.surveys.values():
        if b"parse_" not in survey.source.raw and b"Namespace" not in survey.source.raw:
            continue
        for node in ast.walk(survey.source.tree):
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute(attr=method)))
                    | ast.Assign(
                        targets=[ast.Tuple(elts=[ast.Name(id=name), *_])],
                        value=ast.Call(func=ast.Attribute(attr=method)),
                    )
                ) if method in PARSING:
                    found.add(name)
                case ast.arg(arg=name, annotation=ast.expr() as declared):
                    if (dotted_path(declared) or "").rpartition(".")[2] == "Namespace":
                        found.add(name)
    return frozenset(found)


def may_be_executed(called: CallSite, project: Project) -> bool:
    """Tell whether a call may be executed: a function around it that nothing else in the program names never is.

    A method may be called by a base class, and a function by its decorator.
    """
    function = called.scope.function
    if function is None:
        return True
    decorators = {(dotted_path(each) or "") for each in function.decorator_list}
    if not decorators <= {"staticmethod", "classmethod"} or (called.scope.owner is not None and not decorators):
        return True
    if not any(_is_named_outside(function.name, survey) for survey in project.surveys.values()):
        return False
    return called.scope.owner is None or _may_be_of_class(function.name, called.scope.owner, project)


def _may_be_of_class(method: str, owner: ast.ClassDef, project: Project) -> bool:
    """Tell whether the program names a method otherwise than of classes that have one of their own: ``Wide.add``."""
    if any(method in survey.strings for survey in project.surveys.values()):
        return True
    return any(
        named is None or _inherits_from(named, method, owner, project, MAX_BASES)
        for named in _find_owners_of(method, project)
    )


def _inherits_from(own: ProjectSymbol, method: str, owner: ast.ClassDef, project: Project, hops: int) -> bool:
    """Tell whether a class has its method of ``owner``: it is that class, or one below that has none itself."""
    if own.node is owner:
        return True
    if not isinstance(own.node, ast.ClassDef) or not hops:
        return False
    if any(isinstance(each, ast.FunctionDef) and each.name == method for each in own.node.body):
        return False
    bases = (project.resolve_name(dotted_path(base) or "", own.survey) for base in own.node.bases)
    return any(
        _inherits_from(base, method, owner, project, hops - 1) for base in bases if isinstance(base, ProjectSymbol)
    )


@lru_cache(maxsize=64)
def _find_owners_of(attribute: str, project: Project) -> tuple[ProjectSymbol | None, ...]:
    """Return the classes of which the program names an attribute; None for what may be any object."""
    found: list[ProjectSymbol | None] = []
    for survey in project.surveys.values():
        for node in ast.walk(survey.source.tree) if attribute in survey.attribute_reads else ():
            if isinstance(node, ast.Attribute) and node.attr == attribute:
                meaning = project.resolve_name(dotted_path(node.value) or "", survey)
                is_class = isinstance(meaning, ProjectSymbol) and isinstance(meaning.node, ast.ClassDef)
                found.append(meaning if isinstance(meaning, ProjectSymbol) and is_class else None)
    return tuple(found)


def _is_named_outside(name: str, survey: ModuleScan) -> bool:
    """Tell whether a file names a function anywhere but in functions of that name."""
    if any(alias.name == name and alias.asname for node in survey.imports for alias in node.names):
        return True
    lines = {*survey.name_reads.get(name, ()), *survey.attribute_reads.get(name, ()), *survey.strings.get(name, ())}
    own = [each.node for each in survey.functions.values() if each.node.name == name]
    return any(not any(each.lineno <= line <= (each.end_lineno or line) for each in own) for line in lines)


LIGHTNING_BASES = frozenset({"LightningModule", "LightningDataModule"})
READERS = frozenset(
    {"vars", "locals", "globals", "eval", "exec", "getattr", "save_hyperparameters", "link_arguments"}
    | {"signature", "getcallargs", "getargvalues", "currentframe", "_getframe", "stack", "params", "config"}
)
"""Names by which parameters are read without their own: of frames, of click's context, of LightningCLI's config."""
WHOLE_NAMESPACE = READERS - {"config", "params"} | {
    "__dict__",
    "_get_kwargs",
    "from_argparse_args",
    "instantiate_classes",
}
"""Names by which a program reads all that a parser returns."""
DECLARING = ("option", "argument", "command", "group", "pass_context", "staticmethod", "classmethod")
"""Decorators that pass all that they are given."""


def is_parameter_read(name: str, declared: Definition, survey: ModuleScan, project: Project) -> bool:
    """Tell whether the function, or a class's constructor, may read its parameter."""
    function = declared
    if isinstance(declared, ast.ClassDef):
        found = [each for each in declared.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
        if not found or not _has_plain_bases(declared, survey, project):
            return True
        function = found[0]
    decorators = (each.func if isinstance(each, ast.Call) else each for each in function.decorator_list)
    if any((dotted_path(each) or "").rpartition(".")[2] not in DECLARING for each in decorators):
        return True
    own = any(isinstance(node, ast.Name) and node.id == name for each in function.body for node in ast.walk(each))
    return own or _reads_otherwise(project)


def _has_plain_bases(node: ast.ClassDef, survey: ModuleScan, project: Project) -> bool:
    """Tell whether no library, metaclass or decorator may read what a constructor is given."""
    if node.keywords or node.decorator_list:
        return False
    for base in node.bases:
        match project.resolve_name(dotted_path(base) or "", survey):
            case LibrarySymbol(path=path) if path.rpartition(".")[2] in LIGHTNING_BASES:
                continue
            case ProjectSymbol(survey=there, node=ast.ClassDef() as inner) if _has_plain_bases(inner, there, project):
                continue
            case _:
                return False
    return True


def _reads_otherwise(project: Project) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id in READERS)
        or (isinstance(node, ast.Attribute) and node.attr in READERS)
        for survey in project.surveys.values()
        for node in ast.walk(survey.source.tree)
    )


def reads_command_line(called: CallSite) -> bool:
    """Tell whether a LightningCLI reads the command line: its ``args`` are left out, None, or a parameter that is."""
    given = next((each.value for each in called.node.keywords if each.arg == "args"), None)
    if given is None or _is_none(given):
        return True
    function = called.scope.function
    if function is None or not isinstance(given, ast.Name):
        return False
    arguments = function.args
    positional = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    defaults = dict(zip(reversed(positional), reversed(arguments.defaults), strict=False))
    named = zip((each.arg for each in arguments.kwonlyargs), arguments.kw_defaults, strict=True)
    return _is_none({**defaults, **dict(named)}.get(given.id))


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None

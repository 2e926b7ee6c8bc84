"""The options that typer makes of the parameters of functions: of ``typer.run(main)``, and of an app's commands."""

import ast
from collections.abc import Iterator

from tune.promotion.constant import Site, Span
from tune.promotion.find.literals import Unknown, evaluate_literal
from tune.promotion.find.module_scan import ModuleScan, dotted_path
from tune.promotion.find.project import Project, ProjectSymbol
from tune.promotion.options.option import Option, OptionParser
from tune.promotion.options.option_reads import is_parameter_read

Function = ast.FunctionDef | ast.AsyncFunctionDef
TYPER = "typer"
COMMANDS = frozenset({"command", "callback"})
"""Methods of an app that make a command of the function that they decorate."""
RUN = frozenset({"typer.run", "run"})
OPTION = "Option"
ARGUMENT = "Argument"


def find_typer_options(survey: ModuleScan, project: Project) -> Iterator[Option]:
    """Yield ``--batch-size`` of each parameter that may be left out, but for arguments by their place."""
    if not any(alias.name == TYPER or each == TYPER for alias, each in _find_imports(survey)):
        return
    for function, inside in _find_functions(survey, project):
        own = function.args
        positional = [*own.posonlyargs, *own.args]
        defaults = dict(zip(reversed(positional), reversed(own.defaults), strict=False))
        defaults |= {each: node for each, node in zip(own.kwonlyargs, own.kw_defaults, strict=True) if node is not None}
        for parameter in (*positional, *own.kwonlyargs):
            option = _build_option(parameter, defaults.get(parameter), function, inside, project)
            if option is not None:
                yield option


def _find_imports(survey: ModuleScan) -> Iterator[tuple[ast.alias, str | None]]:
    """Yield what a file imports, each with the module that it is of."""
    return ((alias, getattr(node, "module", None)) for node in survey.imports for alias in node.names)


def _find_functions(survey: ModuleScan, project: Project) -> Iterator[tuple[Function, ModuleScan]]:
    """Yield the functions of which typer makes commands, each with its file."""
    for node in ast.walk(survey.source.tree):
        if isinstance(node, Function) and any(_is_command(each, node, project) for each in node.decorator_list):
            yield node, survey
    for called in survey.calls:
        if dotted_path(called.node.func) in RUN and called.node.args:
            found = project.resolve_name(dotted_path(called.node.args[0]) or "", survey)
            if isinstance(found, ProjectSymbol) and isinstance(found.node, Function):
                yield found.node, found.survey


def _is_command(decorator: ast.expr, function: Function, project: Project) -> bool:
    """Tell a decorator that makes a command of an app; where the program calls the function itself, of one it calls."""
    maker = decorator.func if isinstance(decorator, ast.Call) else decorator
    if not (isinstance(maker, ast.Attribute) and maker.attr in COMMANDS):
        return False
    calls = [called.node for survey in project.surveys.values() for called in survey.calls]
    callees = {(dotted_path(node.func) or "").rpartition(".")[2] for node in calls}
    app = (dotted_path(maker.value) or "").rpartition(".")[2]
    given = {(dotted_path(each) or "").rpartition(".")[2] for node in calls for each in _find_arguments(node)}
    return function.name not in callees or app in callees | given


def _find_arguments(node: ast.Call) -> Iterator[ast.expr]:
    yield from node.args
    yield from (keyword.value for keyword in node.keywords)


def _build_option(
    parameter: ast.arg, default: ast.expr | None, function: Function, survey: ModuleScan, project: Project
) -> Option | None:
    """Return the option of a parameter; None where it is an argument, the context, or required."""
    declared = _find_declaration(parameter.annotation) or _find_declaration(default)
    if declared is not None and _last_name(declared) == ARGUMENT:
        return None
    texts = [] if declared is None else [each for each in map(evaluate_literal, declared.args) if isinstance(each, str)]
    names = [text.partition("/")[0] for text in texts if text.startswith("-")]
    if declared is default and declared is not None:
        given = (each.value for each in declared.keywords if each.arg == "default")
        default = declared.args[0] if declared.args else next(given, None)
    if default is None:
        return None
    value = evaluate_literal(default)
    if declared is not None and any(each.arg == "envvar" for each in declared.keywords):
        value = Unknown("may stand in the environment")
    names = sorted(names or [f"--{parameter.arg.replace('_', '-')}"], key=lambda name: not name.startswith("--"))
    return Option(
        name=names[0],
        value=value,
        parser=OptionParser.FUNCTION,
        dest=parameter.arg,
        is_read=is_parameter_read(parameter.arg, function, survey, project),
        is_float=isinstance(value, float),
        takes_several=isinstance(value, list | tuple),
        place=survey.place_of_line(default.lineno),
        names=tuple(names),
        off=f"--no-{names[0][2:]}" if isinstance(value, bool) and names[0].startswith("--") else None,
        default=None if isinstance(value, Unknown) else Site(survey.source.name, Span.from_node(default)),
    )


def _find_declaration(node: ast.expr | None) -> ast.Call | None:
    """Return ``typer.Option(...)`` of a default, or of ``Annotated[int, typer.Option(...)]``."""
    match node:
        case ast.Call() if _last_name(node) in (OPTION, ARGUMENT):
            return node
        case ast.Subscript(slice=ast.Tuple(elts=elements)):
            return next((found for each in elements if (found := _find_declaration(each)) is not None), None)
        case _:
            return None


def _last_name(call: ast.Call) -> str:
    return (dotted_path(call.func) or "").rpartition(".")[2]

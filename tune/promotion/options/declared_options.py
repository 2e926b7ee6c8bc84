"""The options that a script takes on its command line: argparse, absl, click, docopt, typer, fire, hydra."""

import ast
import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tune.errors import ConstantError, did_you_mean
from tune.promotion.configs.hydra_values import compose_config, find_group_choices
from tune.promotion.configs.read_files import layered_configs, mentions_key, values_of_config_files
from tune.promotion.constant import Site, Span
from tune.promotion.find.containers import entries_of
from tune.promotion.find.literals import Unknown, evaluate_literal
from tune.promotion.find.module_scan import CallSite, ModuleScan, dotted_path
from tune.promotion.find.project import LibrarySymbol, Project, ProjectSymbol, project_of
from tune.promotion.find.signatures import MAX_BASES, signature_of
from tune.promotion.options.absl_flags import ABSL_FLAGS, find_absl_flags
from tune.promotion.options.docopt_options import find_docopt_options
from tune.promotion.options.fire_components import FIRE, JSONARGPARSE, find_components, find_positionals
from tune.promotion.options.option import Option, OptionParser
from tune.promotion.options.option_reads import is_dest_read, is_parameter_read, may_be_executed
from tune.promotion.options.parser_defaults import ChangedDefaults, adds_argument, changed_defaults
from tune.promotion.options.replaced_optimizer import mark_replaced
from tune.promotion.options.typer_options import find_typer_options
from tune.promotion.program import Program, suggest_listing
from tune.space.dimensions import Value

CLASSES = ("--model.", "--data.")
"""LightningCLI's options whose names stand in the source, where it names the class."""
KEY_VALUE = re.compile(r"[+~]{0,2}[A-Za-z_][\w./@-]*=")
KEY_VALUE_READERS = frozenset(
    {"hydra", "omegaconf", "sys", "fire", "absl", "lightning", "pytorch_lightning", "jsonargparse"}
)
"""Modules that give a program its command line's ``key=value`` words."""
FUNCTION_PARSERS = dict.fromkeys(FIRE, OptionParser.FUNCTION) | dict.fromkeys(JSONARGPARSE, OptionParser.LIGHTNING_CLI)
"""What makes options of a function's parameters; jsonargparse takes its words as LightningCLI does."""
SIMILAR = 0.75
"""From this ratio of equal letters on a name is taken for a misspelt one; the program's parser refuses all others."""


def find_options(program: Program, args: Sequence[str] = ()) -> tuple[Option, ...]:
    """Return the options that the program and its modules declare, in the order of the files; then its config files'.

    ``args``: its command line, which may name config files.
    """
    project = project_of(program)
    changed = changed_defaults(project)
    options = [option for survey in project.surveys.values() for option in _find_module_options(survey, project, args)]
    declared = (_with_changed_default(option, changed) for option in options)
    found = (*declared, *_find_hydra_options(program, args), *_in_config_files(program, args))
    names_cli = any(b"LightningCLI" in source.raw for source in program.sources.values())
    if not names_cli or not _has_lightning_cli(program):
        return found
    known = {name for option in found for name in option.names}
    words = (word for word in layered_configs(program, args).words if word not in known)
    said = (_build_undeclared(word, program, OptionParser.LIGHTNING_CLI) for word in words)
    return tuple(mark_replaced((*found, *said), project, args))


def _with_changed_default(option: Option, changed: ChangedDefaults) -> Option:
    value = changed.value_of(option.dest, option.value, option.place)
    return option if value is option.value else replace(option, value=value, default=changed.sites.get(option.dest))


def find_option(
    name: str, program: Program, options: tuple[Option, ...], where: str, args: Sequence[str] = ()
) -> Option:
    """Return the option called ``--lr`` or ``optimizer.lr=``; raise ConstantError, which starts with ``where``.

    A ``key=`` is taken at its word where the program reads such words, since their names stand in no source.
    """
    match [option for option in options if name in option.names]:
        case [option, *others]:
            differ = any(repr(other.value) != repr(option.value) for other in others)
            value = Unknown("declared more than once") if differ else option.value
            return replace(option, value=value, default=None if others else option.default)
        case _ if KEY_VALUE.fullmatch(name) and bool(imported_packages(program) & KEY_VALUE_READERS):
            packages = imported_packages(program)
            return _build_undeclared(name, program, OptionParser.HYDRA if "hydra" in packages else OptionParser.WORDS)
        case _ if name.startswith("--") and _has_lightning_cli(program) and not _is_misspelt(name, options):
            return _build_undeclared(name, program, OptionParser.LIGHTNING_CLI)
    listing = suggest_listing(program, args)
    near = did_you_mean(name, [way for option in options for way in option.names])
    hint = listing if near is None else f"Did you mean {near!r}?  {listing}"
    raise ConstantError(where, f"{name!r} is no option that a source of {program.source.name} declares", hint)


def _find_hydra_options(program: Program, args: Sequence[str]) -> Iterator[Option]:
    """Yield ``model.lr=`` of what hydra composes, and the config groups: ``model=``.

    ``args`` choose what is composed; of a value that a word sets, what the files say is yielded.
    """
    if "hydra" not in imported_packages(program):
        return
    plain = compose_config(program, ())
    composed = compose_config(program, args) or plain
    for dest, value in composed.values.items() if composed is not None else ():
        config = composed.places.get(dest) if composed is not None else None
        if config is None and plain is not None and dest in plain.places:
            value, config = plain.values[dest], plain.places[dest]
        if dest.rpartition(".")[2].startswith("_") or (isinstance(value, Unknown) and "${" in value.text):
            continue  # hydra's own, such as `_target_`; or it is what another value is
        yield Option(
            name=f"{dest}=",
            value=value,
            parser=OptionParser.HYDRA,
            dest=dest,
            is_read=config is None or mentions_key(program, config),
            place=program.source.name if config is None else str(config),
            names=(f"{dest}=", f"++{dest}="),
            choices=() if config is None else find_group_choices(dest, config),
            config=config,
        )


def _in_config_files(program: Program, args: Sequence[str]) -> Iterator[Option]:
    """Yield ``optim.lr=`` of the config files that the program reads by itself."""
    said = {word.partition("=")[0].lstrip("+~") for word in args}
    names = {word.partition("=")[0][2:].replace("-", "_") for word in args if word.startswith("--")}
    for dest, (place, value) in values_of_config_files(program, args).items():
        if dest in said or dest.rpartition(".")[2].replace("-", "_") in names:
            continue  # a word says it
        if isinstance(value, str) and ("${" in value or value == "???"):
            continue  # another value is it
        yield Option(
            name=f"{dest}=",
            value=value,
            parser=OptionParser.FILE,
            dest=dest,
            is_read=mentions_key(program, place),
            place=str(place),
            names=(f"{dest}=",),
            config=place,
        )


def _is_misspelt(name: str, options: tuple[Option, ...]) -> bool:
    """Tell whether a name like ``--model.lr`` is nearly a parameter of a class that the source names."""
    part, _, last = name.rpartition(".")
    known = [option.dest.partition(".")[2] for option in options if option.name.startswith(f"{part}.")]
    return f"{part}." in CLASSES and bool(difflib.get_close_matches(last, known, cutoff=SIMILAR))


def _find_module_options(survey: ModuleScan, project: Project, args: Sequence[str]) -> Iterator[Option]:
    yield from find_typer_options(survey, project)
    for called in survey.calls:
        yield from find_docopt_options(called, survey, project)
        match called.node.func:
            case function if adds_argument(function, survey) and may_be_executed(called, project):
                yield from _find_argparse_options(called, survey, project)
            case _ if (dotted_path(called.node.func) or "") in ("click.option", "option"):
                yield from _find_click_options(called, survey, project)
            case ast.Attribute(attr=kind) | ast.Name(id=kind) if kind in ABSL_FLAGS:
                yield from find_absl_flags(called, survey, project)
            case _ if is_lightning_cli(called, survey, project) or _is_base_of_cli(called, survey, project):
                yield from _find_lightning_options(called, survey, project)
            case function if (parser := FUNCTION_PARSERS.get(dotted_path(function) or "")) is not None:
                words = find_positionals(called, survey, project, args)
                for component in find_components(called, survey, project, args):
                    options = _of_signature(component, "", project, parser)
                    yield from (each for each in options if each.dest not in words)


def _find_argparse_options(called: CallSite, survey: ModuleScan, project: Project) -> Iterator[Option]:
    names = _find_spellings(called.node)
    if not names:
        return  # a positional: it goes into `args:`
    action = _find_keyword_text(called.node, "action")
    is_flag = action in ("store_true", "store_false", "store_const", "count")
    value = _evaluate_default(called.node)
    if isinstance(value, Unknown) and _find_keyword(called.node, "default") is None:
        value = {"store_true": False, "store_false": True}.get(action or "")
    kind = _find_keyword(called.node, "type")
    value = _convert_default(value, kind)
    dest = _find_keyword_text(called.node, "dest") or names[0].lstrip("-").replace("-", "_")
    yield Option(
        name=names[0],
        value=value,
        parser=OptionParser.ARGPARSE,
        dest=dest,
        is_read=is_dest_read(dest, project),
        is_float=isinstance(value, float) or (isinstance(kind, ast.Name) and kind.id == "float"),
        takes_several=_find_keyword(called.node, "nargs") is not None,
        place=survey.place_of_line(called.node.lineno),
        names=names,
        is_flag=is_flag,
        sets=action != "store_false",
        off=f"--no-{names[0][2:]}" if _is_toggle(called.node) and names[0].startswith("--") else None,
        choices=_evaluate_choices(_find_keyword(called.node, "choices")),
        default=None if is_flag else _find_default_site(_find_keyword(called.node, "default"), survey),
        makes_true=isinstance(kind, ast.Name) and kind.id == "bool",
    )


def _find_click_options(called: CallSite, survey: ModuleScan, project: Project) -> Iterator[Option]:
    names = tuple(each for spelling in _find_spellings(called.node) for each in spelling.split("/")[:1])
    if names:
        is_flag = _find_keyword(called.node, "is_flag") is not None
        value = _evaluate_default(called.node)
        if is_flag and isinstance(value, Unknown):
            value = False
        if _find_keyword(called.node, "envvar") is not None:
            value = Unknown("may stand in the environment")
        dest = _click_name(called.node, names)
        functions = (each for found in survey.definitions.values() for each in found)
        decorated = [each for each in functions if called.node in each.decorator_list]
        yield Option(
            name=names[0],
            value=value,
            parser=OptionParser.CLICK,
            dest=dest,
            is_read=not decorated or is_parameter_read(dest, decorated[0], survey, project),
            is_float=isinstance(value, float),
            takes_several=_find_keyword(called.node, "nargs") is not None
            or _find_keyword(called.node, "multiple") is not None,
            place=survey.place_of_line(called.node.lineno),
            names=names,
            is_flag=is_flag,
            choices=_evaluate_choices(_find_keyword(called.node, "type")),
            default=None if is_flag else _find_default_site(_find_keyword(called.node, "default"), survey),
        )


def _click_name(node: ast.Call, names: tuple[str, ...]) -> str:
    """Return the name of the function's parameter: the one that is written without dashes, else the longest."""
    plain = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    bare = [text for text in plain if text.isidentifier()]
    return bare[0] if bare else max(names, key=len).lstrip("-").replace("-", "_").lower()


def _find_lightning_options(called: CallSite, survey: ModuleScan, project: Project) -> Iterator[Option]:
    """``--model.lr`` of ``LightningCLI(LitModel, DataModule)``: the constructors' parameters."""
    for position, (keyword, prefix) in enumerate((("model_class", "model"), ("datamodule_class", "data"))):
        given = called.node.args[position] if position < len(called.node.args) else _find_keyword(called.node, keyword)
        meaning = project.resolve_name(dotted_path(given) or "", survey) if given is not None else None
        if isinstance(meaning, ProjectSymbol):
            chosen_later = _find_keyword(called.node, f"subclass_mode_{prefix}") is not None
            for option in _of_signature(meaning, f"{prefix}.", project, OptionParser.LIGHTNING_CLI):
                value = option.value
                if chosen_later or _find_keyword(called.node, "parser_kwargs") is not None:
                    value = Unknown("may stand in a config file")
                yield replace(option, value=value, is_read=option.is_read or chosen_later)
    yield from _of_trainer_defaults(_find_keyword(called.node, "trainer_defaults"), survey)


def _of_trainer_defaults(node: ast.expr | None, survey: ModuleScan) -> Iterator[Option]:
    """Yield ``--trainer.max_epochs`` of ``trainer_defaults={"max_epochs": 3}``."""
    for entry in () if node is None else entries_of("", node):
        value = evaluate_literal(entry.value)
        if not isinstance(value, Unknown | dict | list):
            name = f"trainer.{entry.key}"
            yield Option(
                name=f"--{name}",
                value=value,
                parser=OptionParser.LIGHTNING_CLI,
                dest=name,
                is_float=isinstance(value, float),
                place=survey.place_of_line(entry.value.lineno),
                names=(f"--{name}",),
                default=_find_default_site(entry.value, survey),
            )


def _of_signature(own: ProjectSymbol, prefix: str, project: Project, parser: OptionParser) -> Iterator[Option]:
    signature = signature_of(own, project)
    for parameter in signature.parameters if signature is not None else ():
        if parameter.name == "self":
            continue
        default, place = parameter.default, parameter.survey.place_of_line(parameter.declared.lineno)
        if default is not None:
            place = parameter.survey.place_of_line(default.lineno)
        name = f"--{prefix}{parameter.name}"
        value = Unknown("required") if default is None else evaluate_literal(default)
        yield Option(
            name=name,
            value=value,
            parser=parser,
            dest=f"{prefix}{parameter.name}",
            is_read=is_parameter_read(parameter.name, parameter.declared, parameter.survey, project),
            is_float=isinstance(value, float) or parameter.is_float,
            place=place,
            names=tuple(dict.fromkeys((name, _to_dashes(name) if parser is OptionParser.FUNCTION else name))),
            default=_find_default_site(default, parameter.survey),
        )


def _to_dashes(name: str) -> str:
    """Fire and typer take dashes; jsonargparse does not."""
    return "--" + name[2:].replace("_", "-")


def is_lightning_cli(called: CallSite, survey: ModuleScan, project: Project) -> bool:
    """Tell whether a call builds a LightningCLI, or an object of a class that descends from it, and may be executed."""
    return _descends_from_lightning_cli(called.node.func, survey, project) and may_be_executed(called, project)


def _is_base_of_cli(called: CallSite, survey: ModuleScan, project: Project) -> bool:
    """Tell ``super().__init__(model_class=Net)`` in a class that descends from LightningCLI."""
    match called.node.func, called.scope.owner:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="__init__"), ast.ClassDef(bases=bases):
            return any(_descends_from_lightning_cli(base, survey, project) for base in bases)
        case _:
            return False


def _descends_from_lightning_cli(node: ast.expr, survey: ModuleScan, project: Project, depth: int = 0) -> bool:
    path = dotted_path(node)
    match project.resolve_name(path, survey) if path is not None and depth < MAX_BASES else None:
        case LibrarySymbol(path=there):
            return there.endswith("LightningCLI")
        case ProjectSymbol(survey=inside, node=ast.ClassDef(bases=bases)):
            return any(_descends_from_lightning_cli(base, inside, project, depth + 1) for base in bases)
        case _:
            return False


def _find_spellings(node: ast.Call) -> tuple[str, ...]:
    """Return the names that begin with a dash, the long ones first."""
    texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return tuple(sorted((text for text in texts if text.startswith("-")), key=lambda text: not text.startswith("--")))


def _find_keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in node.keywords if keyword.arg == name), None)


def _find_keyword_text(node: ast.Call, name: str) -> str | None:
    value = _find_keyword(node, name)
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _evaluate_default(node: ast.Call) -> Value | Unknown:
    value = _find_keyword(node, "default")
    return Unknown("no default") if value is None else evaluate_literal(value)


def _find_default_site(node: ast.expr | None, survey: ModuleScan) -> Site | None:
    """Return where a default is written as a literal."""
    if node is None or isinstance(evaluate_literal(node), Unknown):
        return None
    return Site(survey.source.name, Span.from_node(node))


def _is_toggle(node: ast.Call) -> bool:
    action = _find_keyword(node, "action")
    return action is not None and (dotted_path(action) or "").rpartition(".")[2] == "BooleanOptionalAction"


def _evaluate_choices(node: ast.expr | None) -> tuple[Value, ...]:
    """Return what a list holds, also one in click's ``Choice([...])``."""
    match node:
        case ast.Call(func=ast.Name(id="Choice") | ast.Attribute(attr="Choice"), args=[inner, *_]):
            node = inner
    held = None if node is None else evaluate_literal(node)
    return tuple(held) if isinstance(held, list | tuple) else ()


def _convert_default(value: Value | Unknown, kind: ast.expr | None) -> Value | Unknown:
    """Argparse converts a default that is a text, and nothing else."""
    match value, kind:
        case str(), ast.Name(id="int" | "float" as name):
            try:
                return int(value) if name == "int" else float(value)
            except ValueError:
                return value
        case _:
            return value


def _build_undeclared(name: str, program: Program, parser: OptionParser) -> Option:
    """Return an option whose name stands in no source."""
    return Option(
        name=name,
        value=Unknown("not in the source"),
        parser=parser,
        dest=name.strip("-=+~"),
        place=program.source.name,
        names=(name,),
    )


def _has_lightning_cli(program: Program) -> bool:
    project = project_of(program)
    return any(
        is_lightning_cli(called, survey, project) for survey in project.surveys.values() for called in survey.calls
    )


def imported_packages(program: Program) -> set[str]:
    """Return the top-level packages that the program's files import."""
    modules = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name or "")
        for survey in project_of(program).surveys.values()
        for node in survey.imports
        for alias in node.names
    }
    return {(module or "").partition(".")[0] for module in modules}

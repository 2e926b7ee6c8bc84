"""The command-line options of a script, as its source declares them: argparse, click, typer, fire, LightningCLI."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tune.errors import ConstantError, did_you_mean
from tune.promotion.find.project import Foreign, Own, Project, project_of
from tune.promotion.find.signatures import signature_of
from tune.promotion.find.survey import Called, Survey, dotted
from tune.promotion.literals import Unknown, evaluate
from tune.promotion.program import Program
from tune.space.dimensions import Value

KEY_VALUE = re.compile(r"[+~]{0,2}[A-Za-z_][\w./@-]*=")
KEY_VALUE_READERS = frozenset(
    {"hydra", "omegaconf", "sys", "fire", "absl", "lightning", "pytorch_lightning", "jsonargparse"}
)
"""Modules that give a program its command line's ``key=value`` words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """Something that a script takes on its command line."""

    name: str
    """As a space file writes it: ``--lr``, ``--model.lr``, ``optimizer.lr=``."""
    value: Value | Unknown
    """Its default; Unknown where the source does not tell."""
    place: str
    """``file:line`` of the declaration; of the program for ``key=value``."""
    names: tuple[str, ...]
    """All its spellings: ``--learning-rate``, ``--lr``."""
    is_flag: bool = False
    """Takes no value: it stands on the command line for True."""

    @property
    def where(self) -> str:
        """Its place, as of a constant."""
        return self.place


def find_options(program: Program) -> tuple[Option, ...]:
    """Return the options that the program and its modules declare, in the order of the files."""
    project = project_of(program)
    return tuple(option for survey in project.surveys.values() for option in _options(survey, project))


def find_option(name: str, program: Program, options: tuple[Option, ...], where: str) -> Option:
    """Return the option called ``--lr`` or ``optimizer.lr=``; raise ConstantError, which starts with ``where``.

    A ``key=`` is taken at its word where the program reads such words, since their names stand in no source.
    """
    match [option for option in options if name in option.names]:
        case [option, *_]:
            return option
        case _ if KEY_VALUE.fullmatch(name) and _reads_words(program):
            return Option(name=name, value=Unknown("not in the source"), place=program.source.name, names=(name,))
    listing = f"`run_search.py constants {program.source.name}` lists them all."
    near = did_you_mean(name, [way for option in options for way in option.names])
    hint = listing if near is None else f"Did you mean {near!r}?  {listing}"
    raise ConstantError(where, f"{name!r} is not an option of {program.source.name}", hint)


def option_words(options: Mapping[str, Option], values: Mapping[str, Value]) -> list[str]:
    """Return what stands on the command line for these options, in their order; of two the last counts, so add them."""
    return [word for key, option in options.items() if key in values for word in _words_for(key, option, values[key])]


def _words_for(key: str, option: Option, value: Value) -> list[str]:
    match value:
        case _ if option.is_flag:
            return [key] if value else []
        case _ if key.endswith("="):
            return [f"{key}{_word(value)}"]
        case list() | tuple():
            return [key, *map(_word, value)]
        case _:
            return [f"{key}={_word(value)}"]  # a word of its own could begin with a minus


def _word(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)


def _options(survey: Survey, project: Project) -> Iterator[Option]:
    for called in survey.calls:
        match called.node.func:
            case ast.Attribute(attr="add_argument") | ast.Attribute(attr="add"):
                yield from _argparse(called, survey)
            case _ if (dotted(called.node.func) or "") in ("click.option", "option", "typer.Option"):
                yield from _click(called, survey)
            case _ if _is_lightning_cli(called, survey, project):
                yield from _lightning(called, survey, project)
            case _ if (dotted(called.node.func) or "") in ("fire.Fire", "Fire", "typer.run"):
                yield from _of_function(called, survey, project)


def _argparse(called: Called, survey: Survey) -> Iterator[Option]:
    names = _spellings(called.node)
    if not names:
        return  # a positional: it goes into `args:`
    action = _text(called.node, "action")
    is_flag = action in ("store_true", "store_false", "store_const", "count")
    value = _default(called.node)
    if isinstance(value, Unknown) and _keyword(called.node, "default") is None:
        value = {"store_true": False, "store_false": True}.get(action or "")
    value = _typed(value, _keyword(called.node, "type"))
    yield Option(name=names[0], value=value, place=survey.place(called.node.lineno), names=names, is_flag=is_flag)


def _click(called: Called, survey: Survey) -> Iterator[Option]:
    names = tuple(each for spelling in _spellings(called.node) for each in spelling.split("/")[:1])
    if names:
        is_flag = _keyword(called.node, "is_flag") is not None
        value = _default(called.node)
        if is_flag and isinstance(value, Unknown):
            value = False
        place = survey.place(called.node.lineno)
        yield Option(name=names[0], value=value, place=place, names=names, is_flag=is_flag)


def _lightning(called: Called, survey: Survey, project: Project) -> Iterator[Option]:
    """``--model.lr`` of ``LightningCLI(LitModel, DataModule)``: the constructors' parameters."""
    for position, (keyword, prefix) in enumerate((("model_class", "model"), ("datamodule_class", "data"))):
        given = called.node.args[position] if position < len(called.node.args) else _keyword(called.node, keyword)
        meaning = project.meaning(dotted(given) or "", survey) if given is not None else None
        if isinstance(meaning, Own):
            yield from _of_signature(meaning, f"{prefix}.", project)


def _of_function(called: Called, survey: Survey, project: Project) -> Iterator[Option]:
    meaning = project.meaning(dotted(called.node.args[0]) or "", survey) if called.node.args else None
    if isinstance(meaning, Own):
        yield from _of_signature(meaning, "", project)


def _of_signature(own: Own, prefix: str, project: Project) -> Iterator[Option]:
    signature = signature_of(own, project)
    for parameter in signature.parameters if signature is not None else ():
        default, place = parameter.default, parameter.survey.place(parameter.declared.lineno)
        if default is not None:
            place = parameter.survey.place(default.lineno)
        name = f"--{prefix}{parameter.name}"
        value = Unknown("required") if default is None else evaluate(default)
        yield Option(name=name, value=value, place=place, names=tuple(dict.fromkeys((name, _dashed(name)))))


def _dashed(name: str) -> str:
    """Fire and typer take dashes; LightningCLI, whose names have a dot, does not."""
    return name if "." in name else "--" + name[2:].replace("_", "-")


def _is_lightning_cli(called: Called, survey: Survey, project: Project) -> bool:
    path = dotted(called.node.func)
    meaning = project.meaning(path, survey) if path is not None else None
    match meaning:
        case Foreign(path=there):
            return there.endswith("LightningCLI")
        case Own(survey=inside, node=ast.ClassDef(bases=bases)):
            return any("LightningCLI" in (dotted(base) or "") for base in bases) and inside is not None
        case _:
            return False


def _spellings(node: ast.Call) -> tuple[str, ...]:
    """Return the names that begin with a dash, the long ones first."""
    texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return tuple(sorted((text for text in texts if text.startswith("-")), key=lambda text: not text.startswith("--")))


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in node.keywords if keyword.arg == name), None)


def _text(node: ast.Call, name: str) -> str | None:
    value = _keyword(node, name)
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _default(node: ast.Call) -> Value | Unknown:
    value = _keyword(node, "default")
    return Unknown("no default") if value is None else evaluate(value)


def _typed(value: Value | Unknown, kind: ast.expr | None) -> Value | Unknown:
    """Argparse converts a default that is a text, and nothing else."""
    match value, kind:
        case str(), ast.Name(id="int" | "float" as name):
            try:
                return int(value) if name == "int" else float(value)
            except ValueError:
                return value
        case _:
            return value


def _reads_words(program: Program) -> bool:
    modules = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name or "")
        for source in program.sources.values()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return any((module or "").partition(".")[0] in KEY_VALUE_READERS for module in modules)

"""What a source leaves at a library's default: no value stands there that could be searched."""

import ast
from collections.abc import Iterator

from tune.promotion.find.module_scan import dotted_path
from tune.promotion.find.project import LibrarySymbol, project_of
from tune.promotion.find.signatures import parameters_of
from tune.promotion.options.option_reads import may_be_executed
from tune.promotion.program import Program
from tune.promotion.ranking.rank import rank_of_receiver, rank_of_words
from tune.promotion.ranking.spellings import find_other_spellings
from tune.space.dimensions import canonical_name
from tune.space.suggest_range import words_of


def describe_left_default(name: str, program: Program) -> str | None:
    """Return which call of torch's leaves a parameter at its default, and what helps; None where none does."""
    owner, _, last = canonical_name(name.strip("-=")).rpartition(".")
    for parameter in (last, *find_other_spellings(last)):
        is_known = rank_of_words(frozenset(words_of(parameter))) is not None
        for place, callee in _find_calls_without(parameter, program):
            # No value of the others, such as `generator`, is searched
            if owner in ("", callee) and (is_known or rank_of_receiver(callee, parameter) is not None):
                what = f"{place} leaves {parameter} of {callee} at its default"
                return f"{what}: write it there, `{parameter}=...`, to search it"
    return None


def _find_calls_without(parameter: str, program: Program) -> Iterator[tuple[str, str]]:
    """Yield places and callees of calls that could give a parameter of torch's, and do not."""
    project = project_of(program)
    for survey in project.surveys.values():
        for called in survey.calls:
            path = dotted_path(called.node.func)
            match project.resolve_name(path, survey) if path is not None else None:
                case LibrarySymbol(path=there) if there.startswith("torch."):
                    names = parameters_of(there) or ()
                    if parameter not in names or not may_be_executed(called, project):
                        continue
                    if not _may_give(called.node, parameter, names.index(parameter)):
                        yield survey.place_of_line(called.node.lineno), there.rpartition(".")[2]


def _may_give(node: ast.Call, parameter: str, position: int) -> bool:
    is_keyword = any(keyword.arg in (parameter, None) for keyword in node.keywords)
    return is_keyword or len(node.args) > position or any(isinstance(each, ast.Starred) for each in node.args)

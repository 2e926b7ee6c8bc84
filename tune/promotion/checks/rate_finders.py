"""A learning rate that a program looks for by itself, over one that is searched."""

import ast
from collections.abc import Iterator, Sequence

from tune.promotion.checks.program_checks import join_places
from tune.promotion.configs.monitored import SettingsInForce
from tune.promotion.find.project import project_of
from tune.promotion.metric.find_metric import is_left_out
from tune.promotion.program import Program

RATE_FINDERS = frozenset({"LearningRateFinder", "lr_find"})


def rate_finder_warnings(program: Program, args: Sequence[str] = ()) -> tuple[str, ...]:
    """Return a warning of the calls that look for a learning rate; ``args``: the program's command line.

    A call in an arm of a condition that is not executed with the values in force does not count.
    """
    places = list(dict.fromkeys(_find_calls(program, args)))
    told = f"{join_places(places)}: each trial looks for its learning rate, over one that is searched"
    return (told,) if places else ()


def _find_calls(program: Program, args: Sequence[str]) -> Iterator[str]:
    settings = SettingsInForce(program, args)
    for survey in project_of(program).surveys.values():
        for called in survey.calls:
            match called.node.func:
                case ast.Attribute(attr=name) | ast.Name(id=name) if name in RATE_FINDERS:
                    if not is_left_out(called, survey, settings):
                        yield survey.place_of_line(called.node.lineno)

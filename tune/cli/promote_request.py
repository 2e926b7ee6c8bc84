"""What `promote` was asked for: constants, their ranges, and the shape of the program."""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tune.cli.arguments import parse_args_option
from tune.cli.name_words import check_ranges, check_trains
from tune.errors import ConstantError, OptionError, ProgramError
from tune.invocation import join_words, typed_command, without_option
from tune.promotion.configs.hydra_values import refusal_to_compose
from tune.promotion.constant import Constant
from tune.promotion.find.literals import Unknown
from tune.promotion.find_constants import check_known, check_together, find_all, find_constant
from tune.promotion.options.declared_options import find_option, find_options
from tune.promotion.options.option import Option, OptionParser
from tune.promotion.options.option_values import value_in_force
from tune.promotion.options.required_words import find_command, find_unnamed_file
from tune.promotion.program import Program
from tune.promotion.program_kind import shape_of, system_of
from tune.promotion.ranking.complete_name import complete_name
from tune.promotion.ranking.rank_constants import ConstantRanking
from tune.search.schedulers.trial_length import BOUNDS, find_epochs_constant
from tune.space.dimensions import Value, is_int
from tune.space.library_args import parse_trainer_value
from tune.space.range_words import RangeWord, split_range
from tune.space.space import Script, Shape

Held = Constant | Option


UNKNOWN_EPOCHS = 10
"""Written where the program does not say how long it trains."""


NOT_SAID = "the program does not say how long: look at it"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteRequest:
    """What the user wants to search."""

    program: Program
    shape: Shape
    held: dict[str, Held]
    """What each name leads to."""
    written: dict[str, RangeWord]
    """What the user wrote for each name."""
    trainer: dict[str, Value]
    """Arguments of the Trainer that the user gave."""

    @property
    def args(self) -> tuple[str, ...]:
        """The command line of a script."""
        return self.shape.args if isinstance(self.shape, Script) else ()

    @property
    def trial_epochs(self) -> tuple[int, str] | None:
        """How long a trial trains, and why; None where the program says it in a way that the search understands."""
        if "max_epochs" in self.trainer and is_int(self.trainer["max_epochs"]):
            return self.trainer["max_epochs"], "given with --trainer.max_epochs"
        if isinstance(self.shape, Script) or find_epochs_constant(self.program) is not None:
            return None
        if BOUNDS & self.trainer.keys():
            return None
        for constant in find_all(self.program).constants:
            if constant.name == "Trainer.max_epochs" and isinstance(constant.value, int) and constant.value > 0:
                return constant.value, f"as in {constant.where}"
        return UNKNOWN_EPOCHS, NOT_SAID

    @property
    def tells_epochs(self) -> bool:
        """Whether the user or the program says how long a trial trains."""
        return self.trial_epochs is None or self.trial_epochs[1] != NOT_SAID


def build_request(given: argparse.Namespace, program: Program) -> PromoteRequest:
    """Return what the command line asks for; raise ConstantError where a name leads nowhere."""
    if given.args is None and not given.system:
        given.args = find_command(program)
    check_ranges(given.names, program, parse_args_option(given))
    if not (given.script or given.system):
        check_trains(program, given.names)
    line = parse_args_option(given)
    words = [split_range(word) for word in given.names]
    ranking = ConstantRanking(program, args=line)
    names = [complete_name(word.name, program, line, ranking.is_promising) for word in words]
    shape = _choose_shape(given, program, names)
    written: dict[str, RangeWord] = {}
    for name, word in zip(names, words, strict=True):
        if name in written:
            raise ConstantError(None, f"{name!r} stands twice, as {written[name].word} and {word.word}", "Keep one.")
        written[name] = word
    return PromoteRequest(
        program=program,
        shape=shape,
        held=_resolve_names(list(written), program, shape),
        written=written,
        trainer={name: parse_trainer_value(text) for name, text in given.trainer.items()},
    )


def check_files_named(request: PromoteRequest) -> None:
    """Raise OptionError at a value of a config file that an option of the program has to name, and does not.

    Raises ProgramError with hydra's reason where it composes no config, and a value of one is meant.
    """
    hydra = [
        name
        for name, held in request.held.items()
        if isinstance(held, Option) and held.parser is OptionParser.HYDRA and isinstance(held.value, Unknown)
    ]
    if hydra and (refusal := refusal_to_compose(request.program, request.args)) is not None:
        place, _, why = refusal.partition(": ")
        raise ProgramError(
            place, f"{why.partition(': --args ')[0]}; so {hydra[0]} is not known", _suggest_args_of(why, request)
        )
    unnamed = find_unnamed_file(request.program, request.args) if isinstance(request.shape, Script) else None
    for name, held in request.held.items():
        is_of_a_file = isinstance(held, Option) and held.parser is OptionParser.WORDS
        files = unnamed.find_holding(held.dest) if unnamed and is_of_a_file and isinstance(held, Option) else ()
        if unnamed is not None and files:
            args = join_words([*request.args, unnamed.option, files[0]])
            command = join_words([*without_option(shlex.split(typed_command()), "--args"), "--args", args])
            what = f"it stands in {', '.join(files)}, and {unnamed.option} names no file"
            raise OptionError(name, what, f"Write: {command}")


def _suggest_args_of(why: str, request: PromoteRequest) -> str | None:
    """Return the command with the words that a reason of hydra's ends with; None where it has none."""
    said = shlex.split(why.partition(": --args ")[2])[:1]
    if not said:
        return None
    args = join_words([*request.args, *shlex.split(said[0])])
    return f"Write: {join_words([*without_option(shlex.split(typed_command()), '--args'), '--args', args])}"


def _choose_shape(given: argparse.Namespace, program: Program, names: Sequence[str]) -> Shape:
    """Return how the program is run: as the command line says, else as its source tells."""
    args = parse_args_option(given)
    if given.system:
        if given.args is not None:
            what = f"--args: a system has no command line, got {given.args!r}"
            raise OptionError(None, what, "Leave out --system, or --args.")
        option = next(filter(_is_option, names), None)
        if option is not None:
            raise ConstantError(
                None, f"{option!r} is an option, and a system has no command line", "Leave out --system."
            )
        return system_of(program)
    if given.script or given.args is not None or any(map(_is_option, names)):
        return Script(args=args)
    return shape_of(program)


def _is_option(name: str) -> bool:
    return name.startswith("-") or name.endswith("=")


def _resolve_names(names: Sequence[str], program: Program, shape: Shape) -> dict[str, Held]:
    """Return what the names lead to; raise ConstantError where one leads nowhere, or two to one place."""
    constants = find_all(program).constants
    args = shape.args if isinstance(shape, Script) else ()
    options = find_options(program, args)
    in_files = [option for option in options if option.parser is OptionParser.FILE]
    check_known([name for name in names if not _is_option(name)], program, constants, args)
    held: dict[str, Held] = {}
    for name in names:
        found: Held
        if _is_option(name) and (isinstance(shape, Script) or any(name in option.names for option in in_files)):
            found = find_option(name, program, options, "", args)
            value = value_in_force(found, program, args)
            found = found if value == found.value else replace(found, value=value, place="args")
        else:
            found = find_constant(name, program, constants, "", args)
        twin = next((key for key, other in held.items() if other == found), None)
        if twin is not None:
            raise ConstantError(
                None, f"{twin!r} and {name!r} are the same constant, {found.where}", "Give one of them."
            )
        held[name] = found
    check_together([each for each in held.values() if isinstance(each, Constant)], "")
    return held

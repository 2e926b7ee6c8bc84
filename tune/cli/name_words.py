"""The names of constants and options as words of a command line, each perhaps with a range."""

import difflib
import re
import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tune.cli.arguments import TRAINER_PREFIX
from tune.cli.parser import SEARCH_PROGRAM, find_other_spelling
from tune.errors import ConstantError, OptionError, ProgramError, UserError, relative_if_shorter
from tune.invocation import join_words, this_command, typed_command, without_option
from tune.promotion.find_constants import find_all
from tune.promotion.find_programs import find_programs
from tune.promotion.options.declared_options import SIMILAR, find_options
from tune.promotion.program import Program, find_program, suggest_listing
from tune.promotion.program_kind import defines_settings_alone
from tune.space.dimensions import canonical_name
from tune.space.range_words import BETWEEN, COMMA, split_range

LOOK_S = 0.5
"""Seconds in which other programs are looked for."""
MOST_ASKED = 10
"""Programs that are read, to find one that imports another."""

LOOSE_RANGE = re.compile(r"[-+]?\.?\d|[\w.]+(,[\w.]+)+$")
"""A word that is a range, or a choice, and no name."""


def check_trains(program: Program, names: Sequence[str]) -> None:
    """Raise ProgramError at a module of settings; the error names a program that imports it."""
    if not defines_settings_alone(program):
        return
    near = find_programs(program.root, LOOK_S).programs[:MOST_ASKED]
    users = [path for path in near if _imports(path, program.path)]
    what = "it trains nothing: it has no LightningModule, and running it does nothing"
    hint = "Name the program that trains."
    if users:
        command = join_words([relative_if_shorter(users[0]), *names])
        hint = f"Name the program that trains, and imports it: `{this_command()} {command}`."
    raise ProgramError(program.source.name, what, hint)


def _imports(path: Path, module: Path) -> bool:
    """Tell whether the program at ``path`` imports a module of its project."""
    try:
        return any(source.path == module for source in find_program(path).sources.values())
    except UserError:
        return False


def check_ranges(names: Sequence[str], program: Program, args: Sequence[str]) -> None:
    """Raise OptionError at a range that stands apart from its name, and at a name whose range is missing."""
    for before, word in pairwise(names):
        if split_range(before).start is None and LOOSE_RANGE.match(word):
            raise _create_apart_error(before, word, program, args)
    options = {each for option in find_options(program, args) for each in option.names}
    constants = {canonical_name(each) for constant in find_all(program).constants for each in constant.names}
    for word in names:
        name = word.removesuffix("=")
        if name == word or word in options:
            continue
        if not (name.startswith("-") or canonical_name(name) in constants):
            _check_spelling(name, program, args, [*constants, *(each.rstrip("=") for each in options)])
            continue
        hint = f"Write {name}=LOW..HIGH, or {name} alone for a suggested range."
        marks = f"{word}\n  {' ' * len(word)}^\n  {hint}"
        raise OptionError(name, "a range is missing behind the equals sign", marks)


def _create_apart_error(before: str, word: str, program: Program, args: Sequence[str]) -> OptionError:
    """Return the error of a value that stands apart from its name, with the command that says what may be meant."""
    name, typed = before.rstrip("="), shlex.split(typed_command())
    what = f"a range stands behind an equals sign, got {word!r} as a word of its own"
    place = next((place for place, pair in enumerate(pairwise(typed)) if pair == (before, word)), None)
    if place is None or not before.startswith("--"):
        return OptionError(name, what, f"Write {name}={word}.")
    rest = [*typed[:place], *typed[place + 2 :]]
    if not any(before in option.names for option in find_options(program, args)) and "." not in before:
        return _create_unknown_error(before, word, rest)
    hint = f"Write, to search it: {join_words([*typed[:place], f'{name}={word}', *typed[place + 2 :]])}"
    if BETWEEN not in word and COMMA not in word:
        given = join_words([*without_option(rest, "--args"), "--args", join_words([*args, before, word])])
        hint = f"{hint}\n  or, to give the program that value: {given}"
    return OptionError(name, what, hint)


def _create_unknown_error(option: str, word: str, rest: Sequence[str]) -> OptionError:
    """Return the error of an option with a value that the program does not have; ``rest``: what else was typed."""
    from tune.cli.command_parsers import build_parser  # it imports the commands' parsers, and one of them this module

    ours = [text for text in build_parser(SEARCH_PROGRAM).option_spellings if text.startswith("--")]
    near = difflib.get_close_matches(option, ours, n=1, cutoff=SIMILAR)
    meant = find_other_spelling(option, ours) or next(iter(near), None)
    if meant is None:
        return OptionError(None, f"no such option: {option!r}", f"Leave it out: {join_words(rest)}")
    if meant.startswith(TRAINER_PREFIX):
        return OptionError(None, f"no such option: {option!r}", f"Write: {join_words([*rest, meant, word])}")
    what = f"{option} is an option of the search, and this command writes a file for one"
    return OptionError(None, what, f"Give it to the search: {this_command()} --space FILE {meant} {word}")


def _check_spelling(name: str, program: Program, args: Sequence[str], known: Sequence[str]) -> None:
    """Raise ConstantError at a ``name=`` that is nearly a known one; others may be taken, which no source names."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=SIMILAR)
    if near:
        what = f"{name!r} is not a constant of {program.source.name}"
        raise ConstantError(None, what, f"Did you mean {near[0]!r}?  {suggest_listing(program, args)}")

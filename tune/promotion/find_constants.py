"""Find the hyperparameters that a program hardcodes, without importing it.

A constant is a name and one or more sites. A site is an expression in a file, known by its span: promotion executes
another value in its place, `apply` writes another literal over it, and nothing else of the program is touched.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from tune.errors import ConstantError, did_you_mean, relative_if_shorter
from tune.gc_control import collector_paused, deep_recursion
from tune.invocation import join_words
from tune.promotion.checks.left_defaults import describe_left_default
from tune.promotion.checks.outside_modules import check_not_outside
from tune.promotion.checks.settings_readers import describe_settings_reader
from tune.promotion.checks.unread_fields import correct_reads_of_fields
from tune.promotion.configs.hydra_values import refusal_to_compose
from tune.promotion.constant import Constant, ConstantScan, Site, UnnamedLiteral, UnsupportedConstant
from tune.promotion.find.arguments import find_arguments, find_calls
from tune.promotion.find.containers import find_fields, find_returned_entries
from tune.promotion.find.local_variables import local_variables, method_defaults
from tune.promotion.find.parameters import find_parameters
from tune.promotion.find.project import Project, Variable, project_of
from tune.promotion.find.usages import ConstantReads, NamespaceAssignments
from tune.promotion.find.value_flow import add_holders, find_value_flows
from tune.promotion.find.variables import COMPUTED_FROM, find_attributes, find_variables
from tune.promotion.options.declared_options import find_options
from tune.promotion.options.required_words import describe_hidden_options, describe_positional, describe_unnamed_file
from tune.promotion.program import Program, suggest_listing
from tune.promotion.ranking.spellings import find_other_spellings
from tune.space.dimensions import canonical_name

INIT_ARGS = "init_args"
"""A key of LightningCLI's that nobody has to write: `optimizer.lr` is `optimizer.init_args.lr`."""
MOST_MEANT = 3
"""Constants that an error names in the place of one that is not there."""


def find_constants(program: Program) -> tuple[Constant, ...]:
    """Return every constant of the program and of the project modules that it reaches, in the order of the files."""
    return find_all(program).constants


def find_all(program: Program) -> ConstantScan:
    """Return the constants, and also what looks like one and is refused."""
    project = project_of(program)
    with collector_paused():
        return _scan_project(project)


def find_constant(
    name: str, program: Program, constants: tuple[Constant, ...], where: str, args: Sequence[str] = ()
) -> Constant:
    """Return the one constant that ``name`` leads to; raise ConstantError, which starts with ``where``.

    ``args``: the command line of the program, whose config files hold options that the error may name.
    """
    match find_candidates(name, program, constants):
        case [Constant() as constant]:
            return constant
        case [UnsupportedConstant() as refusal]:
            raise ConstantError(where, f"{name!r} {refusal.what}", _hint_of_refusal(refusal, constants, program))
        case []:
            _refuse_nameless(name, canonical_name(name), find_all(program), where)
            check_not_outside(name, program, where)
            options = [option.name for option in find_options(program, args)]
            ends = [each for each in options if list_words(each)[-1:] == list_words(name)]  # constants may take these
            ends = ends or [
                each for each in shortest_names(program).values() if list_words(each)[-1:] == list_words(name)
            ]
            what = "is not a constant" if len(ends) < 2 else f"is the end of {len(ends)} names"
            hint = _build_hint([name], constants, program, args)
            raise ConstantError(where, f"{name!r} {what} of {program.source.name}", hint)
        case several:
            ways = ", ".join(_describe_candidate(each, several) for each in several)
            what = f"{name!r} is the name of {len(several)} constants"
            raise ConstantError(where, what, f"Write the one you mean: {ways}.")


def check_known(names: Iterable[str], program: Program, constants: tuple[Constant, ...], args: Sequence[str]) -> None:
    """Raise one ConstantError for all names that lead nowhere: who writes ``lr`` writes ``batch_size`` too."""
    unknown = [name for name in names if not find_candidates(name, program, constants)]
    for name in unknown:
        _refuse_nameless(name, canonical_name(name), find_all(program), "")
        check_not_outside(name, program, "")
    if len(unknown) > 1:
        what = f"{', '.join(map(repr, unknown))} are no constants of {program.source.name}"
        raise ConstantError(None, what, _build_hint(unknown, constants, program, args))


def find_candidates(
    name: str, program: Program, constants: tuple[Constant, ...]
) -> list[Constant | UnsupportedConstant]:
    """Return all that a name may lead to, also what is refused."""
    wanted = canonical_name(name)
    matches = [constant for constant in constants if _is_called(constant, wanted)]
    refused = [refusal for refusal in find_all(program).refusals if _is_called(refusal, wanted)]
    return _select_nearest(wanted, [*matches, *refused], project_of(program))


def shortest_names(program: Program) -> dict[Constant, str]:
    """Return each constant's shortest name that leads to it and to nothing else, in the order of the files."""
    project, findings = project_of(program), find_all(program)
    called: dict[str, list[Constant | UnsupportedConstant]] = {}
    every: list[Constant | UnsupportedConstant] = [*findings.constants, *findings.refusals]
    for each in every:
        for name in {canonical_name(name) for name in each.names}:
            called.setdefault(name, []).append(each)

    meant = {name: _select_nearest(name, found, project) for name, found in called.items()}
    return {
        constant: next(
            (name for name in constant.names if meant[canonical_name(name)] == [constant]), constant.names[-1]
        )
        for constant in findings.constants
    }


def check_together(constants: Iterable[Constant], where: str) -> None:
    """Raise ConstantError where one constant's expression lies in another's: ``CFG`` and ``CFG['lr']``."""
    for one, other in itertools.combinations(constants, 2):
        for mine, theirs in itertools.product(one.sites, other.sites):
            if (
                mine.source == theirs.source
                and mine.span.is_overlapping(theirs.span)
                and not _is_set_apart(mine, theirs)
            ):
                what = f"{one.name!r} and {other.name!r} are written in one expression: {mine}"
                raise ConstantError(where, what, "Search one of them; the other would not be in force.")


@lru_cache(maxsize=2)
def _scan_project(project: Project) -> ConstantScan:
    with deep_recursion():
        return _scan_constants(project)


def _scan_constants(project: Project) -> ConstantScan:
    reads, overwrites = ConstantReads(project), NamespaceAssignments(project)
    found_calls = list(find_calls(project))
    parameters = list(find_parameters(found_calls, project, reads))
    returned = list(find_returned_entries(project, reads))
    entries = {each.sites for each in (*parameters, *returned) if isinstance(each, Constant)}
    found = [
        *find_variables(project, reads, overwrites),
        *find_fields(project, reads, overwrites),
        *find_attributes(project, reads),
        *local_variables(project),
        *returned,
        *method_defaults(project),
        *parameters,
        # `Net.optimizer['lr']` of `optimizer=dict(lr=1e-3)` is no `dict.lr` too
        *(each for each in find_arguments(found_calls, project) if getattr(each, "sites", None) not in entries),
    ]
    order = {name: number for number, name in enumerate(project.surveys)}
    constants = [each for each in found if isinstance(each, Constant)]
    constants.sort(key=lambda each: (order[each.sites[0].source], each.sites[0].span))
    read = list(correct_reads_of_fields(constants, project))
    refusals = [each for each in found if isinstance(each, UnsupportedConstant)]
    return ConstantScan(
        tuple(add_holders(_add_place_to_shared_names(read, refusals), project.surveys.values())),
        tuple(refusals),
        tuple(each for each in found if isinstance(each, UnnamedLiteral)),
        find_value_flows(found_calls, project.surveys.values()),
    )


def _add_place_to_shared_names(constants: list[Constant], refusals: list[UnsupportedConstant]) -> Iterator[Constant]:
    """Yield the constants; of those that share all their names each gets its place: ``Net.width@3``.

    A parameter, an attribute and a field of one class may have one name.
    """
    every: list[Constant | UnsupportedConstant] = [*constants, *refusals]
    counts = Counter(each.names[-1] for each in every)
    lines = Counter((each.names[-1], each.sites[0].span.line) for each in constants if counts[each.names[-1]] > 1)
    for each in constants:
        if counts[each.names[-1]] == 1:
            yield each
            continue
        span = each.sites[0].span
        column = f":{span.column + 1}" if lines[each.names[-1], span.line] > 1 else ""
        yield replace(each, names=(*each.names, *(f"{name}@{span.line}{column}" for name in each.names)))


def _is_called(found: Constant | UnsupportedConstant, wanted: str) -> bool:
    return any(canonical_name(name) == wanted for name in found.names)


def _source_of(found: Constant | UnsupportedConstant) -> str:
    return found.sites[0].source if isinstance(found, Constant) else found.source


def _select_nearest(
    wanted: str, found: list[Constant | UnsupportedConstant], project: Project
) -> list[Constant | UnsupportedConstant]:
    """Return the program's own first, then what it imports under this name, else all."""
    own = [each for each in found if _source_of(each) == project.main.source.name]
    if own or len(found) <= 1:
        return own or found
    match project.resolve_name(wanted, project.main):
        case Variable(survey=survey):
            return [each for each in found if _source_of(each) == survey.source.name] or found
        case _:
            return found


def _is_set_apart(mine: Site, theirs: Site) -> bool:
    """Two targets of one chained assignment are set apart when it is executed."""
    return mine.span == theirs.span and mine.target != theirs.target and None not in (mine.target, theirs.target)


def _describe_candidate(found: Constant | UnsupportedConstant, several: list[Constant | UnsupportedConstant]) -> str:
    """Return the shortest name that only one of several has, and its place."""
    others = {name for each in several if each is not found for name in each.names}
    name = next((name for name in found.names if name not in others), found.names[-1])
    return f"{name} ({found.where})" if isinstance(found, Constant) else f"{name} ({found.source})"


def _refuse_nameless(name: str, wanted: str, findings: ConstantScan, where: str) -> None:
    callee, _, parameter = wanted.partition("@")[0].rpartition(".")
    for each in findings.nameless:
        if each.callee == callee:
            what = (
                f"{name!r}: {each.callee} takes {each.text} by position, and its parameters are not known: {each.place}"
            )
            raise ConstantError(where, what, f"Write `{parameter}={each.text}` in that call, if it is meant.")


def _hint_of_refusal(refusal: UnsupportedConstant, constants: tuple[Constant, ...], program: Program) -> str:
    """Return what to do, with the names of what a computed value is made of."""
    made_of = find_made_of(refusal, constants)
    if not made_of or not refusal.hint.startswith(COMPUTED_FROM):
        return refusal.hint
    names = shortest_names(program)
    return f"{COMPUTED_FROM}: {', '.join(names[each] for each in made_of)}."


def find_made_of(refusal: UnsupportedConstant, constants: Iterable[Constant]) -> list[Constant]:
    """Return the literals that the functions take which make a computed value."""
    own = canonical_name(refusal.names[0]).rpartition(".")[2]
    return [each for each in constants if each.holder == own and each.sites[0].source == refusal.source]


def _build_hint(unknown: Sequence[str], constants: tuple[Constant, ...], program: Program, args: Sequence[str]) -> str:
    listing = suggest_listing(program, args)
    meant = [" or ".join(near) for name in unknown if (near := _find_meant(name, constants, program, args))]
    hint = f"Did you mean {', '.join(meant)}?  {listing}" if meant else listing
    refusal = refusal_to_compose(program, args)
    if refusal is not None:  # the names are perhaps those of its values
        return f"{refusal}.\n  {hint}"
    if (positional := describe_positional(unknown, program)) is not None:
        return f"{positional}  {listing}"
    left = [each for name in unknown if (each := describe_left_default(name, program)) is not None]
    if left and not meant:
        return f"{'; '.join(left)}.\n  {listing}"
    is_option = any("'-" in each for each in meant)
    if not is_option and (unnamed := describe_unnamed_file(unknown, program, args)) is not None:
        return f"{unnamed}  {listing}"

    if (reader := describe_settings_reader(program)) is not None:
        return f"{hint}\n  {reader}."
    hidden = None if args else describe_hidden_options(program, join_words([relative_if_shorter(program.path)]))
    return hint if hidden is None else f"{hidden[0].upper()}{hidden[1:]}."


def _find_meant(name: str, constants: tuple[Constant, ...], program: Program, args: Sequence[str]) -> list[str]:
    """Return what a name that leads nowhere may mean: ``Adam.lr`` or ``--model.lr`` for ``lr``; else what is near.

    A constant is described by its value and place. Where options fit, the constants may be what takes their values.
    """
    options = {option.name: repr(option.name) for option in find_options(program, args)}
    shortest = shortest_names(program)
    held: dict[str, str] = {}
    for each in constants:
        for way in each.names:
            held.setdefault(way, _describe_near(shortest[each], each, program))
    known = {**held, **options}
    near = did_you_mean(name, known) if "." in name else None
    fitting = [near] if near is not None else _select_by_last_word(last_word_of(name), options, held)
    for other in find_other_spellings(name) if not fitting else ():
        fitting += _select_by_last_word(other, options, held)
    if not fitting:
        plain = [way for way in known if "." not in canonical_name(way)]
        near = did_you_mean(name, [*plain, *map(last_word_of, known)])
        fitting = [near] if near in known else _select_by_last_word(near, options, held)
    return list(dict.fromkeys(known[way] for way in fitting))[:MOST_MEANT]


def _select_by_last_word(word: str | None, options: Iterable[str], held: Iterable[str]) -> list[str]:
    return [way for way in options if last_word_of(way) == word] or [way for way in held if last_word_of(way) == word]


def last_word_of(name: str) -> str:
    """Return ``lr`` of ``Adam.lr@42``, of ``--model.lr``, of ``optimizer.lr=`` and of ``LR``."""
    return list_words(name)[-1]


def list_words(name: str) -> list[str]:
    """Return ``model, lr`` of ``Model.lr@42``, of ``--model.lr`` and of ``MODEL['lr']``."""
    plain = canonical_name(name).partition("@")[0].strip("-=").replace("-", "_")
    return [word for word in plain.casefold().split(".") if word != INIT_ARGS] or [plain]


def _describe_near(name: str, constant: Constant, program: Program) -> str:
    place = constant.sites[0]
    line = f"line {place.span.line}" if place.source == program.source.name else str(place)
    return f"{name!r} ({constant.value!r}, {line})"

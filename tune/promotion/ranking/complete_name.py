"""A name that is shorter than it has to be: ``lr`` for ``--lr``, ``main.lr`` or ``optimizer.lr=``."""

import re
from collections.abc import Callable, Mapping, Sequence

from tune.promotion.configs.read_files import mentions_section
from tune.promotion.constant import Constant, UnsupportedConstant
from tune.promotion.find.literals import Unknown
from tune.promotion.find.variables import COMPUTED_FROM
from tune.promotion.find_constants import (
    find_all,
    find_candidates,
    find_constants,
    find_made_of,
    last_word_of,
    list_words,
    shortest_names,
)
from tune.promotion.options.declared_options import find_options
from tune.promotion.options.option_reads import NAMESPACES
from tune.promotion.program import Program
from tune.promotion.ranking.rank import rank_of_words
from tune.promotion.ranking.spellings import find_other_spellings
from tune.promotion.source_edit import SourceText
from tune.space.dimensions import canonical_name
from tune.space.suggest_range import words_of

PATH = re.compile(r"\w+(\.\w+)+")
"""``cfg.learning_rate``: what a config or an object holds."""
COMPUTED = re.compile(r"is computed: ([\w.\[\]'\"]+) \(([^)]*)\)")
"""Tells what a value is read from that nothing else changes, and where: ``args.lr``, ``train.py:3``."""


def complete_name(
    name: str, program: Program, args: Sequence[str], is_promising: Callable[[Constant], bool] = lambda _: True
) -> str:
    """Return the only name that ends as a shorter one does: ``--lr``, ``main.lr`` or ``optimizer.lr=`` for ``lr``.

    Where options do, constants do not count: these may be what takes an option's value. Of several constants the only
    promising one is meant: the batch size of the loader that trains. A name that leads somewhere itself, and one that
    may mean several things or something that is refused, is returned as it is; of a computed value what alone it is
    made of: ``--lr`` of ``lr = args.lr``. A parameter that takes the value of a file under the same name means that
    one: ``train.lr=``. Where nothing has the name, ``lr`` is what alone is called by another usual name of the same
    hyperparameter: ``learning_rate``.
    """
    if name.startswith("-") or name.endswith("="):
        return name
    completed = _complete_spelling(name, program, args, is_promising)
    if completed != name or _is_name_of_any(name, program, args):
        return completed
    others = [each for each in find_other_spellings(name) if _is_name_of_any(each, program, args)]
    return _complete_spelling(others[0], program, args, is_promising) if len(others) == 1 else name


def _is_name_of_any(name: str, program: Program, args: Sequence[str]) -> bool:
    """Tell whether an option, a constant, or what cannot be searched ends so."""
    wanted = list_words(name)
    n = len(wanted)
    findings = find_all(program)
    names = [way for option in find_options(program, args) for way in option.names]
    names += [way for constant in findings.constants for way in constant.names]
    names += [way for refusal in findings.refusals for way in refusal.names]
    return any(list_words(way)[-n:] == wanted for way in names)


def _complete_spelling(
    name: str, program: Program, args: Sequence[str], is_promising: Callable[[Constant], bool]
) -> str:
    if known := find_candidates(name, program, find_constants(program)):
        chosen = [each for each in known if isinstance(each, Constant) and is_promising(each)]
        if len(chosen) == 1 < len(known) and not any(isinstance(each, UnsupportedConstant) for each in known):
            return shortest_names(program)[chosen[0]]
        origin = _find_source_of_computed(known, program, args)
        is_own = isinstance(known[0], Constant) and f"{canonical_name(name)}=" != origin  # it can be searched itself
        return name if origin is None or is_own else origin
    wanted = list_words(name)
    options = find_options(program, args)
    read = [option for option in options if option.is_read]
    if dests := _select_by_last_words(wanted, {way: option.dest for option in read for way in option.names}):
        reached = {
            each.dest
            for each in read
            if each.dest in dests and (each.config is None or mentions_section(program, each.config))
        }
        dests = reached or dests  # of `train.lr` and `test.lr` the one whose section the program reads
        # LightningCLI's `--model.lr` and `model.lr=` of its file are one setting, and the file tells its value
        same = sorted(
            (each for each in options if each.dest in dests), key=lambda each: isinstance(each.value, Unknown)
        )
        found = {same[0].name} if len(dests) == 1 else set[str]()
    elif _select_by_last_words(wanted, _list_names_of_others(wanted[-1], program)):
        found = set()
    else:
        n = len(wanted)
        named = {
            short: each
            for each, short in shortest_names(program).items()
            if any(list_words(way)[-n:] == wanted for way in each.names) and not _passes_on(each, wanted[-1], program)
        }
        named = {short: each for short, each in named.items() if each.reads} or named
        is_kind = rank_of_words(frozenset(words_of(name))) is not None  # `seed` is never promising, and may be meant
        named = {each: held for each, held in named.items() if (len(named) == 1 and not is_kind) or is_promising(held)}
        found = {_find_source_of_computed([each], program, args) or short for short, each in named.items()}
    return found.pop() if len(found) == 1 else name


def _find_source_of_computed(
    known: Sequence[Constant | UnsupportedConstant], program: Program, args: Sequence[str]
) -> str | None:
    """Return the name of the one option, or the one literal, that a computed value takes; None where none is told."""
    match known:
        case [UnsupportedConstant() as refusal] if refusal.hint.startswith(COMPUTED_FROM):
            read = COMPUTED.match(refusal.what)
            own = list_words(refusal.names[0])[-1:]
            if read is not None and list_words(read[1])[-1:] == own:
                names = {
                    each.dest: each.name for each in find_options(program, args) if list_words(each.dest)[-1:] == own
                }
                if len(names) == 1:
                    return next(iter(names.values()))
            made_of = find_made_of(refusal, find_constants(program))
            return shortest_names(program)[made_of[0]] if len(made_of) == 1 else None
        case [Constant(value=Unknown(text=text))]:
            return _find_setting(canonical_name(text), program, args)
        case _:
            return None


def _find_setting(path: str, program: Program, args: Sequence[str]) -> str | None:
    """Return the option, value of a file, or field that ``args.lr``, ``params.train.lr`` or ``cfg.lr`` reads."""
    holder, _, rest = path.partition(".")
    if not PATH.fullmatch(path):
        return None
    options = [each.name for each in find_options(program, args) if each.dest == rest and holder in NAMESPACES]
    if options:
        return options[0] if len(options) == 1 else None
    fields = {
        name
        for each, name in shortest_names(program).items()
        if each.name.partition("@")[0].rpartition(".")[2] == rest and _is_object_of(holder, each, program)
    }
    return fields.pop() if len(fields) == 1 else None


def _is_object_of(holder: str, field: Constant, program: Program) -> bool:
    """Tell whether a source declares a name as an object of what a field lies in: ``cfg = CFG()``, ``cfg: CFG``."""
    owner = re.escape(field.name.rpartition(".")[0])
    declared = re.compile(rf"\b{re.escape(holder)} *(: *{owner}\b|= *{owner}\()".encode())
    return bool(owner) and any(declared.search(source.raw) for source in program.sources.values())


def _list_names_of_others(word: str, program: Program) -> dict[str, str]:
    """Return the names of what cannot be searched, but for what takes a value of the same name from elsewhere."""
    findings = find_all(program)
    constants = {canonical_name(each.name).partition("@")[0] for each in findings.constants}
    found: dict[str, str] = {}
    for each in findings.refusals:
        read = COMPUTED.match(each.what)
        is_passed = read is not None and last_word_of(read[1]) == word and _is_known(read[1], read[2], program)
        if not is_passed and constants.isdisjoint(map(canonical_name, each.names)):
            found |= {way: way for way in each.names}
    return found


def _is_known(text: str, place: str, program: Program) -> bool:
    """Tell whether what an expression reads at a place is a constant, or a setting, and no unknown object's."""
    path = canonical_name(text)
    if not path.isidentifier():
        return _find_setting(path, program, ()) is not None
    return any(place in each.reads and last_word_of(each.name) == path for each in find_constants(program))


def _passes_on(constant: Constant, word: str, program: Program) -> bool:
    """Tell whether a constant takes what another one of its name holds: ``Data(batch_size=CFG["batch_size"])``."""
    texts = (SourceText(program.sources[site.source]).snippet_of(site.span) for site in constant.sites)
    return any(last_word_of(text) == word for text in texts)


def _select_by_last_words(wanted: Sequence[str], held: Mapping[str, str]) -> set[str]:
    """Return what is held by names that are the same but for their spelling; else by those that end so."""
    words = {way: list_words(way) for way in held}
    return {held[way] for way in held if words[way] == wanted} or {
        held[way] for way in held if words[way][-len(wanted) :] == wanted
    }

"""``promotune constants PROGRAM``: what a program hardcodes, and how to name it."""

import argparse
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len, set_cell_size

from tune.cli.arguments import join_program, parse_args_option
from tune.cli.terminal.screen import Screen
from tune.cli.terminal.streams import LONGEST_CELL, make_printable_line
from tune.invocation import join_words, this_command
from tune.promotion.checks.outside_modules import find_outside_modules, outside_warnings
from tune.promotion.configs.hydra_values import refusal_to_compose
from tune.promotion.constant import Constant, ConstantScan, UnsupportedConstant
from tune.promotion.find.literals import Unknown
from tune.promotion.find_constants import find_all, shortest_names
from tune.promotion.options.declared_options import find_options
from tune.promotion.options.option import Option, OptionParser
from tune.promotion.options.option_values import option_in_force
from tune.promotion.options.required_words import describe_hidden_options, find_unnamed_file
from tune.promotion.program import Program, find_program
from tune.promotion.ranking.rank import Rank
from tune.promotion.ranking.rank_constants import ConstantRanking, is_never_read
from tune.space.dimensions import Value

N_PLACES = 2
"""Reading places that a row shows; `--json` has them all."""

N_NAMES = 2
"""Constants of a first search that is proposed."""

LONGEST_VALUE = 36
"""Characters of a value that a row shows."""

NEVER_READ = "never read"

GAP = "  "  # between two columns
LINE_WIDTH = 5  # characters of a line's number
LEAST_VALUE = 8  # characters of a value that a narrow terminal shows


ConstantOrOption = Constant | Option


@dataclass(frozen=True, slots=True)
class ConstantRow:
    """A constant or an option, as people read it."""

    name: str
    value: str
    where: str
    """``file:line``."""
    form: str
    reads: str

    @property
    def file_name(self) -> str:
        """Where it stands, without the line."""
        return self.where.rpartition(":")[0]

    @property
    def line_number(self) -> str:
        """Where it stands in its file."""
        return self.where.rpartition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All that a program holds."""

    program: Program
    names: dict[Constant, str]
    """Each constant by its shortest name, in the order of the files."""
    findings: ConstantScan
    options: tuple[Option, ...]
    ranking: ConstantRanking
    args: tuple[str, ...]
    """What the program is given on its command line."""

    @property
    def ranked_constants(self) -> list[ConstantOrOption]:
        """All of them: the promising ones first, then what is never read of their kinds, then the rest.

        The options that a program declares come before the many numbers of its layers.
        """
        every: list[ConstantOrOption] = [*self.names, *self.options]
        ranked = [(self.ranking.rank_of(held), held) for held in every]
        first = [
            (*self._tell_doubts(held), _is_behind_options(held, rank), rank, isinstance(held, Constant), number)
            for number, (rank, held) in enumerate(ranked)
            if rank is not None
        ]
        return [*(every[number] for *_, number in sorted(first)), *(held for rank, held in ranked if rank is None)]

    def _tell_doubts(self, held: ConstantOrOption) -> tuple[bool, bool]:
        """Tell whether nothing reads it, and whether no metric judges it."""
        return is_never_read(held), not self.ranking.is_judged(held)


def _is_behind_options(held: ConstantOrOption, rank: Rank) -> bool:
    """Tell the length of a training, and a constant that is neither a learning rate nor a batch size."""
    return rank >= Rank.EPOCHS or (isinstance(held, Constant) and rank > Rank.BATCH_SIZE)


def run(given: argparse.Namespace) -> int:
    """Print what the program holds."""
    args = parse_args_option(given)
    listing = read_listing(find_program(Path(given.program)), args)
    screen = Screen()
    if given.json:
        screen.print_json(listing_to_json(listing))
    elif given.refused:
        show_refused(screen, listing.findings)
    else:
        show_listing(screen, listing, join_program(given.program, given.args), every=given.all)
    return 0


def read_listing(program: Program, args: Sequence[str] = ()) -> Listing:
    """Return all that a program holds; ``args``: what it is given on its command line."""
    options = tuple(option_in_force(option, program, args, "--args") for option in find_options(program, args))
    return Listing(
        program=program,
        names=shortest_names(program),
        findings=find_all(program),
        options=options,
        ranking=ConstantRanking(program, options, args),
        args=tuple(args),
    )


@dataclass(frozen=True, slots=True)
class Promising:
    """A constant or an option that is worth a search."""

    name: str
    value: Value | Unknown
    rank: Rank


def find_promising(program: Program, args: Sequence[str] = ()) -> Iterator[Promising]:
    """Yield what is worth a search, the most promising first; ``args``: what the program is given."""
    yield from _promising_of(read_listing(program, args))


def _promising_of(listing: Listing) -> Iterator[Promising]:
    for held in listing.ranked_constants:
        rank = listing.ranking.rank_of(held)
        if rank is not None and listing.ranking.is_promising(held):
            yield Promising(listing.names[held] if isinstance(held, Constant) else held.name, held.value, rank)


def choose_names(found: Iterable[Promising]) -> list[str]:
    """Return the names of a first search: the best of two kinds, as a learning rate and a batch size."""
    kinds: dict[Rank, str] = {}
    for each in found:
        kinds.setdefault(each.rank, each.name)
    return [*kinds.values()][:N_NAMES]


def show_listing(screen: Screen, listing: Listing, written: str, *, every: bool) -> None:
    """Print a table, then what is worth a word; ``written`` is the program as the user named it, with its words.

    Without ``every`` the table has what is promising, and the rest where nothing is.
    """
    ordered = listing.ranked_constants
    promising = [held for held in ordered if listing.ranking.rank_of(held) is not None]
    shown = ordered if every or not promising else promising
    rows = make_rows(listing, shown)
    if rows:
        (show_sections if screen.is_terminal else show_lines)(screen, rows)
    else:
        screen.print_line(f"{listing.program.source.name} hardcodes nothing that can be searched")
    constants = (held for held in shown if isinstance(held, Constant))
    warnings = [
        f"{constant.where}: {listing.names[constant]}: {warning}"
        for constant in constants
        for warning in constant.warnings
    ]
    warnings += outside_warnings(listing.program)
    refusal = refusal_to_compose(listing.program, listing.args)
    warnings += [] if refusal is None else [refusal]
    hidden = None if listing.args else describe_hidden_options(listing.program, written)
    warnings += [] if hidden is None else [hidden]
    warnings += _tell_unnamed_file(listing, written)
    if warnings:
        screen.print_line()
    for warning in warnings:
        screen.print_prose(warning, style="yellow")
    n_behind, n_refused = len(ordered) - len(shown), len(listing.findings.refusals) + len(listing.findings.nameless)
    command = f"{this_command()} constants {written}"
    if n_behind or n_refused:
        screen.print_line()
    if n_behind:
        is_, them = ("is", "it") if n_behind == 1 else ("are", "them")
        screen.print_prose(f"{n_behind} more {is_} less promising; {command} --all lists {them} too", style="dim")
    if n_refused:
        screen.print_prose(f"{n_refused} more cannot be searched by name; {command} --refused says why", style="dim")
    names = choose_names(_promising_of(listing))
    if screen.is_terminal and names:
        screen.print_line()
        screen.print_line(f"next: {this_command()} {written} {join_words(names)}")


def _tell_unnamed_file(listing: Listing, written: str) -> Iterator[str]:
    """Yield what lists the values of a config file, where the command line has to name it and does not."""
    unnamed = None if listing.args else find_unnamed_file(listing.program, (), listing.options)
    if unnamed is None or any(option.parser is OptionParser.FILE for option in listing.options):
        return
    words = join_words(["--args", f"{unnamed.option} {join_words([next(iter(unnamed.files), 'FILE')])}"])
    command = f"{this_command()} constants {written} {words}"
    yield f"{unnamed.option} may name a file that holds values: `{command}` lists them too"


def show_refused(screen: Screen, findings: ConstantScan) -> None:
    """Print every name that looks like a constant and is none, and what to do about it."""
    for refusal in findings.refusals:
        screen.print_line(f"{refusal.names[0]} {refusal.what}{_describe_place(refusal)}")
        screen.print_line(f"  {refusal.hint}", style="dim")
    for each in findings.nameless:
        screen.print_line(
            f"{each.callee} takes {each.text} by position, and its parameters are not known: {each.place}"
        )
        screen.print_line("  Write it as a keyword, if it is meant.", style="dim")
    if not findings.refusals and not findings.nameless:
        screen.print_line("nothing is refused")


def show_lines(screen: Screen, rows: Sequence[ConstantRow]) -> None:
    """Print for a file or a pipe: one line a row, and every row with its file."""
    cells = [(row.name, row.value, row.where, row.form, row.reads) for row in rows]
    screen.print_lines(align_columns([("constant", "value", "where", "form", "read in line"), *cells]))


def show_sections(screen: Screen, rows: Sequence[ConstantRow]) -> None:
    """Print for a terminal: a section for each file; values give way where it is narrow."""
    files = list(dict.fromkeys(row.file_name for row in rows))
    rows = sorted(rows, key=lambda row: files.index(row.file_name))
    texts = [("constant", "form", "read in line"), *((row.name, row.form, row.reads) for row in rows)]
    beside = sum(max(map(cell_len, column)) for column in zip(*texts, strict=True))
    n_value = max(LEAST_VALUE, screen.width - beside - LINE_WIDTH - 4 * len(GAP))
    cells = [
        (row.name, _shorten_text(row.value, n_value), f"{row.line_number:>{LINE_WIDTH}}", row.form, row.reads)
        for row in rows
    ]
    header, *lines = align_columns([("constant", "value", "line", "form", "read in line"), *cells])
    screen.print_line(header, style="bold")
    for number, (file, held) in enumerate(
        itertools.groupby(zip(rows, lines, strict=True), lambda pair: pair[0].file_name)
    ):
        if number:
            screen.print_line()
        screen.print_line(file, style="dim")
        screen.print_lines(line for _, line in held)


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line a row, each column as wide as its widest cell."""
    rows = [[make_printable_line(cell, LONGEST_CELL) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return [GAP.join(map(set_cell_size, row, widths)).rstrip() for row in rows]


def listing_to_json(listing: Listing) -> dict[str, object]:
    """Return what `--json` prints; docs/reference/json.md has the fields."""
    findings = listing.findings
    return {
        "program": listing.program.source.name,
        "root": str(listing.program.root),
        "outside": [
            {"name": each.name, "file": str(each.path), "where": each.place}
            for each in find_outside_modules(listing.program)
        ],
        "constants": [
            {**_constant_fields(name, constant), "promising": listing.ranking.is_promising(constant)}
            for constant, name in listing.names.items()
        ],
        "options": [
            {**_option_fields(option), "promising": listing.ranking.is_promising(option)} for option in listing.options
        ],
        "refused": [
            {"names": each.names, "file": each.source, "reason": each.what, "hint": each.hint}
            for each in findings.refusals
        ],
        "nameless": [{"callee": each.callee, "literal": each.text, "where": each.place} for each in findings.nameless],
    }


def _constant_fields(name: str, constant: Constant) -> dict[str, object]:
    return {
        "name": name,
        "names": constant.names,
        **_value_fields(constant.value),
        "where": constant.where,
        "sites": [
            {
                "file": site.source,
                "line": site.span.line,
                "column": site.span.column + 1,
                "end_line": site.span.end_line,
                "end_column": site.span.end_column + 1,
            }
            for site in constant.sites
        ],
        "form": constant.form.value,
        "reads": constant.reads,
        "warnings": constant.warnings,
    }


def _option_fields(option: Option) -> dict[str, object]:
    return {
        "name": option.name,
        "names": option.names,
        **_value_fields(option.value),
        "where": option.place,
        "is_flag": option.is_flag,
    }


def _value_fields(value: Value | Unknown) -> dict[str, object]:
    if isinstance(value, Unknown):
        return {"value": None, "type": None, "text": value.text}
    finite = {"nan", "inf"}.isdisjoint(re.findall(r"\w+", repr(value)))  # JSON has neither
    return {"value": value if finite else None, "type": type(value).__name__, "text": repr(value)}


def make_rows(listing: Listing, shown: Sequence[ConstantOrOption]) -> list[ConstantRow]:
    """Return a row for each."""
    return [_build_row(listing, held) for held in shown]


def _build_row(listing: Listing, held: ConstantOrOption) -> ConstantRow:
    value = _shorten_text(repr(held.value))
    if isinstance(held, Constant):
        return ConstantRow(listing.names[held], value, held.where, held.form.value, _describe_reads(held))
    form = "config" if held.parser is OptionParser.FILE else "flag" if held.is_flag else "option"
    unread = "replaced by `optimizer`" if held.is_replaced else NEVER_READ
    return ConstantRow(held.name, value, held.place, form, unread if is_never_read(held) else "")


def _describe_reads(constant: Constant) -> str:
    """``16, 58``: lines of the constant's own file; ``train.py:12`` of another; then how many there are beside."""
    if not constant.reads:
        return NEVER_READ
    own = constant.sites[0].source
    places = [place.removeprefix(f"{own}:") for place in constant.reads[:N_PLACES]]
    n_more = len(constant.reads) - len(places)
    return ", ".join(places) + (f" +{n_more}" if n_more else "")


def _shorten_text(text: str, n: int = LONGEST_VALUE) -> str:
    line = " ".join(text.split())
    return line if len(line) <= n else f"{line[: n - 3]}..."


def _describe_place(refusal: UnsupportedConstant) -> str:
    """Most reasons say where; the file stands for those that do not."""
    return "" if refusal.source in refusal.what else f" ({refusal.source})"

"""``promotune`` alone: what is in this folder, and what to type next."""

import argparse
import shlex
import threading
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len, set_cell_size

from tune.cli.commands.constants import Promising, choose_names, find_promising
from tune.cli.parser import storage_of
from tune.cli.terminal.screen import Screen, format_value
from tune.errors import PromotuneError
from tune.invocation import join_words, this_command
from tune.paths import display_path
from tune.promotion.find_programs import find_programs
from tune.promotion.program import find_program
from tune.results.experiments import list_experiments
from tune.space.space_file import FOLDER, SUFFIXES

LOOKING_S = 0.5
"""Time for the search of programs."""
READING_S = 1.0
"""Time for the reading of their constants."""
N_PROGRAMS = 5
N_READ = 12
"""Programs whose constants are read: those with some that are promising come first."""
N_SHOWN = 4
"""Constants of a program, space files and experiments."""
LONGEST_VALUE = 12


@dataclass(frozen=True, slots=True)
class Told:
    """A program, and what it hardcodes."""

    path: Path
    constants: tuple[Promising, ...]
    """The most promising first."""
    error: str | None = None
    """Why it cannot be read."""


def run(given: argparse.Namespace) -> int:
    """Print programs, space files and experiments, and the next commands; return the exit status."""
    screen = Screen()
    sighting = find_programs(Path.cwd(), LOOKING_S)
    told = sorted(_read_programs(sighting.programs[:N_READ]), key=lambda each: not each.constants)[:N_PROGRAMS]
    _show_programs(screen, told, len(sighting.programs))
    if not sighting.is_whole:
        note = f"stopped looking after {sighting.n_files:,} Python files; name another program by its path"
        screen.print_line(note, style="yellow")
    spaces = _space_files()
    if spaces:
        screen.print_line()
        screen.print_line(f"space files: {_join_few(spaces)}")
    storage = storage_of(None)
    names = [each.name for each in list_experiments(storage)]
    if names:
        screen.print_line()
        screen.print_line(f"experiments in {display_path(storage)}, the last first: {_join_few(names)}")
    screen.print_line()
    command = this_command()
    lines = []
    ready = next((each for each in told if each.constants), None)
    if ready is not None:
        lines.append(f"{command} {join_words([_display_program(ready.path), *choose_names(ready.constants)])}")
        lines.append(f"{command} {shlex.quote(_display_program(ready.path))}")
    elif told:
        lines.append(f"{command} {shlex.quote(_display_program(told[0].path))}")
    elif spaces:
        lines.append(f"{command} --space {shlex.quote(spaces[0])}")
    if names:
        lines.append(f"{command} results {shlex.quote(names[0])}")
    lines.append(f"{command} --help")
    for number, line in enumerate(lines):
        screen.print_line(f"{'next: ' if number == 0 else '      '}{line}")
    return 0


def _read_programs(paths: tuple[Path, ...]) -> list[Told]:
    """Return what the programs hardcode, of as many as can be read in time."""
    found: dict[Path, Told] = {}

    def read_all() -> None:
        for path in paths:
            try:
                found[path] = Told(path, tuple(find_promising(find_program(path))))
            except PromotuneError as error:
                found[path] = Told(path, (), error.what)

    thread = threading.Thread(target=read_all, daemon=True)
    thread.start()
    thread.join(READING_S)
    ready = dict(found)
    return [ready.get(path, Told(path, (), "it takes long to read")) for path in paths]


def _show_programs(screen: Screen, told: list[Told], n_programs: int) -> None:
    if not told:
        screen.print_line("no program with a LightningModule or a Trainer is in this folder", style="bold")
        return
    screen.print_line("programs, and the constants that a search may gain most from", style="bold")
    width = max(cell_len(_display_program(each.path)) for each in told)
    for each in told:
        room = screen.width - width - 4
        screen.print_line(f"  {set_cell_size(_display_program(each.path), width)}  {_list_constants(each, room)}")
    if n_programs > len(told):
        screen.print_line(f"  and {n_programs - len(told)} more", style="dim")


def _space_files() -> list[str]:
    try:
        return sorted(path.name for path in Path(FOLDER).iterdir() if path.suffix in SUFFIXES)
    except OSError:
        return []


def _display_program(path: Path) -> str:
    return path.relative_to(Path.cwd()).as_posix()


def _list_constants(each: Told, room: int) -> str:
    if each.error is not None:
        return each.error
    if not each.constants:
        return "no constant that is promising"
    texts = [f"{held.name} {_shorten_value(held.value)}" for held in each.constants]
    fitting = (_join_few(texts, n) for n in range(N_SHOWN, 1, -1))
    return next((text for text in fitting if cell_len(text) <= room), _join_few(texts, 1))


def _join_few(texts: list[str], n: int = N_SHOWN) -> str:
    more = f", and {len(texts) - n} more" if len(texts) > n else ""
    return ", ".join(texts[:n]) + more


def _shorten_value(value: object) -> str:
    text = format_value(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."

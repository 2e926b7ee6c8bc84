"""``run_search.py promote PROGRAM NAME...``: write a space file, with ranges suggested."""

import argparse
import contextlib
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tune.cli.parser import Parser, describe_command
from tune.cli.terminal.summary import Screen, this_command
from tune.cluster.resources import plan_resources
from tune.errors import ConstantError, MetricError, OptionError, UserError
from tune.paths import ExperimentPaths, VersionPaths, atomic_write
from tune.promotion.constant import Constant
from tune.promotion.find.literals import Unknown, is_whole
from tune.promotion.find.value_flow import receiving_parameters
from tune.promotion.find_constants import check_together, find_all, find_constant
from tune.promotion.metric import Metric, Mode, find_metric, mode_of, select_preferred_tag
from tune.promotion.options.declared_options import Option, OptionParser, find_option, find_options
from tune.promotion.options.option_values import value_in_force
from tune.promotion.program import Program, find_program
from tune.promotion.program_checks import check_folder, check_names
from tune.promotion.program_kind import shape_of, system_of
from tune.promotion.rank_constants import is_never_read
from tune.promotion.resolve import resolve_constants
from tune.search.schedulers.epochs import find_epochs_constant
from tune.space.dimensions import Choice
from tune.space.names import relative_if_shorter
from tune.space.settings import Settings
from tune.space.space import Script, Shape, Space, System
from tune.space.space_file import FOLDER, read_space
from tune.space.suggest_range import Suggestion, suggest_range
from tune.space.template import SpaceTemplate, TemplateLine, format_inline_yaml, render_space_template
from tune.storage_url import absolute_path

Held = Constant | Option

NEVER_READ = "nothing in the program reads it"

UNKNOWN_EPOCHS = 10
"""Written where the program does not say how long it trains."""

LONGEST_NAME = 60
"""Characters of the file's name, which becomes the experiment's."""


class NamesParser(Parser):
    """Takes a script's own options as names too: ``promote train.py --lr``."""

    def _parse_known(self, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        return self.parse_known_intermixed_args(words)  # options may stand between the names

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say; the names in their order."""
        words = _join_args_option(words)
        known = {text.partition("=")[0] for text in self.option_spellings}
        theirs = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
        found = super().parse_words([word for word in words if word not in theirs])
        found.names = sorted((*found.names, *theirs), key=list(words).index)
        if not found.names:
            listing = f"`run_search.py constants {found.program}` lists them all."
            raise OptionError(None, "promote takes the names of constants, got none", listing)
        return found


def _join_args_option(words: Sequence[str]) -> list[str]:
    """Return the words with ``--args`` and what follows it as one: argparse would take ``--fast`` for an option."""
    found: list[str] = []
    for word in words:
        if found and found[-1] == "--args":
            found[-1] = f"--args={word}"
        else:
            found.append(word)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PromoteRequest:
    """What the user wants to search."""

    program: Program
    shape: Shape
    held: dict[str, Held]
    """What each name leads to."""

    @property
    def trial_epochs(self) -> tuple[int, str] | None:
        """How long a trial trains, and why; None where the program says it in a way that the search understands."""
        if isinstance(self.shape, Script) or find_epochs_constant(self.program) is not None:
            return None
        for constant in find_all(self.program).constants:
            if constant.name == "Trainer.max_epochs" and isinstance(constant.value, int) and constant.value > 0:
                return constant.value, f"as in {constant.where}"
        return UNKNOWN_EPOCHS, "the program does not say how long: look at it"


def parser() -> Parser:
    """Return what it takes on the command line."""
    parser = NamesParser(prog="run_search.py promote", description=describe_command("promote"))
    parser.add_argument("program", help="a Python file")
    parser.add_argument("names", metavar="NAME", nargs="*", help="a constant, as `constants` names it, or --option")
    parser.add_argument("-o", "--output", metavar="FILE", help=f"default: {FOLDER}/NAME_NAME.yaml beside the program")
    parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--script", action="store_true", help="the program trains by itself; default: by its source")
    shape.add_argument("--system", action="store_true", help="the search builds the Trainer")
    parser.add_argument("--args", metavar="WORDS", help="what a script is given, quoted: --args '--data DIR --fast'")
    parser.add_argument("--metric", help="a name given to self.log; default: what the program monitors, or logs")
    parser.add_argument("--mode", choices=("min", "max"), help="whether less or more of the metric is better")
    return parser


def run(given: argparse.Namespace) -> int:
    """Write the file, and say what comes next."""
    program = find_program(Path(given.program))
    check_names(program)
    shape = _choose_shape(given, program)
    wish = PromoteRequest(program=program, shape=shape, held=_resolve_names(given.names, program, shape))
    path = _choose_output(given, program)
    if path.exists() and not given.force:
        raise OptionError(
            relative_if_shorter(path), "the file is there already", "Give --force to replace it, or another -o FILE."
        )
    screen = Screen()
    metric = _choose_metric(given, wish, screen)
    lines = list(_suggest_lines(wish))
    draft = _build_template(wish, metric, lines, path)
    _write_space_file(render_space_template(draft), path, checked=any(line.dimension is not None for line in lines))
    _show_space_file(screen, path, lines)
    for name, held in wish.held.items():
        if is_never_read(held):
            screen.print_line(f"warning: {name}: {NEVER_READ} ({held.where})", style="yellow")
    return 0


def _choose_shape(given: argparse.Namespace, program: Program) -> Shape:
    """Return how the program is run: as the command line says, else as its source tells."""
    args = _parse_args_option(given)
    if given.system:
        if given.args is not None:
            what = f"--args: a system has no command line, got {given.args!r}"
            raise OptionError(None, what, "Leave out --system, or --args.")
        option = next(filter(_is_option, given.names), None)
        if option is not None:
            raise ConstantError(
                None, f"{option!r} is an option, and a system has no command line", "Leave out --system."
            )
        return system_of(program)
    if given.script or given.args is not None or any(map(_is_option, given.names)):
        return Script(args=args)
    return shape_of(program)


def _parse_args_option(given: argparse.Namespace) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(given.args or ""))
    except ValueError as error:
        raise OptionError(None, f"--args: {error}, got {given.args!r}", "Close the quote.") from error


def _is_option(name: str) -> bool:
    return name.startswith("-") or name.endswith("=")


def _resolve_names(names: Sequence[str], program: Program, shape: Shape) -> dict[str, Held]:
    """Return what the names lead to; raise ConstantError where one leads nowhere, or two to one place."""
    constants = find_all(program).constants
    args = shape.args if isinstance(shape, Script) else ()
    options = find_options(program, args)
    in_files = [option for option in options if option.parser is OptionParser.FILE]
    held: dict[str, Held] = {}
    for name in names:
        found: Held
        if _is_option(name) and (isinstance(shape, Script) or any(name in option.names for option in in_files)):
            found = find_option(name, program, options, "")
            value = value_in_force(found, program, args)
            found = found if value == found.value else replace(found, value=value, place="args")
        else:
            found = find_constant(name, program, constants, "")
        twin = next((key for key, other in held.items() if other == found), None)
        if twin is not None:
            raise ConstantError(
                None, f"{twin!r} and {name!r} are the same constant, {found.where}", "Give one of them."
            )
        held[name] = found
    check_together([each for each in held.values() if isinstance(each, Constant)], "")
    return held


def _choose_output(given: argparse.Namespace, program: Program) -> Path:
    if given.output is not None:
        path = absolute_path(given.output, "--output")
        return path if path.suffix in (".yaml", ".yml") else path.with_name(f"{path.name}.yaml")
    slug = "_".join(re.sub(r"\W+", "_", name).strip("_") for name in given.names).lower()
    return program.root / FOLDER / f"{slug[:LONGEST_NAME].rstrip('_')}.yaml"


def _choose_metric(given: argparse.Namespace, wish: PromoteRequest, screen: Screen) -> Metric:
    found = find_metric(wish.program)
    if given.metric is not None:
        same = found if found is not None and found.name == given.metric else None
        found = same or Metric(name=given.metric, mode=mode_of(given.metric), origin="given to promote")
    if found is None:
        screen.print_line("the source does not tell what is logged; asking a batch or two of training and validation")
        found = _run_for_metric(wish)
    mode: Mode | None = given.mode or found.mode
    if mode is None:
        what = f"the name {found.name!r} does not tell whether less or more of it is better ({found.origin})"
        raise OptionError(None, what, "Give --mode min or --mode max.")
    return Metric(name=found.name, mode=mode, origin=found.origin, others=found.others)


def _run_for_metric(wish: PromoteRequest) -> Metric:
    """Run the program for a batch or two, and choose among what it logs. Here torch and Ray are imported."""
    from tune.experiment.records import read_record
    from tune.search.run import run_search
    from tune.search.spec import Search

    check_folder(Path.cwd())
    epochs = wish.trial_epochs
    settings = Settings(trials=1, trainer={} if epochs is None else {"max_epochs": epochs[0]})
    space = Space(
        path=wish.program.path.with_suffix(".yaml"),
        program=wish.program.path,
        shape=wish.shape,
        metric="",  # no program logs it
        mode="min",
        dimensions={},
        settings=settings,
        lines={},
    )
    folder = Path(tempfile.mkdtemp(prefix="promotune-"))
    search = Search(
        space=space,
        program=wish.program,
        promoted=(),
        resources=plan_resources(settings, None),
        paths=ExperimentPaths(folder),
        rehearsal=True,
        on_start=lambda: None,
        on_end=lambda _: None,
    )
    with contextlib.suppress(MetricError):  # as expected: the record holds what is logged
        run_search(search)
    records = (read_record(VersionPaths(version)) for version in folder.iterdir() if version.is_dir())
    logged = [tag for record in records if record is not None for tag in record.logged]
    shutil.rmtree(folder)  # where the program failed, the error names files in it
    parts = [[tag for tag in logged if re.search(part, tag, re.IGNORECASE)] for part in ("val|dev", "test")]
    if not logged:
        raise MetricError(None, "the program logs nothing that could be searched by", "Log a metric with self.log.")
    name = select_preferred_tag(dict.fromkeys(parts[0] or parts[1] or logged))
    others = tuple(tag for tag in logged if tag != name)
    return Metric(name=name, mode=mode_of(name), origin="logged in a run of a batch or two", others=others)


def _suggest_lines(wish: PromoteRequest) -> Iterator[TemplateLine]:
    flows = find_all(wish.program).flows
    for name, held in wish.held.items():
        value = held.value
        if isinstance(value, Unknown):
            suggestion = Suggestion(None, "only running the program tells its value: write its range")
            remark = f"{value} ({held.where}): {suggestion.remark}"
            yield TemplateLine(key=name, dimension=None, held=None, is_whole=is_whole(value), remark=remark)
            continue
        choices = held.choices if isinstance(held, Option) else ()
        suggestion = (
            Suggestion(Choice(options=choices), "all that its parser takes")
            if len(choices) > 1
            else suggest_range(name, value, receiving_parameters(held, flows))
        )
        dead = f"{NEVER_READ}; " if is_never_read(held) else ""
        remark = f"{format_inline_yaml(value)} ({held.where}): {dead}{suggestion.remark}"
        yield TemplateLine(key=name, dimension=suggestion.dimension, held=value, remark=remark)


def _build_template(wish: PromoteRequest, metric: Metric, lines: Sequence[TemplateLine], path: Path) -> SpaceTemplate:
    assert metric.mode is not None
    program = _relative_program(path, wish.program)
    if isinstance(wish.shape, System) and wish.shape.class_name is not None:
        program = f"{program}:{wish.shape.class_name}"
    others = f"; also logged: {', '.join(metric.others)}" if metric.others else ""
    epochs = wish.trial_epochs
    return SpaceTemplate(
        title="Written by `promote`: the ranges are suggestions, from names and values. Change what you know better.",
        shape="script" if isinstance(wish.shape, Script) else "system",
        args=wish.shape.args if isinstance(wish.shape, Script) else (),
        program=program,
        metric=metric.name,
        metric_remark=f"{metric.origin}{others}",
        mode=metric.mode,
        constants=lines,
        max_epochs=None if epochs is None else epochs[0],
        epochs_remark="" if epochs is None else epochs[1],
    )


def _relative_program(path: Path, program: Program) -> str:
    """Return the path below the root where the space file's folder or a parent leads to it, else the whole path."""
    name = program.name_of(program.path)
    whole = Path(os.path.normpath(path.absolute()))  # the parents of `../y.yaml` are no folders above it
    candidates = (folder / name for folder in whole.parents)
    first = next((each for each in candidates if each.is_file()), None)
    return name if first is not None and first.resolve() == program.path else str(program.path)


def _write_space_file(text: str, path: Path, *, checked: bool) -> None:
    """Write the file, whole, and only if the search would take it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as aside:
            aside.write_text(text, encoding="utf-8")
            if checked:
                _check_space_file(aside)
    except OSError as error:
        raise OptionError(
            relative_if_shorter(path), f"cannot be written: {error.strerror}", "Give another -o FILE."
        ) from error


def _check_space_file(aside: Path) -> None:
    """Raise what the search would raise, without the place: the file is not there then."""
    try:
        space = read_space(aside)
        resolve_constants(space, find_program(space.program))
    except UserError as error:
        raise type(error)(None, error.what, error.hint) from error


def _show_space_file(screen: Screen, path: Path, lines: Sequence[TemplateLine]) -> None:
    screen.print_line(f"{relative_if_shorter(path)}: {', '.join(line.key for line in lines)}", style="bold")
    screen.print_line()
    screen.print_lines(path.read_text(encoding="utf-8").splitlines())
    screen.print_line()
    left = [line.key for line in lines if line.dimension is None]
    if left:
        screen.print_line(f"left to you: {', '.join(left)}; the comment in the file says what to write", style="yellow")
    if len(left) < len(lines):
        name = path.name if path.parent == Path.cwd() / FOLDER else relative_if_shorter(path)
        screen.print_line(f"next: {this_command()} --space {shlex.quote(name)}")

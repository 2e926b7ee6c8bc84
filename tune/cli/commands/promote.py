"""``promotune promote PROGRAM NAME...``: write a space file, with ranges suggested."""

import argparse
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tune.cli.metric_run import run_for_metric
from tune.cli.promote_request import Held, PromoteRequest, build_request, check_files_named
from tune.cli.terminal.screen import Screen
from tune.errors import OptionError, UserError, relative_if_shorter
from tune.invocation import this_command
from tune.paths import atomic_write
from tune.promotion.checks.program_checks import check_modules
from tune.promotion.configs.monitored import find_metric_of_program
from tune.promotion.constant import Constant
from tune.promotion.find.literals import Unknown, is_whole
from tune.promotion.find.text_options import find_text_options
from tune.promotion.find.value_flow import receiving_parameters
from tune.promotion.find_constants import find_all
from tune.promotion.metric.metric import CALLBACKS, Metric, mode_of
from tune.promotion.metric.validation import never_validates
from tune.promotion.options.option import Option
from tune.promotion.program import Program, find_program
from tune.promotion.ranking.rank_constants import describe_unread, drop_vague_holder, is_never_read, telling_name
from tune.promotion.resolve import resolve_constants
from tune.promotion.symbols import find_library_name, suggest_symbols
from tune.space.dimensions import Choice, describe_dimension
from tune.space.range_words import RangeWord, read_guess, read_range, widen_to
from tune.space.space import Script, System
from tune.space.space_file import FOLDER, read_space
from tune.space.suggest_range import Suggestion, suggest_range
from tune.space.template import SpaceTemplate, TemplateLine, format_inline_yaml, render_space_template
from tune.storage_url import absolute_path

LONGEST_NAME = 24
"""Characters of the file's name, which becomes the experiment's, and is typed; of longer names the program's stands."""


def run(given: argparse.Namespace) -> int:
    """Write the file, and say what comes next."""
    program = find_program(Path(given.program))
    check_modules(program)
    request = build_request(given, program)
    check_files_named(request)
    path = _choose_output(given, request)
    if path.exists() and not given.force:
        raise OptionError(
            relative_if_shorter(path), "the file exists already", "Give --force to replace it, or another -o FILE."
        )
    screen = Screen()
    lines = list(build_lines(request))
    metric = choose_metric(given, request, lines, screen)
    draft = _build_template(request, metric, lines, path)
    # Write the file, whole, and only if the search would take it
    text = render_space_template(draft)
    checked = any(line.dimension is not None for line in lines)
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
    _show_space_file(screen, path, lines)
    for name, held in request.held.items():
        if is_never_read(held):
            screen.print_prose(f"warning: {name}: {describe_unread(held)} ({held.where})", style="yellow")
        for warning in held.warnings if isinstance(held, Constant) and held.bound_to is not None else ():
            screen.print_prose(f"warning: {name}: {warning} ({held.where})", style="yellow")
    return 0


def _choose_output(given: argparse.Namespace, request: PromoteRequest) -> Path:
    if given.output is not None:
        path = absolute_path(given.output, "--output")
        return path if path.suffix in (".yaml", ".yml") else path.with_name(f"{path.name}.yaml")
    slug = "_".join(re.sub(r"\W+", "_", name).strip("_") for name in request.held).lower()
    name = slug if len(slug) <= LONGEST_NAME else request.program.path.stem
    return request.program.root / FOLDER / f"{name}.yaml"


def choose_metric(
    given: argparse.Namespace, request: PromoteRequest, lines: Sequence[TemplateLine], screen: Screen
) -> Metric:
    """Return the metric with its mode; raise OptionError where nothing tells the mode."""
    found = find_metric_of(given, request, lines, screen)
    if found.rivals:
        what = f"the metric may be any of {', '.join(found.rivals)} ({found.origin})"
        raise OptionError(None, what, f"Name it: --metric {shlex.quote(found.rivals[0])}.")
    if found.mode is None:
        what = f"the name {found.name!r} does not tell whether less or more of it is better ({found.origin})"
        raise OptionError(None, what, "Give --mode min or --mode max.")
    return found


def find_metric_of(
    given: argparse.Namespace, request: PromoteRequest, lines: Sequence[TemplateLine], screen: Screen
) -> Metric:
    """Return the metric that the user, the source or a run of a batch or two tells; its mode where that is known.

    Before a run, which takes its time, the ranges of ``lines`` are shown, and the words that spare it.
    """
    found = find_metric_in_source(request)
    if given.metric is not None:
        same = found if found is not None and found.name == given.metric else None
        found = same or Metric(name=given.metric, mode=mode_of(given.metric), origin="given to promote")
    if found is None:
        for line in lines:
            if line.dimension is not None:
                screen.print_line(f"{line.key}: {describe_dimension(line.dimension)}; it holds {line.remark}")
        screen.print_line(f"{_tell_why_run(request)}; asking a batch or two of training and validation")
        screen.print_line("  --metric NAME --mode min, or --mode max, says it without that run", style="dim")
        length = {} if request.trial_epochs is None else {"max_epochs": request.trial_epochs[0]}
        found = run_for_metric(request.program, request.shape, {**request.trainer, **length})
    return replace(found, mode=given.mode or found.mode, rivals=() if given.metric is not None else found.rivals)


def find_metric_in_source(request: PromoteRequest) -> Metric | None:
    """Return the metric that the source tells; None where it does not, or where what it tells is never validated."""
    found = find_metric_of_program(request.program, request.args)
    if found is None or found.origin.startswith(CALLBACKS):
        return found
    return None if never_validates(request.program, request.shape, request.trainer) else found


def _tell_why_run(request: PromoteRequest) -> str:
    is_told = find_metric_of_program(request.program, request.args) is not None
    return "the program validates nothing" if is_told else "the source does not tell what is logged"


def build_lines(request: PromoteRequest) -> Iterator[TemplateLine]:
    """Yield what the space file says of each constant; raise OptionError at a range that was written wrong."""
    flows = find_all(request.program).flows
    for name, given in request.held.items():
        held = drop_vague_holder(given)
        value, word = held.value, request.written[name]
        if word.start is not None:
            yield _line_as_written(name, word, held, receiving_parameters(held, flows))
            continue
        if isinstance(held, Constant) and (known := find_library_name(held, request.program)) is not None:
            yield _line_of_library_name(name, held, known, request.program)
            continue
        if isinstance(value, Unknown):
            suggestion = Suggestion(None, "only running the program tells its value: write its range")
            remark = f"{value} ({held.where}): {suggestion.remark}"
            yield TemplateLine(key=name, dimension=None, held=None, is_whole=is_whole(value), remark=remark)
            continue
        receivers = receiving_parameters(held, flows)
        choices = held.choices if isinstance(held, Option) else ()
        called = [name, telling_name(name, held), *(parameter for _, parameter in receivers)]
        texts = find_text_options(request.program, called, value) if isinstance(value, str) else ()
        suggestion = (
            Suggestion(Choice(options=choices), "all that it may be")
            if len(choices) > 1
            else Suggestion(Choice(options=texts), "all that the source names")
            if texts
            else suggest_range(telling_name(name, held), value, receivers)
        )
        dead = f"{describe_unread(held)}; " if is_never_read(held) else ""
        remark = f"{format_inline_yaml(value)} ({held.where}): {dead}{suggestion.remark}"
        yield TemplateLine(key=name, dimension=suggestion.dimension, held=value, remark=remark)


def _line_of_library_name(name: str, held: Constant, known: str, program: Program) -> TemplateLine:
    """Return the line of a constant that holds a name of a library, such as ``nn.ReLU``."""
    others = suggest_symbols(held, program)
    dimension = Choice(options=others) if others else None
    told = f"others of {known.rpartition('.')[0]}" if others else "a name of the source: write others"
    text = repr(held.value)
    return TemplateLine(key=name, dimension=dimension, held=text, remark=f"{text} ({held.where}): {told}")


def _line_as_written(name: str, word: RangeWord, held: Held, receivers: Sequence[tuple[str, str]]) -> TemplateLine:
    """Return the line of a constant whose range, or a guess at its best value, the user wrote."""
    value, telling = None if isinstance(held.value, Unknown) else held.value, telling_name(name, held)
    if word.is_guess:
        guess = read_guess(word, value)
        suggestion = suggest_range(telling, guess, receivers)
        dimension = widen_to(suggestion.dimension, guess, value)
        remark = f"around {format_inline_yaml(guess)}, as given: {suggestion.remark}"
    else:
        suggested = None if value is None else suggest_range(telling, value, receivers).dimension
        is_float = isinstance(held, Option) and held.is_float
        dimension, remark = read_range(word, value, suggested, is_float=is_float), "as given"
    remark = f"{held.value if isinstance(held.value, Unknown) else format_inline_yaml(value)} ({held.where}): {remark}"
    return TemplateLine(key=name, dimension=dimension, held=value, is_whole=isinstance(value, int), remark=remark)


def _build_template(
    request: PromoteRequest, metric: Metric, lines: Sequence[TemplateLine], path: Path
) -> SpaceTemplate:
    assert metric.mode is not None
    program = _relative_program(path, request.program)
    if isinstance(request.shape, System) and request.shape.class_name is not None:
        program = f"{program}:{request.shape.class_name}"
    others = f"; also logged: {', '.join(metric.others)}" if metric.others else ""
    epochs = request.trial_epochs
    return SpaceTemplate(
        title="Written by `promote`: the ranges are suggestions, from names and values. Change what you know better.",
        shape="script" if isinstance(request.shape, Script) else "system",
        args=request.shape.args if isinstance(request.shape, Script) else (),
        program=program,
        metric=metric.name,
        metric_remark=f"{metric.origin}{others}",
        mode=metric.mode,
        constants=lines,
        max_epochs=None if epochs is None else epochs[0],
        trainer={name: value for name, value in request.trainer.items() if name != "max_epochs"},
        epochs_remark="" if epochs is None else epochs[1],
    )


def _relative_program(path: Path, program: Program) -> str:
    """Return the path below the root where the space file's folder or a parent leads to it, else the whole path."""
    name = program.name_of(program.path)
    whole = Path(os.path.normpath(path.absolute()))  # the parents of `../y.yaml` are no folders above it
    candidates = (folder / name for folder in whole.parents)
    first = next((each for each in candidates if each.is_file()), None)
    return name if first is not None and first.resolve() == program.path else str(program.path)


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

"""``promotune PROGRAM NAME...``: search some constants of a program, without a space file."""

import argparse
import difflib
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tune.cli.arguments import Arguments
from tune.cli.command_parsers import build_parser
from tune.cli.commands.promote import build_lines, find_metric_in_source, find_metric_of
from tune.cli.metric_run import IN_THE_PREFLIGHT, is_found_by_a_run
from tune.cli.parser import SEARCH_PROGRAM, SPACE, both_given_error, find_other_spelling, storage_of
from tune.cli.promote_request import PromoteRequest, build_request, check_files_named
from tune.cli.terminal.screen import Screen
from tune.errors import MetricError, OptionError
from tune.invocation import join_words, this_command, without_option
from tune.promotion.checks.program_checks import check_modules
from tune.promotion.find.literals import Unknown
from tune.promotion.metric.metric import CALLBACKS, Metric, choose_instead
from tune.promotion.options.declared_options import SIMILAR, find_options
from tune.promotion.options.option import Option, OptionParser
from tune.promotion.options.option_values import value_in_force
from tune.promotion.options.required_words import find_required_words, suggest_args
from tune.promotion.program import Program, find_program
from tune.space.range_words import split_range
from tune.space.settings import Settings
from tune.space.space import Script, Space, System
from tune.space.template import TemplateLine

if TYPE_CHECKING:
    from tune.cli.run_plan import Drafted

Missing = tuple[str, str]
"""What the search has to be told, and the words that tell it."""


def run(given: argparse.Namespace) -> int:
    """Draft the space, show what told it, ask once, and search."""
    began = time.time() if given.profile else None
    program = find_program(Path(given.program))
    check_modules(program)
    _check_options(given, program)
    arguments = Arguments.from_namespace(given)
    arguments.apply_settings(Settings())  # a mistake in an option is told before the program is looked at
    request = build_request(given, program)
    screen = Screen(quiet=given.quiet)
    lines = list(build_lines(request))
    words = list(_missing_words(given, request))
    if not words:
        check_files_named(request)
    # What a config file holds is not missing where the command line is yet to name one
    told = [line for line in lines if not (words and line.dimension is None and _is_told_by(words, line.key, request))]
    missing = [*words, *_missing_length(request), *_missing_ranges(request, told)]
    metric = None if words and _is_run_needed(given, request) else find_metric_of(given, request, lines, screen)
    if metric is not None and metric.rivals:
        what = f"which of these to judge by: {', '.join(metric.rivals)} ({metric.origin})"
        missing.append((what, f"--metric {shlex.quote(metric.rivals[0])}"))
    if metric is not None and metric.mode is None:
        missing.append(
            (f"whether less (min) or more (max) of {metric.name!r} is better ({metric.origin})", "--mode min")
        )
    if missing:
        is_told = metric is not None and is_found_by_a_run(metric) and not metric.rivals
        found = ["--metric", metric.name] if metric is not None and is_told else []
        raise _tell(missing, given, request, found)
    assert metric is not None
    from tune.cli.run_plan import run_plan  # what only a search needs: a mistake in a name is told before
    from tune.search.search_plan import prepare_search

    is_asked = not given.yes and not given.quiet and sys.stdin.isatty() and screen.is_terminal
    with arguments.choose_backend(screen.print_line) as machine:

        def search_by(metric: Metric) -> int:
            drafted = _describe_draft(given, request, lines, metric, is_asked=is_asked)
            space = _make_space(request, lines, metric, arguments)
            plan = prepare_search(space, machine, storage_of(given.storage), given.name)
            return run_plan(plan, given, screen, began, drafted)

        try:
            return search_by(metric)
        except MetricError as error:
            other = None if given.metric is not None else choose_instead(error.logged, IN_THE_PREFLIGHT, given.mode)
            if other is None:
                raise
            what = f"{error.what} with the values in force; the search begins again, judged by {other.name}"
            screen.print_prose(what, style="yellow", is_result=True)
            screen.print_line()
        return search_by(other)


def _describe_draft(
    given: argparse.Namespace, request: PromoteRequest, lines: Sequence[TemplateLine], metric: Metric, *, is_asked: bool
) -> "Drafted":
    from tune.cli.run_plan import Drafted

    return Drafted(
        # Why a range was suggested, without the value that stands in a column of its own
        remarks={line.key: line.remark.partition("): ")[2] or line.remark for line in lines},
        notes=tuple(_notes(given, request, metric)),
        is_asked=is_asked,
        keep=_command_to_keep(given, metric),
    )


def _check_options(given: argparse.Namespace, program: Program) -> None:
    """Raise OptionError at an option that neither this command nor the program has, where ours was meant."""
    theirs = {name for option in find_options(program) for name in option.names}
    ours = [text for text in build_parser(SEARCH_PROGRAM).option_spellings if text.startswith("--")]
    for word in given.names:
        name = word.partition("=")[0]
        if name == SPACE and name not in theirs:
            raise both_given_error(given.program, given.words)
        if not name.startswith("--") or name in theirs or "." in name:  # LightningCLI's stand in no source
            continue
        near = difflib.get_close_matches(name, [*theirs, *ours], n=1, cutoff=SIMILAR)
        meant = find_other_spelling(name, ours) or next((each for each in near if each in ours), None)
        if meant is not None:
            raise OptionError(None, f"no such option: {name!r}", f"Did you mean {meant!r}?")


def _missing_words(given: argparse.Namespace, request: PromoteRequest) -> Iterator[Missing]:
    """Yield what the program's parser needs."""
    if not isinstance(request.shape, Script):
        return
    name, required = request.program.source.name, find_required_words(request.program)
    args, files = tuple(each.example for each in required), [file for each in required for file in each.files]
    end = "; --args '' if nothing"
    if given.args is not None:
        has_file_left = any(_is_left_to_a_file(key, request) for key in request.held)
        args, end = suggest_args(request.program, request.args, "")[0] if has_file_left else (), ""
    if args:
        lying = f"; the config files there: {', '.join(dict.fromkeys(files))}" if len(set(files)) > 1 else ""
        what = f"what {name} needs on its command line ({required[0].place}){end}{lying}"
        yield what, f"--args '{' '.join(args)}'"


def _is_left_to_a_file(key: str, request: PromoteRequest) -> bool:
    """Tell whether a LightningCLI's option has neither a value in the source nor a range."""
    held = request.held[key]
    is_of_cli = isinstance(held, Option) and held.parser is OptionParser.LIGHTNING_CLI
    return is_of_cli and isinstance(held.value, Unknown) and request.written[key].start is None


def _is_told_by(missing: Sequence[Missing], key: str, request: PromoteRequest) -> bool:
    """Tell whether the words that are asked for may name a file that holds a value which no source tells."""
    held = request.held[key]
    if key.endswith("=") or not isinstance(held, Option):
        return key.endswith("=")
    args = [word for _, words in missing for word in shlex.split(shlex.split(words)[-1])]
    return not isinstance(value_in_force(held, request.program, args), Unknown)


def _missing_length(request: PromoteRequest) -> Iterator[Missing]:
    """Yield how long to train, where nothing tells."""
    if not request.tells_epochs:
        yield "how many epochs a trial has, for the program does not say", "--trainer.max_epochs 10"


def _missing_ranges(request: PromoteRequest, lines: Sequence[TemplateLine]) -> Iterator[Missing]:
    for line in lines:
        if line.dimension is not None:
            continue
        value = request.held[line.key].value
        separator = "" if line.key.endswith("=") else "="
        if isinstance(value, Unknown) and line.held is not None:
            example = f"{value},ANOTHER"
        elif isinstance(value, Unknown) or value is None:
            example = "LOW..HIGH"
        elif isinstance(value, list | tuple | dict):
            hint = f"`{this_command()} promote` writes a file to do it in."
            what = f"{line.key} holds {value!r}: its other values can be written in a space file alone"
            raise OptionError(None, what, hint)
        else:
            example = f"{value},ANOTHER"
        yield f"what {line.key} may be: {line.remark}", f"{line.key}{separator}{example}"


def _is_run_needed(given: argparse.Namespace, request: PromoteRequest) -> bool:
    """Tell whether only a run of the program tells the metric; one that lacks its words cannot be run."""
    return given.metric is None and find_metric_in_source(request) is None


def _tell(
    missing: Sequence[Missing], given: argparse.Namespace, request: PromoteRequest, found: Sequence[str]
) -> OptionError:
    """Return the one message that asks for all that the search has to be told; ``found`` spares it a second run."""
    width = max(len(words) for _, words in missing)
    told = [f"{words:<{width}}  {what}" for what, words in missing]
    named = {words.partition("=")[0] for _, words in missing}
    given_words = (
        without_option(given.words, "--args") if any(each.startswith("--args ") for each in named) else given.words
    )
    asked = {word.word for name, word in request.written.items() if name.rstrip("=") in named}  # perhaps a short name
    asked |= {word for word in given_words if split_range(word).name.rstrip("=") in named}
    command = join_words([*(word for word in given_words if word not in asked), *found])
    words = " ".join(words for _, words in missing)
    what = f"the search has to be told {len(missing)} thing{'s' if len(missing) > 1 else ''} more"
    return OptionError(given.program, what, "\n  ".join([*told, f"Write: {this_command()} {command} {words}"]))


def _make_space(request: PromoteRequest, lines: Sequence[TemplateLine], metric: Metric, arguments: Arguments) -> Space:
    assert metric.mode is not None
    epochs = request.trial_epochs
    settings = Settings(trainer={} if epochs is None else {"max_epochs": epochs[0]})
    return Space(
        path=request.program.path,  # the words stand in no file
        program=request.program.path,
        shape=request.shape,
        metric=metric.name,
        mode=metric.mode,
        dimensions={line.key: line.dimension for line in lines if line.dimension is not None},
        settings=arguments.apply_settings(settings),
        lines={},
    )


def _notes(given: argparse.Namespace, request: PromoteRequest, metric: Metric) -> Iterator[str]:
    """Yield what told the metric, the mode and the way in which the program is run."""
    others = f"; also logged: {', '.join(metric.others)}" if metric.others else ""
    origin = "given with --metric" if given.metric is not None else metric.origin
    yield f"metric   {metric.name}: {origin}{others}"
    callback = metric.origin.partition(",")[0]
    told = f"as {callback} takes it" if callback in CALLBACKS else "by the metric's name"
    told = "given with --mode" if given.mode is not None else told
    yield f"mode     {metric.mode}: {told}"
    match request.shape:
        case Script(args=args):
            words = f" with {shlex.join(args)}" if args else ""
            yield f"program  a script{words}: it builds its own Trainer"
        case System(class_name=name):
            model = "" if name is None else f" of {name}"
            epochs = request.trial_epochs
            length = "" if epochs is None else f", max_epochs {epochs[0]} {epochs[1]}"
            yield f"program  a system{model}: the search builds the Trainer{length}"


def _command_to_keep(given: argparse.Namespace, metric: Metric) -> str:
    """Return the command that writes the same space into a file of the project."""
    words = [given.program, *given.names]
    words += ["--script"] * given.script + ["--system"] * given.system
    words += [] if given.args is None else [f"--args={given.args}"]
    if given.metric is not None or given.mode is not None or is_found_by_a_run(metric):
        words += ["--metric", metric.name, "--mode", str(metric.mode)]
    words += [word for name, text in given.trainer.items() for word in (f"--trainer.{name}", text)]
    return f"{this_command()} promote {join_words(words)}"

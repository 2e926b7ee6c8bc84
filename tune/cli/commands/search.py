"""The search itself: ``promotune --space FILE``."""

import argparse
import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tune.cli.arguments import SETTINGS, Arguments, SearchParser, add_settings
from tune.cli.parser import COMMANDS, Parser, both_given_error, is_program, storage_of
from tune.cli.terminal.observer import observe_search
from tune.cli.terminal.report_at_end import ReportAtEnd
from tune.cli.terminal.summary import (
    Screen,
    baseline_failure,
    format_trial_count,
    show_end,
    show_failures,
    show_hints,
    show_space,
    show_tensorboard,
)
from tune.cli.terminal.trials_table import SCORE, add_profile, show_profile, show_trials, sorted_trials
from tune.errors import (
    EXIT_INTERRUPTED,
    EXIT_SEARCH,
    NoRoomError,
    OptionError,
    PauseError,
    SearchError,
    StartError,
    UnsharedError,
    UserError,
)
from tune.experiment.lock import lock_experiment
from tune.experiment.open import open_experiment
from tune.experiment.preflight_failure import NEVER_BEGAN, remove_untrained_search
from tune.experiment.trial_result import BASELINE
from tune.invocation import this_command, typed_command
from tune.paths import ExperimentPaths, claim_experiment, display_path, shell_word
from tune.promotion.program_checks import DataLoaderWorkers, core_shortage_warnings, most_workers, program_warnings
from tune.promotion.resolve import constant_warnings, hardcoded_values
from tune.promotion.space_checks import baseline_doubts, space_warnings
from tune.results.confirm.confirmation import read_confirmation
from tune.results.failures import group_failures
from tune.results.hints import find_hints
from tune.search.prepare import SearchPlan, count_trials, prepare_search
from tune.space.settings import Settings
from tune.space.space import Script
from tune.space.space_file import find_space, read_space
from tune.storage.download import list_remote_experiments
from tune.storage.sync import erase_experiment
from tune.version import __version__

if TYPE_CHECKING:
    from tune.experiment.trial_result import TrialResult
    from tune.results.warm_start import PriorTrials
    from tune.search.checkpoint_retention import FreedCheckpoints
    from tune.search.spec import Search, SearchResult

N_BEST = 10
"""Trials that are shown at the end of a search; `results` shows all."""

UNITS = {"TB": 1e12, "GB": 1e9, "MB": 1e6, "kB": 1e3, "bytes": 0}


DESCRIPTION = """\
Search the hyperparameters that a PyTorch Lightning program hardcodes.

A program and names of its constants are a search; so is a space file. A program
alone lists its constants. No word at all says what is in the folder.
"""


class SpaceParser(SearchParser):
    """Takes a space file, and no program."""

    def _unknown_word_error(self, word: str) -> OptionError:
        return both_given_error(word, self._words) if is_program(word) else super()._unknown_word_error(word)


def parser() -> SearchParser:
    """Return what it takes on the command line; its help names the commands too."""
    called = this_command()
    commands = "\n".join(f"  {name:<10}  {what}" for name, what in COMMANDS.items())
    forms = ("PROGRAM NAME[=RANGE]... [options]", "--space FILE [options]", "PROGRAM", "COMMAND ...", "")
    parser = SpaceParser(
        usage="\n       ".join(f"{called} {form}".rstrip() for form in forms),
        description=DESCRIPTION,
        epilog=f"commands ({called} COMMAND --help):\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"promotune {__version__}",
        help="show the version; with -v those of the libraries, too",
    )
    parser.add_argument("--space", metavar="FILE", required=True, help="a path, or a name in search_spaces/")
    add_settings(parser, SETTINGS)
    add_search_options(parser)
    add_profile(parser)
    return parser


def add_search_options(parser: Parser) -> None:
    """Add what a search takes beside its settings."""
    parser.add_argument("--name", help="name of the experiment; default: the file's")
    parser.add_argument(
        "--from", dest="known", metavar="EXPERIMENT", help="start with the trials of this experiment as known"
    )
    parser.add_argument("--no-report", action="store_true", help="write no report.html at the end")
    parser.add_argument(
        "--fast-dev-run", action="store_true", help="train one or two batches of the baseline, and keep nothing"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """A space that no file holds: it was drafted from words of the command line."""

    remarks: Mapping[str, str]
    """What told each range, by the constant's name."""
    notes: Sequence[str]
    """What told the rest, a line each."""
    is_asked: bool
    """Whether the user is asked before anything runs."""
    keep: str
    """The command that writes the same space into a file."""


CHECKPOINTS_COST = {
    "best": "checkpoints: best: a trial that is interrupted goes on from its best epoch",
    "none": "checkpoints: none: a trial that is interrupted begins anew, and `load` takes what `retrain` trains again",
}
"""What a choice costs, by the setting."""


def run(given: argparse.Namespace) -> int:
    """Check everything, then search."""
    began = time.time() if given.profile else None
    arguments = Arguments.from_namespace(given)
    space = read_space(find_space(given.space))
    space = replace(space, settings=arguments.apply_settings(space.settings))
    screen = Screen(quiet=given.quiet)
    with arguments.choose_backend(screen.print_line) as machine:
        return run_plan(prepare_search(space, machine, storage_of(given.storage), given.name), given, screen, began)


def run_plan(
    plan: SearchPlan, given: argparse.Namespace, screen: Screen, began: float | None, drafted: Drafted | None = None
) -> int:
    """Show what is searched, and search it; of a space that was drafted show what told it, and ask."""
    remarks = {} if drafted is None else drafted.remarks
    show_space(screen, plan.space, plan.promoted, plan.program, plan.resources, remarks)
    if drafted is not None:
        for note in drafted.notes:
            screen.print_line(note)
        screen.print_line()
    unmet = baseline_doubts(plan.space.requirements, hardcoded_values(plan.promoted))
    settings, is_script = plan.space.settings, isinstance(plan.space.shape, Script)
    told = program_warnings(plan.program, is_script=is_script, seed_is_chosen=settings.seed != Settings().seed)
    crowded = core_shortage_warnings(plan.workers, plan.resources.cpus_per_trial)
    costs = [told for word, told in CHECKPOINTS_COST.items() if word == settings.checkpoints]
    warnings = [*space_warnings(plan.promoted), *constant_warnings(plan.promoted), *unmet, *told, *crowded, *costs]
    for warning in warnings:
        screen.print_prose(f"warning: {warning}", style="yellow")
    if drafted is not None and drafted.is_asked:
        if warnings:
            screen.print_line()
        if not screen.agrees("Search? [Y/n] "):
            screen.print_line(f"nothing was run; to keep these ranges in a file: {drafted.keep}")
            return 0
    known = None if given.known is None else _load_prior_trials(given.known, plan, screen)
    paths = _claim_folder(plan, screen)
    with lock_experiment(paths, screen.print_result):
        try:
            report = ReportAtEnd(screen, paths, wanted=not (given.no_report or given.fast_dev_run))
            status = _search_space(plan, paths, screen, known, report, rehearsal=given.fast_dev_run, session=began)
        except KeyboardInterrupt:
            status = show_stopped(screen, paths)
        if drafted is not None and paths.space.is_file():
            screen.print_line(f"to keep these ranges in a file: {drafted.keep}")
        return status


def _claim_folder(plan: SearchPlan, screen: Screen) -> ExperimentPaths:
    """Make the experiment's folder; one of the same name of which nothing trained is removed, and a line says so."""

    def remove_untrained(there: ExperimentPaths) -> str | None:
        if (why := remove_untrained_search(there)) is not None:
            removed = f"the earlier {there.name} trained nothing, and was removed: {why}"
            screen.print_line(f"{there.name} never began: it begins now" if why == NEVER_BEGAN else removed, "yellow")
            screen.print_line()
        return why

    return claim_experiment(
        plan.storage,
        plan.name or plan.space.name,
        numbered=plan.name is None,
        taken=list_remote_experiments(plan.storage),
        on_exists=remove_untrained,
    )


def _load_prior_trials(experiment: str, plan: SearchPlan, screen: Screen) -> "PriorTrials":
    """Return what another experiment knows, and say how much of it counts."""
    from tune.results.warm_start import read_prior_trials

    known = read_prior_trials(experiment, plan.storage, plan.space, plan.promoted)
    left_out = ", ".join(f"{count} {reason}" for reason, count in known.left_out.items())
    screen.print_line(
        f"known from {known.experiment}: {format_trial_count(len(known.trials))}"
        + (f"; left out: {left_out}" if left_out else "")
    )
    screen.print_line()
    return known


def _search_space(
    plan: SearchPlan,
    paths: ExperimentPaths,
    screen: Screen,
    known: "PriorTrials | None",
    report: ReportAtEnd,
    *,
    rehearsal: bool,
    session: float | None,
) -> int:
    number = 1 if rehearsal else count_trials(plan.space, plan.promoted)
    with observe_search(
        screen, plan.space, plan.program, plan.resources, title=paths.name, n_trials=number
    ) as listeners:
        if not rehearsal:
            show_tensorboard(screen, plan.storage)
        from tune.search.run import KEPT_NOTHING, run_search
        from tune.search.spec import Search

        report.preload_after(number)
        search = Search(
            space=plan.space,
            program=plan.program,
            promoted=plan.promoted,
            resources=plan.resources,
            paths=paths,
            rehearsal=rehearsal,
            session=session,
            command=typed_command(),
            explain=partial(explain_fault, paths),
            knowledge=None if known is None else (known.experiment, known.trials),
            listeners=(report, *listeners),
        )
        try:
            finished = run_search(search)
        except BaseException as error:
            if rehearsal or isinstance(error, UserError | StartError | NoRoomError):  # nothing was trained
                with contextlib.suppress(FileNotFoundError):  # it may be why the search ended
                    erase_experiment(paths.folder)
            raise
    if rehearsal:
        with contextlib.suppress(FileNotFoundError):
            erase_experiment(paths.folder)
        if finished.fault is not None:
            raise type(finished.fault)(finished.fault.where, finished.fault.what, KEPT_NOTHING)
        if finished.baseline is None and finished.interrupted_by_user:
            return show_stopped(screen, paths)
        logged = finished.baseline.logged if finished.baseline is not None else []
        screen.print_result("the baseline trains and validates; it logs " + ", ".join(logged), style="green")
        return EXIT_INTERRUPTED if finished.interrupted_by_user else 0
    return show_finished(screen, finished, search, report)


def _describe_freed(freed: "FreedCheckpoints", keep: int | None) -> str:
    """Return one line about checkpoints that are gone."""
    limit = "10% of the free disk was full" if keep is None else f"keep_checkpoints is {keep}"
    n_unit, unit = next((n_bytes, unit) for unit, n_bytes in UNITS.items() if freed.n_bytes >= n_bytes)
    size = f"{freed.n_bytes / max(n_unit, 1):.3g} {unit}"
    return f"the checkpoints of {format_trial_count(freed.n_trials)} were freed, {size}: {limit}"


def show_stopped(screen: Screen, paths: ExperimentPaths) -> int:
    """Show how to go on after a second Ctrl-C, or one before the first trial; return the exit status."""
    if paths.journal.is_file():
        command = _resume_command(paths)
        screen.print_result(
            "stopped at once: `resume` continues the trials that ran from their last checkpoints", style="yellow"
        )
        screen.print_result(f"to go on: {command}", style="bold")
    else:
        screen.print_result("stopped at once; nothing was trained", style="yellow")
    return EXIT_INTERRUPTED


def storage_option(paths: ExperimentPaths) -> str:
    """Return what a command needs beside an experiment's name to find it."""
    storage = paths.folder.parent
    return "" if storage == storage_of(None) else f" --storage {shell_word(storage)}"


def show_finished(screen: Screen, finished: "SearchResult", search: "Search", report: ReportAtEnd) -> int:
    """Show what came of a search and the commands that come next; return the exit status."""
    paths, space = search.paths, search.space
    if screen.shows_live_view:  # elsewhere each trial had its line
        csv_command = f"{this_command()} results {paths.cli_argument} --csv"
        show_trials(screen, sorted_trials(finished.outcomes, space, SCORE)[:N_BEST], space, csv_command)
    best = show_end(screen, finished.outcomes, space, search.promoted)
    if not screen.is_quiet:
        show_failures(screen, group_failures(finished.outcomes, space, paths))
        show_hints(screen, find_hints(finished.outcomes, space, paths.cli_argument))
    if search.session is not None:
        show_profile(screen, finished.outcomes, paths)
    screen.print_result(f"everything is in {display_path(paths.folder)}")
    if finished.freed.n_trials:
        screen.print_line(_describe_freed(finished.freed, space.settings.keep_checkpoints))
    _show_written(screen, finished)
    _show_crowding(screen, finished, search)
    confirmed = _confirm_finished(screen, finished, search)
    if finished.fault is None:
        report.write_and_show(len(finished.outcomes))
    show_next(screen, finished, search, best)
    if finished.fault is not None:
        raise explain_fault(paths, finished.fault)
    if finished.interrupted_by_user:
        return EXIT_INTERRUPTED
    if best is None:
        screen.print_result("no trial has a score; each version's trial.json and log.txt say why", style="red")
        return EXIT_SEARCH
    return confirmed if baseline_failure(finished.outcomes) is None else EXIT_SEARCH


def _confirm_finished(screen: Screen, finished: "SearchResult", search: "Search") -> int:
    """Confirm a search that came to its end, where its settings say so; return the exit status."""
    confirm = search.space.settings.confirm
    if confirm is None or finished.interrupted_by_user or finished.fault is not None:
        return 0
    from tune.cli.confirm import confirm_search

    screen.print_line()
    return confirm_search(screen, search.paths, finished.resources, confirm)


def _show_written(screen: Screen, finished: "SearchResult") -> None:
    wrote = finished.baseline.wrote if finished.baseline is not None else []
    written = ", ".join(name for name in wrote if not _is_our_output(Path(name)))
    if not written:
        return
    screen.print_prose(
        f"warning: the program writes into the working directory, and all trials share it: {written}", "yellow"
    )
    screen.print_line("         `own_folder: true` keeps them apart", "yellow")


def _is_our_output(path: Path) -> bool:
    """Tell whether a file is the one that this process's own output goes into."""
    with contextlib.suppress(OSError):
        return any(os.path.samestat(path.stat(), os.fstat(number)) for number in (1, 2))
    return False


def _show_crowding(screen: Screen, finished: "SearchResult", search: "Search") -> None:
    """Warn of DataLoader workers that only running the program could tell of."""
    held = DataLoaderWorkers(
        number=finished.baseline.n_workers if finished.baseline is not None else 0, where="the program"
    )
    if most_workers(search.program, search.promoted, search.space.shape).number < held.number:
        for warning in core_shortage_warnings(held, finished.resources.cpus_per_trial):
            screen.print_prose(f"warning: {warning}", "yellow")


def show_next(screen: Screen, finished: "SearchResult", search: "Search", best: "TrialResult | None") -> None:
    """Show the commands that come next."""
    paths = search.paths
    confirmation = None
    if search.space.settings.confirm is not None and best is not None:
        confirmation = read_confirmation(open_experiment(str(paths.folder), paths.folder.parent))
    option = storage_option(paths)
    more = len(finished.outcomes) < search.space.settings.trials and not finished.exhausted
    open_trials = any(outcome.state in ("waiting", "running") for outcome in finished.outcomes)
    if more or open_trials or (confirmation is not None and confirmation.needed):
        screen.print_result(f"to go on: {_resume_command(paths)}", style="bold")
    elif best is not None and best.is_baseline and not finished.exhausted:
        screen.print_line(f"next: {_resume_command(paths)} --trials +{len(finished.outcomes)}")
    if best is not None and not best.is_baseline:
        commands = [] if search.space.settings.confirm is not None else [f"retrain {paths.name} --seeds 5{option}"]
        is_kept = best.is_baseline or (confirmation is not None and confirmation.chosen == BASELINE)
        commands += [] if is_kept else [f"apply {paths.name}{option}"]
        for number, command in enumerate(commands):
            screen.print_line(f"{'next:' if number == 0 else '     '} {this_command()} {command}")


def _resume_command(paths: ExperimentPaths) -> str:
    return f"{this_command()} resume {paths.name}{storage_option(paths)}"


def explain_fault(paths: ExperimentPaths, fault: SearchError) -> SearchError:
    """Return why the search could not go on, with the command that goes on once it can."""
    if not isinstance(fault, PauseError):
        return fault
    acts = {NoRoomError: "Make room there, then", UnsharedError: "Mount it there, or take the node out, then"}
    return type(fault)(
        fault.where,
        fault.what,
        f"What was written is whole. {acts.get(type(fault), 'To go on')}: {_resume_command(paths)}",
    )

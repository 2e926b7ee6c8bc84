"""What is told at the end of a search: what came of it, what was written, and the commands that come next."""

from typing import TYPE_CHECKING

from tune.cli.parser import storage_option
from tune.cli.terminal.observer import SearchLines
from tune.cli.terminal.report_at_end import ReportAtEnd
from tune.cli.terminal.screen import Screen, format_trial_count
from tune.cli.terminal.summary import baseline_failure, show_end, show_failures, show_hints
from tune.cli.terminal.trials_table import SCORE, show_profile, show_trials, sorted_trials
from tune.errors import (
    EXIT_INTERRUPTED,
    EXIT_SEARCH,
    NoRoomError,
    PauseError,
    SearchError,
    UnsharedError,
)
from tune.experiment.open import open_experiment
from tune.experiment.trial_result import BASELINE
from tune.invocation import this_command
from tune.paths import ExperimentPaths, display_path
from tune.results.confirm.confirmation import read_confirmation
from tune.results.failure_groups import group_failures
from tune.results.hints.find_hints import DeviceFault, Hint, find_hints

if TYPE_CHECKING:
    from tune.experiment.trial_result import TrialResult
    from tune.search.checkpoint_retention import FreedCheckpoints
    from tune.search.spec import Search, SearchResult

N_BEST = 10
"""Trials that are shown at the end of a search; `results` shows all."""

UNITS = {"TB": 1e12, "GB": 1e9, "MB": 1e6, "kB": 1e3, "bytes": 0}


def _describe_freed(freed: "FreedCheckpoints", keep: int | None) -> str:
    """Return one line about checkpoints that are gone."""
    limit = "they filled 10% of the free disk" if keep is None else f"keep_checkpoints is {keep}"
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


def show_finished(screen: Screen, finished: "SearchResult", search: "Search", report: ReportAtEnd) -> int:
    """Show what came of a search and the commands that come next; return the exit status."""
    paths, space = search.paths, search.space
    if screen.shows_live_view:  # elsewhere each trial had its line
        csv_command = f"{this_command()} results {paths.cli_argument} --csv"
        show_trials(screen, sorted_trials(finished.outcomes, space, SCORE)[:N_BEST], space, csv_command)
    best = show_end(screen, finished.outcomes, space, search.promoted)
    if not screen.is_quiet:
        show_failures(screen, group_failures(finished.outcomes, space, paths))
        show_hints(screen, _find_untold_hints(finished, search))
    if search.session is not None:
        show_profile(screen, finished.outcomes, paths)
    screen.print_result(f"everything is in {display_path(paths.folder)}")
    if finished.freed.n_trials:
        screen.print_line(_describe_freed(finished.freed, space.settings.keep_checkpoints))
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


def _find_untold_hints(finished: "SearchResult", search: "Search") -> list[Hint]:
    """Return the hints, without those about GPUs of which a line was printed as they failed."""
    told = {
        each for listener in search.listeners if isinstance(listener, SearchLines) for each in listener.told_devices
    }
    hints = find_hints(finished.outcomes, search.space, search.paths)
    return [each for each in hints if not (isinstance(each, DeviceFault) and each.device in told)]


def _confirm_finished(screen: Screen, finished: "SearchResult", search: "Search") -> int:
    """Confirm a search that came to its end, where its settings say so; return the exit status."""
    confirm = search.space.settings.confirm
    if confirm is None or finished.interrupted_by_user or finished.fault is not None:
        return 0
    from tune.cli.confirm import confirm_search

    screen.print_line()
    return confirm_search(screen, search.paths, finished.resources, confirm, finished.ends_at)


def show_next(screen: Screen, finished: "SearchResult", search: "Search", best: "TrialResult | None") -> None:
    """Show the commands that come next."""
    paths = search.paths
    confirmation = None
    if search.space.settings.confirm is not None and best is not None:
        confirmation = read_confirmation(open_experiment(str(paths.folder), paths.folder.parent))
    option = storage_option(paths.folder.parent)
    more = len(finished.outcomes) < finished.n_wanted and not finished.exhausted
    open_trials = any(outcome.state in ("waiting", "running") for outcome in finished.outcomes)
    is_open = confirmation is not None and bool(confirmation.needed)
    if more or open_trials or is_open:
        screen.print_result(f"to go on: {_resume_command(paths)}", style="bold")
    elif best is not None and best.is_baseline and not finished.exhausted:
        screen.print_line(f"next: {_resume_command(paths)} --trials +{len(finished.outcomes)}")
    if best is not None and not best.is_baseline and not is_open:
        commands = [] if search.space.settings.confirm is not None else [f"retrain {paths.name} --seeds 5{option}"]
        is_kept = confirmation is not None and confirmation.chosen == BASELINE
        commands += [] if is_kept else [f"apply {paths.name}{option}"]
        for number, command in enumerate(commands):
            screen.print_line(f"{'next:' if number == 0 else '     '} {this_command()} {command}")


def _resume_command(paths: ExperimentPaths) -> str:
    return f"{this_command()} resume {paths.name}{storage_option(paths.folder.parent)}"


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

"""Run the search that a command line asked for: show what is searched, ask where it was drafted, and search."""

import argparse
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tune.cli.search_end import explain_fault, show_finished, show_stopped
from tune.cli.terminal.confirmation_lines import show_confirming_runs
from tune.cli.terminal.observer import observe_search
from tune.cli.terminal.report_at_end import ReportAtEnd
from tune.cli.terminal.screen import Screen, format_trial_count
from tune.cli.terminal.summary import show_space, show_tensorboard
from tune.errors import EXIT_INTERRUPTED, NoRoomError, StartError, UserError
from tune.experiment.lock import lock_experiment
from tune.experiment.preflight_failure import NEVER_BEGAN, remove_untrained_search
from tune.invocation import typed_command
from tune.paths import ExperimentPaths, claim_experiment
from tune.promotion.checks.program_checks import program_warnings, validation_limit_doubts
from tune.promotion.checks.rate_finders import rate_finder_warnings
from tune.promotion.checks.replaced_processes import process_warnings
from tune.promotion.checks.space_checks import baseline_doubts, metric_doubts, space_warnings
from tune.promotion.configs.set_elsewhere import filled_field_warnings
from tune.promotion.resolve import constant_warnings, hardcoded_values
from tune.search.search_plan import SearchPlan, count_trials
from tune.space.settings import Settings
from tune.space.space import Script
from tune.storage.download import list_remote_experiments
from tune.storage.driver_sync import erase_experiment

if TYPE_CHECKING:
    from tune.results.warm_start import PriorTrials


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
    told += rate_finder_warnings(plan.program, plan.space.args)
    resources = plan.resources
    processes = process_warnings(plan.program, plan.space.shape, settings.trainer, resources.workers_per_trial)
    costs = [told for word, told in CHECKPOINTS_COST.items() if word == settings.checkpoints]
    searched = {item.key: item.constant for item in plan.promoted}
    filled = filled_field_warnings(plan.program, searched, plan.space.args)
    limited = validation_limit_doubts(searched, settings.trainer, plan.program)
    doubts = (*filled, *metric_doubts(plan.space.metric), *limited, *unmet)
    warnings = [*space_warnings(plan.promoted), *constant_warnings(plan.promoted, plan.program), *doubts, *told]
    warnings += [*processes, *costs]
    for warning in warnings:
        screen.print_prose(f"warning: {warning}", style="yellow")
    if drafted is not None and drafted.is_asked:
        if warnings:
            screen.print_line()
        if not screen.ask_yes_no("Search? [Y/n] "):
            screen.print_line("nothing was run")
            _tell_keeping(screen, drafted)
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
            _tell_keeping(screen, drafted)
        return status


def _tell_keeping(screen: Screen, drafted: Drafted) -> None:
    screen.print_line("to keep these ranges in a file:")
    screen.print_line(f"  {drafted.keep}")


def _claim_folder(plan: SearchPlan, screen: Screen) -> ExperimentPaths:
    """Make the experiment's folder; one of the same name of which nothing trained is removed, and a line says so."""

    def remove_untrained(there: ExperimentPaths) -> str | None:
        if (why := remove_untrained_search(there)) is not None:
            removed = f"the earlier {there.name} trained nothing, and was removed: {why}"
            screen.print_prose(f"{there.name} never began: it begins now" if why == NEVER_BEGAN else removed, "yellow")
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
    n_confirming = 0 if rehearsal else show_confirming_runs(screen, plan.storage, plan.program, plan.space)
    with observe_search(
        screen,
        plan.space,
        plan.program,
        plan.resources,
        title=paths.name,
        n_trials=number,
        steers=None if rehearsal else paths,
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
            n_confirming=n_confirming,
        )
        try:
            finished = run_search(search)
        except BaseException as error:
            if rehearsal or isinstance(error, UserError | StartError | NoRoomError):  # nothing was trained
                with contextlib.suppress(FileNotFoundError):  # it may be why the search ended
                    erase_experiment(paths.folder)
            raise
        if n_confirming:
            from tune.retrain.kept_time import use_kept_time

            finished = use_kept_time(search, finished, screen.print_line)
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

"""``promotune resume EXPERIMENT``: go on from the ledger, to the number of trials that is asked for."""

import argparse
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tune.cli.arguments import Arguments
from tune.cli.parser import storage_of
from tune.cli.search_end import explain_fault, show_finished, show_stopped
from tune.cli.steer.answers import show_answer
from tune.cli.terminal.confirmation_lines import show_confirming_runs
from tune.cli.terminal.observer import observe_search
from tune.cli.terminal.report_at_end import ReportAtEnd
from tune.cli.terminal.screen import Screen, format_trial_count
from tune.cli.terminal.summary import show_space, show_tensorboard, warn_of_doubts
from tune.cluster.auto_gpu_share import restore_share
from tune.cluster.backend import Backend
from tune.errors import ConstantError, ExperimentError, OptionError, SpaceError
from tune.experiment.lock import check_begun, check_links, has_no_trial, lock_experiment
from tune.experiment.records import read_baseline_fits, read_baseline_record
from tune.experiment.requests import ANSWER_S
from tune.experiment.steer import ask_running, open_mailbox
from tune.experiment.verdicts import count_ended, find_confirmation
from tune.invocation import typed_command
from tune.paths import ExperimentPaths, display_path
from tune.promotion.checks.program_checks import most_workers
from tune.promotion.checks.space_checks import check_feasible, space_warnings
from tune.promotion.program import Program
from tune.promotion.resolve import PromotedConstant, constant_warnings, hardcoded_values, resolve_constants
from tune.promotion.snapshot import Snapshot, check_root
from tune.search.search_plan import count_trials
from tune.space.edit import describe_changes, edited_space
from tune.space.settings import AUTO, Settings
from tune.space.space import Space
from tune.space.space_file import find_space, read_space
from tune.storage_url import url_of

if TYPE_CHECKING:
    from tune.search.study.edit_space import SpaceEdit

LOCAL_ANSWER_S = 5.0
"""A driver of this machine looks for requests four times a second; whoever retrains, or deletes, does not."""


def run(given: argparse.Namespace) -> int:
    """Take the experiment, mend its ledger if that was torn, and run what is left."""
    from tune.experiment.open import locate_experiment

    began = time.time() if given.profile else None
    paths = locate_experiment(given.experiment, storage_of(given.storage))
    arguments = Arguments.from_namespace(given)
    if given.space is None and not arguments.given and open_mailbox(paths).has_driver:
        answer = ask_running(paths, "resume", timeout_s=ANSWER_S if url_of(paths.folder) else LOCAL_ANSWER_S)
        if not answer.is_missing:
            return show_answer(answer, as_json=False)
    if has_no_trial(paths) and (paths.space.is_file() or given.space is not None):
        return _begin_search(given, paths, began)
    check_begun(paths)
    check_links(paths)
    edited = None if given.space is None else read_space(find_space(given.space), program_is_here=False)
    screen = Screen(quiet=given.quiet)
    with arguments.choose_backend(screen.print_line) as machine, lock_experiment(paths, screen.print_result):
        report = ReportAtEnd(screen, paths, wanted=not given.no_report)
        try:
            trusts = given.trust_checkpoints
            return _resume_experiment(
                arguments, machine, paths, edited, screen, report, trusts_checkpoints=trusts, session=began
            )
        except KeyboardInterrupt:
            return show_stopped(screen, paths)


def _begin_search(given: argparse.Namespace, paths: ExperimentPaths, began: float | None) -> int:
    """Begin a search that was ended before its first trial, with the space that it was to search."""
    from tune.cli.run_plan import run_plan
    from tune.search.search_plan import prepare_search

    arguments = Arguments.from_namespace(given)
    arguments = replace(arguments, given={name: text.removeprefix("+") for name, text in arguments.given.items()})
    with lock_experiment(paths):  # else it begins just now
        space = read_space(paths.space if given.space is None else find_space(given.space))
    space = replace(space, settings=arguments.apply_settings(space.settings))
    screen = Screen(quiet=given.quiet)
    first = argparse.Namespace(known=None, fast_dev_run=False, no_report=given.no_report)
    with arguments.choose_backend(screen.print_line) as machine:
        plan = prepare_search(space, machine, paths.folder.parent, paths.name)
        return run_plan(plan, first, screen, began)


def _resume_experiment(
    arguments: Arguments,
    machine: Backend,
    paths: ExperimentPaths,
    edited: Space | None,
    screen: Screen,
    report: ReportAtEnd,
    *,
    trusts_checkpoints: bool,
    session: float | None,
) -> int:
    from tune.experiment.open import open_experiment
    from tune.search.study.edit_space import SpaceEdit, recover_edit
    from tune.search.study.journal import repair_journal
    from tune.search.study.study_notes import restore_set_values

    recover_edit(paths)
    if lost := repair_journal(paths.journal):
        notice = (
            f"{display_path(paths.journal)} ended in a torn record of {lost} bytes; it was taken out, "
            "all others are there"
        )
        screen.print_prose(f"warning: {notice}", style="yellow")
    experiment = open_experiment(str(paths.folder), paths.folder.parent)
    if restore_set_values(paths):
        experiment = open_experiment(str(paths.folder), paths.folder.parent)
    if experiment.changed and edited is None:
        what = f"not as the search left it: {', '.join(experiment.changed)}"
        raise ExperimentError(
            display_path(paths.space), what, "Take it from a backup, or give the space with --space FILE."
        )
    warn_of_doubts([experiment])
    check_root(experiment.snapshot)
    before, program = experiment.space, experiment.snapshot.stored_program
    space = _apply_arguments(before if edited is None else edited_space(edited, before), before.settings, arguments)
    promoted = _resolve_constants(space, before, experiment.snapshot)
    n_workers = most_workers(program, promoted, space.shape).number
    resources = machine.allocate_resources(space.settings, experiment.snapshot.program, paths.folder.parent, n_workers)
    if resources.is_measured and space.settings.gpus_per_trial != AUTO:
        resources = restore_share(resources, space.settings, read_baseline_record(paths, experiment.trials))
    if resources.is_measured:
        what = "auto is measured when a search begins, and this one has begun"
        raise OptionError("gpus_per_trial", what, "Give a number, such as `--gpus-per-trial 0.5`.")
    if edited is None:
        _check_trials("--trials", space, len(experiment.trials) - experiment.n_proposed)
    else:
        check_feasible(space, {item.key: item.dimension for item in promoted}, hardcoded_values(promoted))
        where = "--trials" if "trials" in arguments.given else space.place_of_entry("trials")
        _apply_edited_space(
            screen,
            paths,
            SpaceEdit(
                before=before, after=space, promoted_before=resolve_constants(before, program), promoted=promoted
            ),
            program,
            where,
        )
        experiment = open_experiment(str(paths.folder), paths.folder.parent)
    show_space(screen, space, promoted, program, resources)
    number = count_trials(space, promoted) + experiment.n_proposed
    n_ended = count_ended(experiment.trials)
    is_begun = n_ended == number and find_confirmation(paths, experiment.trials) is not None
    program_there = experiment.snapshot.program
    n_confirming = 0 if is_begun else show_confirming_runs(screen, paths.folder.parent, program_there, space)
    with observe_search(
        screen,
        space,
        program,
        resources,
        title=paths.name,
        n_trials=number,
        before=experiment.trials,
        counted=read_baseline_fits(paths, experiment.trials),
        steers=paths,
    ) as listeners:
        show_tensorboard(screen, paths.folder.parent)
        from tune.search.run import resume_search
        from tune.search.spec import Search

        report.preload_after(number - n_ended)
        search = Search(
            space=space,
            program=program,
            promoted=promoted,
            resources=resources,
            paths=paths,
            trusts_checkpoints=trusts_checkpoints,
            session=session,
            command=typed_command(),
            explain=partial(explain_fault, paths),
            listeners=(report, *listeners),
            n_confirming=n_confirming,
        )
        finished = resume_search(search, experiment.snapshot)
        if n_confirming:
            from tune.retrain.kept_time import use_kept_time

            finished = use_kept_time(search, finished, screen.print_line)
    return show_finished(screen, finished, search, report)


def _apply_arguments(space: Space, before: Settings, arguments: Arguments) -> Space:
    """Return the space with what was given; ``--trials +20`` adds to what the search was to have."""
    given, settings = dict(arguments.given), space.settings
    trials = given.get("trials", "")
    if trials.startswith("+") and trials[1:].isdecimal():
        del given["trials"]
        settings = replace(settings, trials=before.trials + int(trials))
    return replace(space, settings=replace(arguments, given=given).apply_settings(settings))


def _check_trials(where: str, space: Space, n_there: int) -> None:
    if space.settings.trials < n_there:
        there = f"there are {n_there} already, got {space.settings.trials}"
        raise OptionError(where, there, "Give a larger number, or `--trials +N` for N more.")


def _resolve_constants(space: Space, before: Space, snapshot: Snapshot) -> tuple[PromotedConstant, ...]:
    """Find the constants in the source that the trials run, whatever the program says by now."""
    try:
        return resolve_constants(space, snapshot.stored_program)
    except (ConstantError, SpaceError) as error:
        if space.dimensions.keys() <= before.dimensions.keys() or not snapshot.program.path.is_file():
            raise
        try:
            resolve_constants(space, snapshot.program)
        except (ConstantError, SpaceError):
            raise error from None
        what = f"{error.what}, as it was when this search began"
        hint = f"Its trials run {display_path(snapshot.folder)}, and the program was edited since: start a new search."
        raise type(error)(error.where, what, hint) from error


def _apply_edited_space(
    screen: Screen, paths: ExperimentPaths, edit: "SpaceEdit", program: Program, where: str
) -> None:
    """Take the edited space, and say what it changes; nothing is written where it cannot be taken."""
    from tune.search.study.edit_space import find_kept_trials

    kept = find_kept_trials(edit, paths)
    _check_trials(where, edit.after, kept.n_kept)
    for warning in (*space_warnings(edit.promoted), *constant_warnings(edit.promoted, program)):
        screen.print_prose(f"warning: {warning}", style="yellow")
    if settings := describe_changes(edit.before.settings, edit.after.settings):
        screen.print_line(f"changed: {', '.join(settings)}")
    if not edit.touches_trials:
        return
    kept.write_edit(paths)
    reasons = "; ".join(f"{_format_numbers(numbers)} ({why})" for why, numbers in kept.left_out.items())
    total = kept.n_kept + sum(map(len, kept.left_out.values()))
    screen.print_line(
        f"kept: {kept.n_kept} of {format_trial_count(total)}" + (f"; left out: {reasons}" if reasons else "")
    )
    if kept.n_known_left_out:
        screen.print_line(f"of what was known from another experiment, {kept.n_known_left_out} trials are left out")
    screen.print_line()


def _format_numbers(numbers: Sequence[int]) -> str:
    """Return sorted numbers as people write them: ``3-5, 9``."""
    runs: list[list[int]] = []
    for _, run in itertools.groupby(enumerate(numbers), lambda each: each[1] - each[0]):
        runs.append([number for _, number in run])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)

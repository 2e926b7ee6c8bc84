"""Confirm a search at its end, looked on: what ``--confirm`` adds to a search and to ``resume``."""

from dataclasses import replace

from tune.cli.terminal.confirmation_lines import show_confirmation, show_plan
from tune.cli.terminal.observer import observe_search
from tune.cli.terminal.retrained_lines import RetrainedLines
from tune.cli.terminal.screen import Screen
from tune.cluster.resources import Resources
from tune.errors import EXIT_INTERRUPTED, EXIT_SEARCH
from tune.experiment.open import open_experiment
from tune.paths import ExperimentPaths
from tune.results.confirm.confirmation import Confirmation
from tune.retrain.confirm import ConfirmationPlan, plan_confirmation_runs
from tune.retrain.plan import lock_retrained
from tune.space.settings import Confirm
from tune.storage.driver_sync import upload_if_remote

NO_GAIN = "nothing to confirm: no trial was better than the hardcoded values"


def confirm_search(
    screen: Screen, paths: ExperimentPaths, resources: Resources, confirm: Confirm, ends_at: float | None
) -> int:
    """Train the best trials and the hardcoded values with fresh seeds, and show the verdict; return the exit status.

    The same again goes on with what was interrupted, and runs nothing twice. ``ends_at``: when the time budget of the
    search before it is over, by ``time.monotonic``; None where there was none.
    """
    experiment = open_experiment(str(paths.folder), paths.folder.parent)
    with lock_retrained(experiment, screen.print_result):
        plan = plan_confirmation_runs(experiment, resources, confirm, ends_at)
        if plan is None:
            screen.print_result(NO_GAIN, style="yellow")
            return 0
        upload_if_remote(paths.verdicts)
        show_plan(screen, experiment, plan)
        screen.print_line()
        confirmation = _run_watched(screen, plan)
        upload_if_remote(paths.verdicts)
    screen.print_line()
    show_confirmation(screen, experiment, confirmation)
    if confirmation.needed:
        return EXIT_INTERRUPTED
    incomplete = confirmation.verdict is None or confirmation.verdict.finding == "incomplete"
    return EXIT_SEARCH if incomplete else 0


def _run_watched(screen: Screen, plan: ConfirmationPlan) -> Confirmation:
    planned = plan.retraining
    if not planned.runs:
        return plan.run(lambda run, found: None)
    timeless = replace(planned.space, settings=replace(planned.space.settings, time_budget_s=None))
    title = f"{planned.experiment.paths.name} confirmed"
    program = planned.snapshot.stored_program
    with observe_search(
        screen, timeless, program, planned.resources, title=title, n_trials=plan.most_runs, baseline=None
    ) as listeners:
        lines = RetrainedLines(screen, planned.space.mode, listeners)
        confirmation = plan.run(lines.on_run_end, listeners)
    lines.show_kept()
    return confirmation

"""The search itself: ``run_search.py --space FILE``."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tune.cli.arguments import Arguments
from tune.cli.screen import Screen, TrialLines, show_end, show_links, show_space, this_command
from tune.cli.storage import storage_of
from tune.errors import EXIT_INTERRUPTED, EXIT_SEARCH, UserError
from tune.paths import ExperimentPaths, check_name, claim_experiment, short
from tune.promotion.program import Program, find_program
from tune.promotion.resolve import Promoted, doubts, resolve
from tune.search.epochs import check_epochs
from tune.search.lock import locked
from tune.search.resources import Resources, plan_resources
from tune.space.file import find_space, read_space
from tune.space.lint import lint
from tune.space.space import Space, check_settings

if TYPE_CHECKING:
    from tune.search.run import Finished, Search


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A search without errors, as far as can be told without running the program."""

    space: Space
    program: Program
    promoted: tuple[Promoted, ...]
    resources: Resources
    storage: Path
    name: str | None
    """None: the space file's name, with a number if that is taken."""


def run(arguments: Arguments) -> int:
    """Check everything, then search."""
    plan = prepare(arguments)
    screen = Screen()
    show_space(screen, plan.space, plan.promoted, plan.program, plan.resources)
    for warning in (*lint(plan.promoted), *doubts(plan.promoted)):
        screen.line(f"warning: {warning}", style="yellow")
    paths = claim_experiment(plan.storage, plan.name or plan.space.name, numbered=plan.name is None)
    with locked(paths):
        try:
            return _search(plan, paths, screen, rehearsal=arguments.fast_dev_run)
        except UserError:
            shutil.rmtree(paths.folder)
            raise


def prepare(arguments: Arguments) -> Plan:
    """Raise a UserError at whatever is wrong; this imports neither torch nor Ray nor Optuna."""
    space = read_space(find_space(arguments.target))
    space = replace(space, settings=arguments.settings(space.settings))
    check_settings(space)
    program = find_program(space.program)
    promoted = resolve(space, program)
    check_epochs(space, program)
    return Plan(
        space=space,
        program=program,
        promoted=promoted,
        resources=plan_resources(space.settings, arguments.gpus),
        storage=storage_of(arguments.storage),
        name=None if arguments.name is None else check_name(arguments.name),
    )


def _search(plan: Plan, paths: ExperimentPaths, screen: Screen, *, rehearsal: bool) -> int:
    from tune.search.run import Search, run_search

    lines = TrialLines(screen, plan.space.mode, plan.space.settings.trials)
    search = Search(
        space=plan.space,
        program=plan.program,
        promoted=plan.promoted,
        resources=plan.resources,
        paths=paths,
        rehearsal=rehearsal,
        on_start=lambda dashboard: None if rehearsal else show_links(screen, plan.storage, dashboard),
        on_end=lines.ended,
    )
    finished = run_search(search)
    if rehearsal:
        shutil.rmtree(paths.folder)
        logged = finished.baseline.logged if finished.baseline else []
        screen.line("the baseline trains and validates; it logs " + ", ".join(logged), style="green")
        return 0
    return show_finished(screen, finished, search)


def show_finished(screen: Screen, finished: "Finished", search: "Search") -> int:
    """Show what came of a search and the commands that come next; return the exit status."""
    paths, space = search.paths, search.space
    hardcoded = finished.baseline.constants if finished.baseline else {}
    best = show_end(screen, finished.outcomes, space, hardcoded)
    screen.line(f"everything is in {short(paths.folder)}")
    storage = paths.folder.parent
    option = "" if storage == storage_of(None) else f" --storage {short(storage)}"
    interrupted = len(finished.outcomes) < space.settings.trials and not finished.exhausted
    if interrupted or any(outcome.state == "waiting" for outcome in finished.outcomes):
        screen.line(f"to go on: {this_command()} resume {paths.name}{option}")
    if best is not None:
        screen.line(f"next: {this_command()} retrain {paths.name}{option}")
    if finished.interrupted_by_user:
        return EXIT_INTERRUPTED
    if best is None:
        screen.line("no trial came to an end; each version's error.txt and log.txt say why", style="red")
        return EXIT_SEARCH
    return 0

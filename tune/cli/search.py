"""The search itself: ``run_search.py --space FILE``."""

import argparse
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tune import __version__
from tune.cli.arguments import SETTINGS, Arguments, SearchParser, add_settings
from tune.cli.commands import COMMANDS
from tune.cli.screen import Screen, TrialLines, show_end, show_links, show_space, this_command, word
from tune.cli.storage import storage_of
from tune.errors import EXIT_INTERRUPTED, EXIT_SEARCH, StartError, UserError
from tune.paths import ExperimentPaths, check_name, claim_experiment, short
from tune.promotion.cautions import cautions, check_folder, check_names
from tune.promotion.program import Program, find_program
from tune.promotion.resolve import Promoted, doubts, hardcoded, resolve
from tune.search.epochs import check_epochs
from tune.search.lock import locked
from tune.search.resources import Resources, plan_resources
from tune.space.feasible import baseline_doubts, check_feasible
from tune.space.file import find_space, read_space
from tune.space.lint import lint
from tune.space.space import Script, Space, check_settings

if TYPE_CHECKING:
    from tune.results.knowledge import Knowledge
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


def parser() -> SearchParser:
    """Return what it takes on the command line; its help names the commands too."""
    commands = "\n".join(f"  {name:<10} {what}" for name, what in COMMANDS.items())
    parser = SearchParser(
        prog="run_search.py",
        description="Search the hyperparameters that a PyTorch Lightning program hardcodes.",
        epilog=f"commands (run_search.py COMMAND --help):\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"promotune {__version__}")
    parser.add_argument("--space", metavar="FILE", required=True, help="a path, or a name in search_spaces/")
    add_settings(parser, SETTINGS)
    parser.add_argument("--name", help="of the experiment; default: the space file's")
    parser.add_argument("--from", dest="known", metavar="EXPERIMENT", help="what it has learnt is known from the start")
    parser.add_argument("--fast-dev-run", action="store_true", help="one or two batches of the baseline; keeps nothing")
    return parser


def run(given: argparse.Namespace) -> int:
    """Check everything, then search."""
    arguments = Arguments.of(given)
    space = read_space(find_space(given.space))
    storage = storage_of(given.storage)
    plan = prepare(replace(space, settings=arguments.settings(space.settings)), arguments.gpus, storage, given.name)
    screen = Screen()
    show_space(screen, plan.space, plan.promoted, plan.program, plan.resources)
    unmet = baseline_doubts(plan.space.requirements, hardcoded(plan.promoted))
    told = cautions(plan.program, is_script=isinstance(plan.space.shape, Script))
    for warning in (*lint(plan.promoted), *doubts(plan.promoted), *unmet, *told):
        screen.line(f"warning: {warning}", style="yellow")
    known = None if given.known is None else _known(given.known, plan, screen)
    paths = claim_experiment(plan.storage, plan.name or plan.space.name, numbered=plan.name is None)
    with locked(paths):
        try:
            return _search(plan, paths, screen, known, rehearsal=given.fast_dev_run)
        except (UserError, StartError):
            shutil.rmtree(paths.folder)
            raise


def prepare(space: Space, gpus: tuple[int, ...] | None, storage: Path, name: str | None) -> Plan:
    """Raise a UserError at whatever is wrong; this imports neither torch nor Ray nor Optuna."""
    check_settings(space)
    program = find_program(space.program)
    check_names(program)
    check_folder(Path.cwd())
    promoted = resolve(space, program)
    check_feasible(space, {item.key: item.dimension for item in promoted}, hardcoded(promoted))
    check_epochs(space, program)
    return Plan(
        space=space,
        program=program,
        promoted=promoted,
        resources=plan_resources(space.settings, gpus),
        storage=storage,
        name=None if name is None else check_name(name),
    )


def _known(experiment: str, plan: Plan, screen: Screen) -> "Knowledge":
    """Return what another experiment knows, and say how much of it counts."""
    from tune.results.knowledge import knowledge_of

    known = knowledge_of(experiment, plan.storage, plan.space, plan.promoted)
    left_out = ", ".join(f"{count} {reason}" for reason, count in known.left_out.items())
    screen.line(
        f"known from {known.experiment}: {_trials(len(known.trials))}" + (f"; left out: {left_out}" if left_out else "")
    )
    screen.line()
    return known


def _trials(number: int) -> str:
    return f"{number} trial{'s' if number != 1 else ''}"


def _search(plan: Plan, paths: ExperimentPaths, screen: Screen, known: "Knowledge | None", *, rehearsal: bool) -> int:
    from tune.search.run import Search, run_search

    lines = TrialLines(screen, plan.space.mode, plan.space.settings.trials)
    search = Search(
        space=plan.space,
        program=plan.program,
        promoted=plan.promoted,
        resources=plan.resources,
        paths=paths,
        rehearsal=rehearsal,
        knowledge=None if known is None else (known.experiment, known.trials),
        on_start=lambda dashboard: None if rehearsal else show_links(screen, plan.storage, dashboard),
        on_end=lines.ended,
    )
    finished = run_search(search)
    if rehearsal:
        shutil.rmtree(paths.folder)
        logged = finished.baseline.logged if finished.baseline is not None else []
        screen.line("the baseline trains and validates; it logs " + ", ".join(logged), style="green")
        return EXIT_INTERRUPTED if finished.interrupted_by_user else 0
    return show_finished(screen, finished, search)


def show_finished(screen: Screen, finished: "Finished", search: "Search") -> int:
    """Show what came of a search and the commands that come next; return the exit status."""
    paths, space = search.paths, search.space
    best = show_end(screen, finished.outcomes, space, search.promoted)
    screen.line(f"everything is in {short(paths.folder)}")
    if finished.baseline is not None and finished.baseline.wrote:
        written = ", ".join(finished.baseline.wrote)
        screen.line(
            f"warning: the program writes into the working directory, and all trials share it: {written}", "yellow"
        )
        screen.line("         `own_folder: true` keeps them apart", "yellow")
    storage = paths.folder.parent
    option = "" if storage == storage_of(None) else f" --storage {word(storage)}"
    more = len(finished.outcomes) < space.settings.trials and not finished.exhausted
    if more or any(outcome.state == "waiting" for outcome in finished.outcomes):
        screen.line(f"to go on: {this_command()} resume {paths.name}{option}", style="bold")
    if best is not None:
        screen.line(f"next: {this_command()} retrain {paths.name}{option}")
        if not best.is_baseline:
            screen.line(f"      {this_command()} apply {paths.name}{option}")
    if finished.interrupted_by_user:
        return EXIT_INTERRUPTED
    if best is None:
        screen.line("no trial has a score; each version's trial.json and log.txt say why", style="red")
        return EXIT_SEARCH
    return 0

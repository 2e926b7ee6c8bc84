"""``run_search.py retrain EXPERIMENT``: whether the best trial comes out again, and whether its gain is real."""

import argparse
from dataclasses import replace

from tune.cli.arguments import Arguments, SearchParser, add_settings
from tune.cli.commands.retrain_plan import RetrainPlan, plan
from tune.cli.parser import described, storage_of
from tune.cli.terminal.console import STYLES
from tune.cli.terminal.observer import SearchObserver, looking_on
from tune.cli.terminal.summary import Screen, one_line, shown
from tune.cluster.backend import Backend
from tune.errors import EXIT_INTERRUPTED, EXIT_SEARCH, ExperimentError, NoRoomError, OptionError
from tune.experiment.lock import check_links, held_here
from tune.experiment.open import StoredExperiment, open_experiment
from tune.experiment.trial_result import Mode, TrialResult, ranked, scored_epoch
from tune.paths import ExperimentPaths, display_path
from tune.promotion.program_checks import most_workers
from tune.promotion.snapshot import check_root
from tune.results.retrain_results import RetrainedVersion, latest, read_retrained, reproduction, verdicts
from tune.results.verdict import SampleStatistics
from tune.results.write_back import pick
from tune.search.retrain import RetrainRun
from tune.space.settings import MAX_SEED
from tune.storage.sync import sent_home
from tune.trial.disk_space import room_told

FOUND = {"gain": "green", "loss": "red"}
"""A verdict's style; yellow where it is neither."""
DIM = "dim"


def parser() -> SearchParser:
    """Return what it takes on the command line."""
    parser = SearchParser(prog="run_search.py retrain", description=described("retrain"))
    parser.add_argument("experiment", help="its name, or its folder")
    parser.add_argument("--trial", type=int, metavar="N", help="that trial; default: the best one")
    parser.add_argument("--top", type=int, metavar="K", help="the K best trials, each against the hardcoded values")
    parser.add_argument(
        "--seeds", type=int, metavar="S", help="with S fresh seeds, and the hardcoded values with the same"
    )
    parser.add_argument("--seed", dest="own_seed", type=int, metavar="N", help="instead of the trial's own")
    parser.add_argument("--current-source", action="store_true", help="the source as it is now, not the search's")
    add_settings(parser, {})
    return parser


def run(given: argparse.Namespace) -> int:
    """Retrain, say what came of it, and how to load the best."""
    _check(given)
    arguments, screen = Arguments.of(given), Screen(quiet=given.quiet)
    with arguments.machine(screen.line) as machine:
        return _run(given, arguments, machine, screen)


def _run(given: argparse.Namespace, arguments: Arguments, machine: Backend, screen: Screen) -> int:
    experiment = open_experiment(given.experiment, storage_of(given.storage))
    check_links(experiment.paths)
    check_root(experiment.snapshot)
    trials = _wanted(experiment, given)
    space = replace(experiment.space, settings=arguments.settings(experiment.space.settings))
    paths = experiment.paths
    n_runs = len(trials) * (1 + 2 * (given.seeds or 0))
    settings = replace(space.settings, trials=n_runs)
    n_workers = most_workers(experiment.snapshot.stored_program).number
    resources = machine.resources(settings, experiment.snapshot.program, paths.folder.parent, n_workers)
    try:
        with room_told(paths.folder):
            paths.retrain_folder.mkdir(exist_ok=True)
        with held_here(ExperimentPaths(paths.retrain_folder)), sent_home(paths.retrain_folder, screen.result):
            with room_told(paths.folder):
                planned = plan(
                    experiment, space, resources, trials, given.seeds or 0, given.own_seed, current=given.current_source
                )
            _show_plan(screen, planned, trials)
            whole = _train(screen, planned)
    except NoRoomError as error:
        hint = "What was written is whole. Make room there, and give the same command again: it goes on."
        raise NoRoomError(display_path(paths.folder), error.what, hint) from error
    return _show(screen, planned, trials) if whole else EXIT_INTERRUPTED


def _train(screen: Screen, planned: RetrainPlan) -> bool:
    """Run what is to be run, looked on; return whether all came to an end."""
    if not planned.runs:
        return True
    timeless = replace(planned.space, settings=replace(planned.space.settings, time_budget_s=None))
    title = f"{planned.experiment.paths.name} again"
    n_runs = len(planned.runs)
    program = planned.snapshot.stored_program
    with looking_on(
        screen, timeless, program, planned.resources, title=title, n_trials=n_runs, baseline=None
    ) as onlooker:
        from tune.search.retrain import retrain  # takes a while: there is something to see by now

        reporter = _Reporter(screen, planned, onlooker)
        whole = retrain(planned.retraining(onlooker, reporter.ended))
    reporter.show_kept()
    return whole


def _check(given: argparse.Namespace) -> None:
    for option, value in (("--top", given.top), ("--seeds", given.seeds)):
        if value is not None and value < 1:
            raise OptionError(option, f"must be 1 or more, got {value}", f"Write `{option} 5`.")
    if given.top is not None and given.trial is not None:
        raise OptionError("--top", "either the best trials or one by its number, got both", "Take one of them out.")
    if given.own_seed is not None and not 0 <= given.own_seed <= MAX_SEED:
        raise OptionError("--seed", f"must be 0 to {MAX_SEED}, got {given.own_seed}", "Write `--seed 1`.")


def _wanted(experiment: StoredExperiment, given: argparse.Namespace) -> list[TrialResult]:
    """Return the trials to retrain, the best first."""
    if given.top is None:
        return [pick(experiment, given.trial)]
    originals = [each for each in experiment.trials if each.repeat_of is None and not each.is_baseline]
    best = ranked(originals, experiment.space.mode)[: given.top]
    if not best:
        raise ExperimentError(display_path(experiment.paths.folder), "no trial came to an end", "Search again.")
    return best


def _show_plan(screen: Screen, planned: RetrainPlan, trials: list[TrialResult]) -> None:
    for trial in trials:
        values = ", ".join(f"{name}={shown(value)}" for name, value in trial.values.items())
        screen.line(f"retraining {trial.version}: {values}", style="bold")
    if planned.seeds:
        seeds = ", ".join(map(str, planned.seeds))
        screen.line(f"and with fresh seeds, the hardcoded values too: {seeds}")
    if planned.reused:
        screen.line(f"{len(planned.reused)} of {len(planned.reused) + len(planned.runs)} runs are there already", DIM)


class _Reporter:
    """Tells of each run that ended; asks for the same again where a trial did not come out again for no reason."""

    def __init__(self, screen: Screen, planned: RetrainPlan, onlooker: SearchObserver) -> None:
        self._screen = screen
        self._planned = planned
        self._onlooker = onlooker
        self._kept: list[RetrainedVersion] = []  # a live view shows those that ended last; all have their line after it

    def ended(self, run: RetrainRun) -> RetrainRun | None:
        """Hear of a run."""
        found = latest(read_retrained(self._planned.experiment.paths), run.request)
        if found is None or not (found.is_complete or found.has_failed):
            return None
        if self._onlooker.watch is None:
            self._show(found)
        else:
            self._onlooker.on_end(_outcome(run, found, self._planned.space.mode))
            self._kept.append(found)
        return self._planned.once_more(run.outcome, found)

    def show_kept(self) -> None:
        """Show what a live view has kept back."""
        for found in self._kept:
            self._show(found)

    def _show(self, found: RetrainedVersion) -> None:
        say = self._screen.result if found.has_failed else self._screen.line
        say(_run_line(found, self._planned), STYLES["failed"] if found.has_failed else None)


def _outcome(run: RetrainRun, found: RetrainedVersion, mode: Mode) -> TrialResult:
    """Return a run as a live view knows trials."""
    epoch = scored_epoch(found.curve, mode, found.n_fits)
    failure = None if found.record is None else found.record.failure
    return replace(
        run.outcome,
        number=run.number,
        version=found.files.folder.name,
        state="failed" if found.has_failed else "complete",
        score=None if epoch is None else found.curve[epoch],
        best_epoch=epoch,
        curve=found.curve,
        n_fits=found.n_fits,
        measures={each: (value,) for each, value in found.curve.items()},
        reason=None if failure is None else failure.reason,
        repeat_of=None,
    )


def _scored_where(found: RetrainedVersion, epoch: int | None) -> str:
    return f"as the mean of {found.n_fits} fits" if found.n_fits else f"in epoch {epoch} of {len(found.curve)}"


def _run_line(found: RetrainedVersion, planned: RetrainPlan) -> str:
    what = f"retrain/{found.files.folder.name}"
    if found.record is not None and found.record.failure is not None:
        return f"failed      {what}: {one_line(found.record.failure.reason)}"
    epoch = scored_epoch(found.curve, planned.space.mode, found.n_fits)
    score = "" if epoch is None else f"{found.curve[epoch]:<10.5g} {_scored_where(found, epoch)}"
    return f"{score}  {what}"


def _show(screen: Screen, planned: RetrainPlan, trials: list[TrialResult]) -> int:
    retrained = read_retrained(planned.experiment.paths)
    screen.line()
    _show_reproductions(screen, planned, trials, retrained)
    if planned.seeds:
        _show_verdicts(screen, planned, trials, retrained)
    return _show_best(screen, planned, retrained)


def _show_reproductions(
    screen: Screen, planned: RetrainPlan, trials: list[TrialResult], retrained: tuple[RetrainedVersion, ...]
) -> None:
    for trial in trials:
        once, again = planned.own_of(trial, retrained), planned.own_of(trial, retrained, again=True)
        if once is None or not once.is_complete:
            continue
        found = reproduction(planned.experiment, trial, once, again)
        first, *more = found.lines
        screen.result(f"{trial.version}: {first}", style="green" if found.reproduced else "yellow")
        for line in more:
            screen.result(f"  {line}", style="yellow")


def _show_verdicts(
    screen: Screen, planned: RetrainPlan, trials: list[TrialResult], retrained: tuple[RetrainedVersion, ...]
) -> None:
    found = verdicts(retrained, planned.experiment, planned.requests)
    if not found:
        screen.line("the hardcoded values are the best: there is nothing to compare them with")
        return
    screen.line()
    names = {trial.number: trial.version for trial in trials}
    baseline = next(iter(found.values())).baseline
    rows = [("the hardcoded values", *_cells(baseline))]
    rows += [(names[number], *_cells(each.candidate)) for number, each in found.items()]
    screen.table((f"{planned.space.metric}, {len(planned.seeds)} fresh seeds", "mean", "standard deviation"), rows)
    screen.line()
    for number, verdict in found.items():
        who = f"{names[number]}: " if len(found) > 1 else ""
        screen.result(f"{who}{verdict.words}", style=FOUND.get(verdict.finding, "yellow"))


def _cells(spread: SampleStatistics | None) -> tuple[str, str]:
    if spread is None:
        return "-", "-"
    return f"{spread.mean:.5g}", "-" if spread.deviation is None else f"{spread.deviation:.3g}"


def _show_best(screen: Screen, planned: RetrainPlan, retrained: tuple[RetrainedVersion, ...]) -> int:
    """Show the checkpoint of the best run of what was asked for, and how to load it."""
    runs = [each for request in planned.requests if (each := latest(retrained, request)) is not None]
    asked = {trial.number for trial in planned.trials}
    scored = [
        (score, each)
        for each in runs
        if each.request.trial in asked and (score := each.rerun.score(planned.space.mode)) is not None
    ]
    if scored:
        sign = -1 if planned.space.mode == "max" else 1
        score, best = min(scored, key=lambda pair: sign * pair[0])
        epoch = scored_epoch(best.curve, planned.space.mode, best.n_fits)
        screen.line()
        screen.result(f"the best run: {planned.space.metric} = {score:.5g} {_scored_where(best, epoch)}", "bold")
        screen.result(f"checkpoint: {display_path(best.files.best_checkpoint)}")
        screen.line()
        screen.line("from tune import load")
        screen.line(f'model = load("{display_path(best.files.folder)}")')
    failed = [each for each in runs if each.has_failed]
    for each in failed:
        screen.result(f"the whole traceback: {display_path(each.files.error)}", style="red")
    lost = [each for each in runs if not (each.is_complete or each.has_failed)]
    for each in lost:
        screen.result(
            f"its worker died: retrain/{each.files.folder.name}; its last words: {display_path(each.files.log)}", "red"
        )
    return EXIT_SEARCH if failed or lost else 0

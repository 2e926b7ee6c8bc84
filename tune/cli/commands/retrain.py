"""``promotune retrain EXPERIMENT``: whether the best trial comes out again, and whether its gain is real."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tune.cli.arguments import Arguments
from tune.cli.parser import storage_of
from tune.cli.terminal.confirmation_lines import format_statistics, shorten_version, show_verdict_number
from tune.cli.terminal.observer import observe_search
from tune.cli.terminal.retrained_lines import RetrainedLines, describe_origin, list_columns, list_means, show_held_out
from tune.cli.terminal.screen import Screen, format_value
from tune.cluster.auto_gpu_share import restore_share
from tune.cluster.backend import Backend
from tune.cluster.resources import Resources
from tune.errors import EXIT_INTERRUPTED, EXIT_SEARCH, OptionError
from tune.experiment.lock import check_links
from tune.experiment.open import StoredExperiment, open_experiment
from tune.experiment.records import read_baseline_record
from tune.experiment.trial_result import TrialResult, describe_changes, find_score_epoch, rank_trials
from tune.experiment.verdicts import VerdictRecord
from tune.invocation import this_command
from tune.paths import display_path
from tune.promotion.checks.program_checks import most_workers
from tune.promotion.snapshot import check_root
from tune.results.confirm.error_rate import count_needed_seeds
from tune.results.confirm.project import find_search_number
from tune.results.held_out import judge_trials_held_out
from tune.results.retrain_results import (
    RetrainedVersion,
    compare_with_repetition,
    find_latest,
    judge_trials,
    read_retrained,
)
from tune.results.write_back import build_no_score_error, select_trial
from tune.retrain.plan import RetrainPlan, lock_retrained, plan_retraining
from tune.search.retrain import RetrainRun
from tune.space.settings import MAX_SEED, Settings
from tune.trial.disk_space import translate_disk_full

FOUND = {"gain": "green", "loss": "red"}
"""A verdict's style; yellow where it is neither."""
DIM = "dim"


def run(given: argparse.Namespace) -> int:
    """Retrain, say what came of it, and how to load the best."""
    _check_options(given)
    arguments, screen = Arguments.from_namespace(given), Screen(quiet=given.quiet)
    with arguments.choose_backend(screen.print_line) as machine:
        return _plan_and_train(given, arguments, machine, screen)


def _plan_and_train(given: argparse.Namespace, arguments: Arguments, machine: Backend, screen: Screen) -> int:
    experiment = open_experiment(given.experiment, storage_of(given.storage))
    check_links(experiment.paths)
    check_root(experiment.snapshot)
    trials = _select_trials(experiment, given)
    space = replace(experiment.space, settings=arguments.apply_settings(experiment.space.settings))
    paths = experiment.paths
    n_runs = len(trials) * (1 + 2 * (given.seeds or 0))
    settings = replace(space.settings, trials=n_runs)
    n_workers = most_workers(experiment.snapshot.stored_program, shape=space.shape).number
    allocate = partial(
        machine.allocate_resources,
        program=experiment.snapshot.program,
        storage=paths.folder.parent,
        n_workers=n_workers,
    )
    resources = _restore_share(experiment, space.settings, n_runs, allocate) or allocate(settings)
    with lock_retrained(experiment, screen.print_result):
        with translate_disk_full(paths.folder):
            planned = plan_retraining(
                experiment, space, resources, trials, given.seeds or 0, given.own_seed, current=given.current_source
            )
        _show_plan(screen, planned, trials)
        whole = _train_runs(screen, planned)
    return _show_results(screen, planned, trials) if whole else EXIT_INTERRUPTED


def _restore_share(
    experiment: StoredExperiment, settings: Settings, n_runs: int, allocate: Callable[[Settings], Resources]
) -> Resources | None:
    """Return the resources with the share and the cores that the trials had; None where the search measured none."""
    baseline = read_baseline_record(experiment.paths, experiment.trials)
    if settings.gpus_per_trial is not None or baseline is None or not baseline.gpu_memory:
        return None
    planned = allocate(settings)
    if not planned.is_measured:
        return None
    resources = restore_share(planned, settings, baseline)
    return replace(resources, concurrency=min(resources.concurrency, n_runs))


def _train_runs(screen: Screen, planned: RetrainPlan) -> bool:
    """Run what is to be run, looked on; return whether all came to an end."""
    if not planned.runs:
        return True
    timeless = replace(planned.space, settings=replace(planned.space.settings, time_budget_s=None))
    title = f"{planned.experiment.paths.name} again"
    n_runs = len(planned.runs)
    program = planned.snapshot.stored_program
    with observe_search(
        screen, timeless, program, planned.resources, title=title, n_trials=n_runs, baseline=None
    ) as listeners:
        from tune.search.retrain import run_retraining  # takes a while: there is something to see by now

        lines = RetrainedLines(screen, planned.space.mode, listeners)

        def show_and_repeat(run: RetrainRun) -> list[RetrainRun]:
            """Show a run; return the same again where it did not come out again, and nothing tells why."""
            found = find_latest(read_retrained(planned.experiment.paths), run.request)
            if found is None or not (found.is_complete or found.has_failed):
                return []
            lines.on_run_end(run, found)
            again = planned.plan_repetition(run.outcome, found)
            return [] if again is None else [again]

        whole = run_retraining(planned.build_retraining(show_and_repeat, listeners))
    lines.show_kept()
    return whole


def _check_options(given: argparse.Namespace) -> None:
    for option, value in (("--top", given.top), ("--seeds", given.seeds)):
        if value is not None and value < 1:
            raise OptionError(option, f"must be 1 or more, got {value}", f"Write `{option} 5`.")
    if given.top is not None and given.trial is not None:
        raise OptionError("--top", "either the best trials or one by its number, got both", "Take one of them out.")
    if given.own_seed is not None and not 0 <= given.own_seed <= MAX_SEED:
        raise OptionError("--seed", f"must be 0 to {MAX_SEED}, got {given.own_seed}", "Write `--seed 1`.")


def _select_trials(experiment: StoredExperiment, given: argparse.Namespace) -> list[TrialResult]:
    """Return the trials to retrain, the best first."""
    if given.top is None:
        return [select_trial(experiment, given.trial)]
    originals = [each for each in experiment.trials if each.repeat_of is None and not each.is_baseline]
    best = rank_trials(originals, experiment.space.mode)[: given.top]
    if not best:
        raise build_no_score_error(experiment)
    return best


def _show_plan(screen: Screen, planned: RetrainPlan, trials: list[TrialResult]) -> None:
    for trial in trials:
        values = ", ".join(f"{name.rstrip('=')}={format_value(value)}" for name, value in trial.values.items())
        screen.print_line(f"retraining {trial.version}: {values}", style="bold")
    if (changed := describe_changes(trials)) is not None:
        screen.print_prose(changed, "yellow")
    if planned.seeds:
        seeds = ", ".join(map(str, planned.seeds))
        compared = "" if planned.verdict is None else ", the hardcoded values too"
        screen.print_line(f"and with fresh seeds{compared}: {seeds}")
        if planned.verdict is None:
            screen.print_prose(_describe_missing_gain(planned), "yellow")
        elif (few := _describe_few_seeds(planned, planned.verdict)) is not None:
            screen.print_prose(few, "yellow")
    if planned.reused:
        screen.print_line(
            f"{len(planned.reused)} of {len(planned.reused) + len(planned.runs)} runs are there already", DIM
        )


def _describe_few_seeds(planned: RetrainPlan, record: VerdictRecord) -> str | None:
    """Return how many seeds the verdict needs, where there are fewer; None: there are enough."""
    n_needed = count_needed_seeds(record.error_rate / max(1, len(record.trials)))
    if len(planned.seeds) >= n_needed:
        return None
    which = f"verdict {record.number} on this program and metric" if record.number > 1 else "a verdict"
    return f"{which} takes {n_needed} seeds to find a gain of three standard deviations; fewer find larger ones alone"


def _show_results(screen: Screen, planned: RetrainPlan, trials: list[TrialResult]) -> int:
    retrained = read_retrained(planned.experiment.paths)
    screen.print_line()
    _show_reproductions(screen, planned, trials, retrained)
    if planned.seeds:
        _show_verdicts(screen, planned, trials, retrained)
    return _show_best(screen, planned, retrained)


def _show_reproductions(
    screen: Screen, planned: RetrainPlan, trials: list[TrialResult], retrained: tuple[RetrainedVersion, ...]
) -> None:
    for trial in trials:
        once, again = planned.find_own_run(trial, retrained), planned.find_own_run(trial, retrained, again=True)
        if once is None or not once.is_complete:
            continue
        found = compare_with_repetition(planned.experiment, trial, once, again)
        first, *more = found.finding_lines
        screen.print_result(f"{trial.version}: {first}", style="green" if found.is_reproduced else "yellow")
        for line in more:
            screen.print_result(f"  {line}", style="yellow")


def _show_verdicts(
    screen: Screen, planned: RetrainPlan, trials: list[TrialResult], retrained: tuple[RetrainedVersion, ...]
) -> None:
    record = planned.verdict
    if record is None:
        screen.print_prose(_describe_missing_gain(planned))
        return
    found = judge_trials(retrained, planned.experiment, planned.requests, record.error_rate)
    screen.print_line()
    names = {trial.number: trial.version for trial in trials}
    baseline = next(iter(found.values())).baseline
    held_out = judge_trials_held_out(
        retrained, planned.requests, planned.space.metric, planned.space.mode, error_rate=record.error_rate
    )
    rows = [("the hardcoded values", *format_statistics(baseline), *list_means(held_out, None))]
    rows += [
        (shorten_version(screen, names[number]), *format_statistics(each.candidate), *list_means(held_out, number))
        for number, each in found.items()
    ]
    heads = (f"{planned.space.metric}, {len(planned.seeds)} fresh seeds", "mean", "standard deviation")
    screen.print_table((*heads, *list_columns(held_out)), rows)
    screen.print_line()
    for number, verdict in found.items():
        who = f"{names[number]}: " if len(found) > 1 else ""
        screen.print_prose(f"{who}{verdict.sentence}", FOUND.get(verdict.finding, "yellow"), is_result=True)
    if enough := max((each.n_enough or 0 for each in found.values()), default=0):
        missing = enough - len(planned.seeds)
        screen.print_prose(f"`{_describe_command(planned, enough)}` trains the {missing} that are missing")
    if len(record.seeds) > 1:
        show_verdict_number(screen, record, find_search_number(planned.experiment))
    show_held_out(screen, held_out, planned.space.metric, names)


def _describe_missing_gain(planned: RetrainPlan) -> str:
    """Return why there is nothing to compare: the hardcoded values alone are retrained."""
    best = planned.experiment.chosen
    why = "no trial was better than they are" if best is not None and best.is_baseline else "no other trial was named"
    return f"the hardcoded values alone are retrained, for {why}: there is no gain to judge"


def _describe_command(planned: RetrainPlan, n_seeds: int) -> str:
    """Return the command that retrains the same trials with more seeds."""
    best, trials = planned.experiment.chosen, planned.trials
    which = f" --top {len(trials)}" if len(trials) > 1 else ""
    if len(trials) == 1 and (best is None or trials[0].number != best.number):
        which = f" --trial {trials[0].number}"
    return f"{this_command()} retrain {planned.experiment.paths.cli_argument}{which} --seeds {n_seeds}"


def _show_best(screen: Screen, planned: RetrainPlan, retrained: tuple[RetrainedVersion, ...]) -> int:
    """Show the checkpoint of the best run of what was asked for, and how to load it."""
    runs = [each for request in planned.requests if (each := find_latest(retrained, request)) is not None]
    asked = {trial.number for trial in planned.trials}
    scored = [
        (score, each)
        for each in runs
        if each.request.trial in asked and (score := each.seed_run.best_score(planned.space.mode)) is not None
    ]
    if scored:
        sign = -1 if planned.space.mode == "max" else 1
        score, best = min(scored, key=lambda pair: sign * pair[0])
        epoch = find_score_epoch(best.curve, planned.space.mode, best.n_fits)
        screen.print_line()
        screen.print_result(
            f"the best run: {planned.space.metric} = {score:.5g} {describe_origin(best, epoch)}", "bold"
        )
        screen.print_result(f"checkpoint: {display_path(best.files.best_checkpoint)}")
        screen.print_line()
        screen.print_line("from tune import load")
        screen.print_line(f'model = load("{display_path(best.files.folder)}")')
    failed = [each for each in runs if each.has_failed]
    for each in failed:
        screen.print_result(f"the whole traceback: {display_path(each.files.error)}", style="red")
    lost = [each for each in runs if not (each.is_complete or each.has_failed)]
    for each in lost:
        screen.print_result(
            f"its worker died: retrain/{each.files.folder.name}; its last words: {display_path(each.files.log)}", "red"
        )
    return EXIT_SEARCH if failed or lost else 0

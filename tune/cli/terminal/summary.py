"""What a search shows on the terminal: the space at the start, a line a trial, the best at the end."""

import os
import shlex
import shutil
import socket
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tune.cli.terminal.console import STYLES
from tune.cli.terminal.screen import Screen, format_trial_count, format_value, one_line
from tune.cli.terminal.streams import print_error
from tune.cluster.resources import Resources
from tune.experiment.open import StoredExperiment
from tune.experiment.proposal_note import SearchPause
from tune.experiment.trial_result import Mode, TrialResult, is_improvement, pareto_front, rank_trials
from tune.paths import display_path, shell_word
from tune.promotion.find.literals import Unknown
from tune.promotion.program import Program
from tune.promotion.resolve import PromotedConstant, baseline_value
from tune.results.failure_groups import FailureGroup
from tune.results.hints.find_hints import Hint
from tune.search.controller_api import SearchListener
from tune.search.search_plan import count_trials
from tune.space.conditions import describe_condition, restore_value
from tune.space.dimensions import describe_dimension
from tune.space.space import Space
from tune.storage_url import url_of

TENSORBOARD_PORT = 6006
INACTIVE = "-"  # a constant that keeps its hardcoded value, since its condition does not hold


def show_space(
    screen: Screen,
    space: Space,
    promoted: Sequence[PromotedConstant],
    program: Program,
    resources: Resources,
    remarks: Mapping[str, str] | None = None,
) -> None:
    """Show what will be searched, and how; ``remarks`` say of each constant what told its range."""
    settings = space.settings
    screen.print_line(f"{program.source.name}: {space.goal}", style="bold")
    device = f"{resources.gpus_per_trial:g} GPU" if resources.gpus_per_trial else f"{resources.cpus_per_trial:g} CPU"
    if 0 < resources.gpus_per_trial < 1:
        device += f" and {resources.gpus_per_trial:.0%} of its memory"
    for line in resources.summary_text.splitlines():
        screen.print_line(line)
    together = f", in {resources.workers_per_trial} processes" if resources.workers_per_trial > 1 else ""
    at_a_time = "as many at a time as a GPU has room for"
    if not resources.is_measured:
        at_a_time = f"{resources.concurrency} at a time with {device} each{together}"
    screen.print_line(
        f"{format_trial_count(count_trials(space, promoted))}, {at_a_time}; "
        f"sampler {settings.sampler}, scheduler {_describe_scheduler(space)}, seed {settings.seed}"
    )
    screen.print_line()
    rows = [(item.key, format_value(item.constant.value), _describe_searched(item, space)) for item in promoted]
    if remarks:
        whys = [remarks.get(item.key, "") for item in promoted]
        screen.print_table(
            ("constant", "hardcoded", "searched", "told by"),
            [(*row, why) for row, why in zip(rows, whys, strict=True)],
        )
    else:
        screen.print_table(("constant", "hardcoded", "searched"), rows)
    screen.print_line()


def _describe_scheduler(space: Space) -> str:
    name = space.settings.scheduler
    if space.stops_early or name == "none":
        return name
    return "none (of several metrics `scheduler_args: {metric: ...}` names one to stop trials by)"


def _describe_searched(item: PromotedConstant, space: Space) -> str:
    condition = space.conditions.get(item.key)
    return describe_dimension(item.dimension) + (f"; when {describe_condition(condition)}" if condition else "")


def show_tensorboard(screen: Screen, storage: Path) -> None:
    """Show how to look on while it runs."""
    port = _free_port(TENSORBOARD_PORT)
    screen.print_line(f"TensorBoard    {tool_command('tensorboard')} --logdir {word_here(storage)} --port {port}")
    screen.print_line()


def show_dashboard(screen: Screen, address: str) -> None:
    """Show where Ray's dashboard is, in between the lines of the trials; from any thread."""
    with screen.lock:
        screen.print_line(f"Ray dashboard  http://{address}")
        if os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
            warning = "RAY_AUTH_MODE=disabled: any user of this machine can run code as you"
            screen.print_result(f"warning: {warning}", style="bold red")
        else:
            file = os.environ.get("RAY_AUTH_TOKEN_PATH")
            where = f"RAY_AUTH_TOKEN_PATH={word_here(Path(file))} " if file else ""
            screen.print_line(f"  its token    {where}{tool_command('ray')} get-auth-token")


class TrialLines(SearchListener):
    """One line a trial that ended."""

    def __init__(self, screen: Screen, mode: Mode, n_trials: int, before: Sequence[TrialResult] = ()) -> None:
        self._screen = screen
        self._mode = mode
        self._n_trials = n_trials
        ended = rank_trials(before, mode)
        self._n_ended = sum(outcome.state in ("complete", "pruned", "failed") for outcome in before)
        self._best: float | None = ended[0].score if ended and ended[0].is_comparable else None

    def on_proposal(self, number: int) -> None:
        """Count a trial that somebody proposed."""
        self._n_trials += 1

    def on_limits_changed(self, n_more: int, concurrency: int | None, time_budget_s: float | None) -> None:
        """Count more trials."""
        self._n_trials += n_more

    def on_pause(self, pause: SearchPause | None) -> None:
        """Print that the search is paused, or goes on."""
        self._screen.print_line("the search goes on" if pause is None else f"{pause.description}: no trial starts")

    def on_trial_end(self, outcome: TrialResult) -> None:
        """Print a trial; the best so far carries a star."""
        self._n_ended += 1
        score = outcome.score if outcome.state != "failed" and outcome.is_comparable else None
        leads = score is not None and is_improvement(self._mode, score, self._best)
        if leads:
            self._best = outcome.score
        count = f"{self._n_ended:>{len(str(self._n_trials))}}/{self._n_trials}"
        scores = " ".join(f"{value:<10.5g}" for value in outcome.scores)
        what = one_line(outcome.reason or "") if outcome.state == "failed" else scores
        line = (
            f"{count} {'*' if leads else ' '} {outcome.state:<8} {outcome.formatted_length}  "
            f"{what:<10}  {_describe_version(outcome)}"
        )
        self._screen.print_line(line, style=STYLES[outcome.state])


def _describe_version(outcome: TrialResult) -> str:
    if outcome.proposal is not None and outcome.repeat_of is None:
        return f"{outcome.version}, proposed"
    return outcome.version if outcome.repeat_of is None else f"{outcome.number:03d}, repeat of {outcome.version}"


def show_end(
    screen: Screen, outcomes: Sequence[TrialResult], space: Space, promoted: Sequence[PromotedConstant]
) -> TrialResult | None:
    """Show the best values and their gain over the hardcoded ones; return the best trial, None when there is none."""
    screen.print_line()
    if (failure := baseline_failure(outcomes)) is not None:
        screen.print_result(failure, style="red")
    counts = Counter(outcome.state for outcome in outcomes)
    screen.print_line(
        f"{format_trial_count(len(outcomes))}: "
        + ", ".join(f"{counts[state]} {state}" for state in STYLES if counts[state])
    )
    best = next(iter(rank_trials(outcomes, space.mode)), None)
    if best is None or best.score is None:
        return None
    told = f"best: {space.metric} = {best.score:.5g} {best.score_origin} of {best.version}"
    screen.print_prose(told, "bold", is_result=True)
    baseline = next((outcome for outcome in outcomes if outcome.is_baseline), None)
    if baseline is not None and (reference := baseline.final_score) is not None:
        gain = f"better by {abs(best.score - reference):.5g}" if best is not baseline else "no trial was better"
        screen.print_line(f"the hardcoded values: {reference:.5g}; {gain}")
    show_front(screen, outcomes, space)
    screen.print_line()
    trained = {} if baseline is None else baseline.values
    screen.print_table(
        ("constant", "hardcoded", "best"),
        [(item.key, format_value(baseline_value(item, trained)), _best_value(item, best)) for item in promoted],
    )
    screen.print_line()
    return best


def baseline_failure(outcomes: Sequence[TrialResult]) -> str | None:
    """Return a line about a baseline that failed: nothing is known to be better than the hardcoded values then."""
    failed = next((each for each in outcomes if each.is_baseline and each.state == "failed"), None)
    if failed is None:
        return None
    return f"the baseline failed, so no gain is known: {one_line(failed.reason or '')}"


def _best_value(item: PromotedConstant, best: TrialResult) -> str:
    """Return a constant of the best trial; the ledger makes lists of tuples, and lacks a value that no source tells."""
    if item.key in best.values:
        return format_value(restore_value(item.dimension, best.values[item.key]))
    return format_value(item.value) if best.is_baseline and isinstance(item.value, Unknown) else INACTIVE


def show_front(screen: Screen, outcomes: Sequence[TrialResult], space: Space) -> None:
    """Show, of several metrics, the trials that no other one beats in one metric without losing in another."""
    if not space.others:
        return
    front = pareto_front(outcomes, [each.mode for each in space.objectives])
    screen.print_line()
    screen.print_line(f"Pareto front: {len(front)} of {format_trial_count(len(outcomes))}")
    columns = (*(f"{each.metric} ({each.mode})" for each in space.objectives), "epoch", "version")
    screen.print_table(
        columns, [(*map(format_value, each.scores), str(each.best_epoch), _describe_version(each)) for each in front]
    )


def word_here(path: Path) -> str:
    """Return a path of this machine as one word, also of what is a copy."""
    return shell_word(path) if url_of(path) is None else shlex.quote(str(path))


def tool_command(name: str) -> str:
    """Return how the user calls a program of our environment, from the working directory."""
    path = Path(sys.executable).with_name(name)
    if (found := shutil.which(name)) is not None and Path(found).resolve() == path.resolve():
        return name
    return min(os.path.relpath(path), display_path(path), key=len)


def _free_port(first: int) -> int:
    for port in range(first, first + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    return first


MOST_GROUPS = 5
MOST_DOUBTS = 5


def show_failures(screen: Screen, groups: Sequence[FailureGroup]) -> None:
    """Show each cause with its place, an example, and the region, if one tells it."""
    if not groups:
        return
    n_failed = sum(len(group.trials) for group in groups)
    causes = f"{len(groups)} causes" if len(groups) > 1 else "one cause"
    screen.print_line(f"{n_failed} failed, of {causes}:" if n_failed > 1 else "one failed:", style="bold")
    for group in groups[:MOST_GROUPS]:
        count = f"{len(group.trials)} x " if len(group.trials) > 1 else ""
        screen.print_line(f"  {count}{one_line(group.cause)}", style="red")
        if group.place is not None:
            screen.print_line(f"    at {group.place}" + (f": {one_line(group.code)}" if group.code else ""))
        if group.region is not None:
            screen.print_prose(f"    {group.sentence}", style="bold")
        constants = ", ".join(f"{name.rstrip('=')}={format_value(value)}" for name, value in group.constants.items())
        screen.print_line(f"    such as {constants}")
        screen.print_line(f"    its log: {display_path(group.log)}")
    if len(groups) > MOST_GROUPS:
        screen.print_line(f"  and {len(groups) - MOST_GROUPS} causes more")
    screen.print_line()


def show_hints(screen: Screen, hints: Sequence[Hint]) -> None:
    """Show what the trials suggest."""
    for hint in hints:
        screen.print_prose(f"hint: {hint.sentence}", style="cyan")
    if hints:
        screen.print_line()


def warn_of_doubts(experiments: Iterable[StoredExperiment]) -> None:
    """Say on standard error what contradicts itself in the files, so that output for machines stays as it is."""
    for experiment in experiments:
        for doubt in experiment.doubts[:MOST_DOUBTS]:
            print_error(f"warning: {doubt}\n")
        if len(experiment.doubts) > MOST_DOUBTS:
            print_error(
                f"warning: {len(experiment.doubts) - MOST_DOUBTS} contradictions more in {experiment.paths.name}\n"
            )

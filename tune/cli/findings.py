"""What a search found out beside the best values: why trials failed, and what to do next."""

from collections.abc import Iterable, Sequence

from tune.cli.screen import Screen, one_line, shown
from tune.cli.streams import complain
from tune.paths import short
from tune.results.experiment import Experiment
from tune.results.failures import FailureGroup
from tune.results.hints import Hint

MOST_GROUPS = 5
MOST_DOUBTS = 5


def show_failures(screen: Screen, groups: Sequence[FailureGroup]) -> None:
    """Show each cause with its place, an example, and the region, if one tells it."""
    if not groups:
        return
    n_failed = sum(len(group.trials) for group in groups)
    causes = f"{len(groups)} causes" if len(groups) > 1 else "one cause"
    screen.line(f"{n_failed} failed, of {causes}:" if n_failed > 1 else "one failed:", style="bold")
    for group in groups[:MOST_GROUPS]:
        count = f"{len(group.trials)} x " if len(group.trials) > 1 else ""
        screen.line(f"  {count}{one_line(group.cause)}", style="red")
        if group.place is not None:
            screen.line(f"    at {group.place}" + (f": {one_line(group.code)}" if group.code else ""))
        if group.region is not None:
            screen.line(f"    {group.sentence}", style="bold")
        constants = ", ".join(f"{name}={shown(value)}" for name, value in group.constants.items())
        screen.line(f"    such as {constants}")
        screen.line(f"    its log: {short(group.log)}")
    if len(groups) > MOST_GROUPS:
        screen.line(f"  and {len(groups) - MOST_GROUPS} causes more")
    screen.line()


def show_hints(screen: Screen, hints: Sequence[Hint]) -> None:
    """Show what the trials suggest."""
    for hint in hints:
        screen.line(f"hint: {hint.sentence}", style="cyan")
    if hints:
        screen.line()


def warn_of_doubts(experiments: Iterable[Experiment]) -> None:
    """Say on standard error what contradicts itself in the files, so that output for machines stays as it is."""
    for experiment in experiments:
        for doubt in experiment.doubts[:MOST_DOUBTS]:
            complain(f"warning: {doubt}\n")
        if len(experiment.doubts) > MOST_DOUBTS:
            complain(
                f"warning: {len(experiment.doubts) - MOST_DOUBTS} contradictions more in {experiment.paths.name}\n"
            )

"""The picture of a search that runs, for a terminal of any size; sparklines."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from tune.cli.terminal.console import STYLES
from tune.cli.terminal.screen import one_line
from tune.cli.terminal.streams import make_printable_line
from tune.experiment.trial_result import TrialResult
from tune.search.progress import Running, SearchStatus, format_clock, format_estimate

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.-=+*#@"
MIDDLE = 3
LOST = "x"
"""A value that is not finite."""


def sparkline(values: Sequence[float], width: int, *, ascii_only: bool = False) -> str:
    """Return the curve from its lowest to its highest value, in ``width`` signs at most; of a longer one, even samples.

    The last value is always among them.
    """
    signs = ASCII if ascii_only else BLOCKS
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    return "".join(_choose_sign(value, low, high, signs) for value in _sample_values(values, width))


def _sample_values(values: Sequence[float], width: int) -> Sequence[float]:
    if len(values) <= width:
        return values
    step = (len(values) - 1) / max(1, width - 1)
    return [values[-1 - round(place * step)] for place in range(width)][::-1]


def _choose_sign(value: float, low: float, high: float, signs: str) -> str:
    if not math.isfinite(value):
        return LOST
    if low == high:
        return signs[MIDDLE]
    share = value / (high - low) - low / (high - low)  # the difference of two finite values may be none
    return signs[min(len(signs) - 1, int(max(0.0, share) * len(signs)))]


NARROW = 60  # columns; below, what can be left out is
WIDE = 110  # columns; from here on curves get more room
SHORT = 16  # rows; below, trials that ended are left out
BAR = 30  # cells, or half of the line if that is less
NUMBERS = 33  # cells of a running trial's epoch, time and metric
DEVICE = 12  # cells of a GPU's name: of a UUID enough to tell it from others
LABEL = 13  # cells of "best so far  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture, drawn as wide and as high as the terminal is at that moment; nothing in it breaks a line."""

    title: str
    """The experiment's name."""
    metric: str
    standing: SearchStatus
    now: float
    """On the clock of the standing's trials."""
    phase: str
    """What goes on before the first trial ends."""
    said: str
    """The last line: what Ctrl-C does, or that it was heard."""
    keys: str = ""
    """A line below it: what keys do, or what they ask; empty where none are read."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(20, console.width - 1)  # the last column stays free: some terminals break the line there
        ascii_only = options.ascii_only
        above = [*self._draw_head(width, ascii_only), *self._draw_leaders(), self._draw_counts()]
        below = [Text(), Text(self.said, style="yellow" if self.standing.has_ended else "dim")]
        below += [Text(make_printable_line(self.keys), style="dim")] if self.keys else []
        room = console.height - len(above) - len(below) - 1
        shown = list(self._draw_running(width, room, ascii_only))
        lines = [*above, *shown, *self._draw_latest(room - len(shown), console.height), *below]
        for line in lines:
            line.no_wrap = True
            line.truncate(width, overflow="crop" if ascii_only else "ellipsis")
            yield line

    def _draw_head(self, width: int, ascii_only: bool) -> Iterator[Text]:
        standing = self.standing
        done = f"{standing.n_ended}/{standing.n_trials} trials"
        n_cells = min(BAR, width // 2, width - len(done) - 2)
        line = Text.assemble(*_draw_bar(standing.done_share, n_cells, ascii_only), "  ", (done, "bold"))
        title = Text(make_printable_line(self.title), style="bold")
        if width < NARROW:
            yield title
        else:
            title.truncate(max(8, width - len(line) - 2), overflow="crop" if ascii_only else "ellipsis")
            line = Text.assemble(title, "  ", line)
        yield line
        yield Text(self._describe_times())
        yield Text()

    def _describe_times(self) -> str:
        standing = self.standing
        spent = f"{format_clock(standing.elapsed_s)} so far"
        if standing.pause is not None and not standing.has_ended:
            return f"{spent}, {standing.pause.description}: no trial starts"
        if standing.left_s is not None and not standing.has_ended:
            return f"{spent}, about {format_estimate(standing.left_s)} left"
        return f"{spent}, {self.phase}" if self.phase and not standing.n_ended else spent

    def _draw_leaders(self) -> Iterator[Text]:
        best, baseline = self.standing.best, self.standing.baseline
        if best is not None:
            label = "best so far"
            where = f"epoch {best.epoch} of {best.version}"
            yield Text.assemble((f"{label:<{LABEL}}", "dim"), (f"{best.score:<9.5g}", "bold green"), f"  {where}")
        if baseline is not None and best is not None:
            gain = abs(best.score - baseline.score)
            better = f"the best is better by {gain:.5g}" if best.version != baseline.version else "none is better yet"
            yield Text.assemble((f"{'hardcoded':<{LABEL}}", "dim"), f"{baseline.score:<9.5g}  ", better)

    def _draw_counts(self) -> Text:
        line = Text(f"{'trials':<{LABEL}}", style="dim")
        counts = [(state, self.standing.counts[state]) for state in STYLES if self.standing.counts[state]]
        for place, (state, count) in enumerate(counts):
            line.append(", " if place else "", style="default")
            line.append(f"{count} {state}", style=f"not dim {STYLES[state]}")
        return line if counts else Text(f"{'trials':<{LABEL}}none yet", style="dim")

    def _draw_running(self, width: int, room: int, ascii_only: bool) -> Iterator[Text]:
        trials = self.standing.running
        if not trials or room < 4:
            return
        yield Text()
        n_shown = len(trials) if len(trials) <= room - 2 else max(0, room - 3)
        curve = 0 if width < NARROW else 30 if width >= WIDE else 12
        devices = {} if width < NARROW else name_devices(trials)
        n_cells = max([len("GPU"), *map(len, devices.values())]) + 2 if devices else 0
        name = max(12, width - NUMBERS - curve - n_cells)
        name = min(name, max(len("running"), *(len(trial.version) for trial in trials)))
        metric = Text(make_printable_line(self.metric))
        metric.truncate(10 + curve, overflow="ellipsis")
        gpu = f"{'GPU':>{n_cells}}" if devices else ""
        yield Text(f"{'running':<{name}}{gpu}  {'epoch':>10}  {'time':>7}  {metric.plain}", style="dim")
        for trial in trials[:n_shown]:
            gpu = f"{devices.get(trial.number, ''):>{n_cells}}" if devices else ""
            yield self._draw_row(trial, name, gpu, curve, ascii_only)
        if n_shown < len(trials):
            yield Text(f"and {len(trials) - n_shown} more", style="dim")

    def _draw_row(self, trial: Running, name: int, gpu: str, curve: int, ascii_only: bool) -> Text:
        version = Text(trial.version)
        version.truncate(name, overflow="crop" if ascii_only else "ellipsis", pad=True)
        values = [value for _, value in sorted(trial.curve.items())]
        leads = self.standing.best is not None and self.standing.best.version == trial.version
        return Text.assemble(
            version,
            gpu,
            f"  {_describe_epoch(trial):>10}",
            (f"  {format_clock(self.now - trial.started):>7}  ", "dim"),
            (f"{values[-1]:<9.5g} " if values else "", "bold green" if leads else ""),
            (sparkline(values, curve, ascii_only=ascii_only), "cyan"),
        )

    def _draw_latest(self, room: int, height: int) -> Iterator[Text]:
        latest = self.standing.latest[: max(0, room - 2)]
        if not latest or height < SHORT:
            return
        yield Text()
        yield Text("ended", style="dim")
        for outcome in latest:
            yield _draw_ended(outcome)


def name_devices(trials: Sequence[Running]) -> dict[int, str]:
    """Return how the GPUs of trials are called in few cells, by number: with their host where there are several."""
    known = {trial.number: trial.device.rpartition(":") for trial in trials if trial.device.rpartition(":")[2]}
    has_hosts = len({host for host, _, _ in known.values()}) > 1
    return {
        number: f"{host[:DEVICE]}:{device[:DEVICE]}" if has_hosts else device[:DEVICE]
        for number, (host, _, device) in known.items()
    }


def _draw_bar(share: float, n_cells: int, ascii_only: bool) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return what is done and what is left, to be told apart without colours too."""
    done, left = "#." if ascii_only else "━─"
    n_done = int(share * n_cells)
    return (done * n_done, "green"), (left * (n_cells - n_done), "dim")


def _describe_epoch(trial: Running) -> str:
    if not trial.curve:
        return "pre-flight" if trial.in_preflight else "starts"
    return f"{max(trial.curve)}/{trial.n_epochs}" if trial.n_epochs else str(max(trial.curve))


def _draw_ended(outcome: TrialResult) -> Text:
    style = STYLES[outcome.state]
    if outcome.state == "failed":
        return Text.assemble(
            ("failed  ", style), f" {outcome.formatted_length}  {outcome.number:03d}  {one_line(outcome.reason or '')}"
        )
    score = " ".join(f"{value:<9.5g}" for value in outcome.scores)
    return Text.assemble((f"{outcome.state:<8}", style), f" {outcome.formatted_length}  {score:<9}  {outcome.version}")

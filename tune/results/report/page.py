"""The page: what stands on it, its template, and plotly.js as it goes into it."""

import base64
import gzip
import importlib.util
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from tune.errors import ExperimentError
from tune.paths import atomic_write, display_path
from tune.results.failure_groups import FailureRow
from tune.results.report.plot import Plot
from tune.results.report.value_table import ValueRow
from tune.results.results_as_json import replace_non_finite
from tune.version import __version__

LEVEL = 6
"""Of gzip: 9 takes twice as long for half a per cent."""


@lru_cache
def plotly_js() -> str:
    """Return plotly.js, which the Python package brings along; packed."""
    spec = importlib.util.find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    return compress_bytes((Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes())


def compress_json(value: Any) -> str:
    """Return a value as packed JSON; what is not a finite number is null there."""
    return compress_bytes(json.dumps(replace_non_finite(value), allow_nan=False, separators=(",", ":")).encode())


def compress_bytes(raw: bytes) -> str:
    """Return bytes compressed, in letters that mean nothing to HTML."""
    return base64.b64encode(gzip.compress(raw, LEVEL, mtime=0)).decode()


ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceRow:
    """The importance of a constant."""

    name: str
    percent: float
    is_clear: bool
    """Whether shuffled scores hardly ever make it as important."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """A trial in a table."""

    number: int
    state: str
    scores: tuple[str, ...]
    epochs: str
    """The best one, and how many there were: ``8 of 10``."""
    values: tuple[str, ...]
    version: str
    note: str
    """What is special about it: ``best``, ``hardcoded``, or empty."""
    proposed: str = ""
    """Who proposed it, and why; or who stopped it. Empty: nobody did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that stands on it, in words and figures."""

    name: str
    program: str
    goal: str
    """``maximise Accuracy/Val``."""
    facts: tuple[tuple[str, str], ...]
    """What and how much: ``("took", "29 s")``."""
    running: int
    """Trials that run while the report is made."""
    waiting: int
    """Trials that wait for `resume`."""
    metric: str
    best: str | None
    """The best score; None where no trial has one."""
    baseline: str | None
    gain: str
    """``better by 0.082``, or why there is none."""
    confirmed: tuple[str, ...]
    """What the confirmation found, a line each; none where there is none."""
    chosen_by: str
    """What chose the values that stand beside the hardcoded ones: ``best``, ``confirmed``."""
    is_better: bool
    front: int | None
    """Trials on the Pareto front; None where there is one metric."""
    hints: tuple[str, ...]
    rows: tuple[ValueRow, ...]
    diff: str
    overview: tuple[Plot, ...]
    """History, curves, the Pareto front."""
    shares: tuple[ImportanceRow, ...]
    """None where too few trials have a score."""
    n_for_importance: int
    """With how many trials they are told."""
    constants: tuple[Plot, ...]
    """Parallel coordinates and contours."""
    slices: tuple[Plot, ...]
    workers: tuple[Plot, ...]
    time_columns: tuple[str, ...]
    time_rows: tuple[tuple[str, ...], ...]
    """Where the time went; none where the search was not profiled."""
    failures: tuple[FailureRow, ...]
    columns: tuple[str, ...]
    """Of the table of trials: metrics, then constants."""
    lines: tuple[TrialRow, ...]
    """Every trial, the best first."""
    commands: tuple[str, ...]
    """What was typed."""
    space: str
    """The space as run, in YAML."""
    folder: str
    loads: str
    """Python that loads the best model; empty where there is none."""
    next: tuple[str, ...]
    """Commands that come next."""
    made: str
    """When, by which version."""

    @property
    def plots(self) -> tuple[Plot, ...]:
        """All that is drawn."""
        return (*self.overview, *self.constants, *self.slices, *self.workers)


def render_page(page: Page) -> str:
    """Return the HTML of a search's report."""
    return render_template("page.html", page, page.plots)


def render_template(template: str, page: object, plots: Sequence[Plot]) -> str:
    """Return the HTML of a page: one file, with nothing that comes from a network."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = {plot.name: {"height": plot.height, "figures": list(plot.figures.values())} for plot in plots}
    return environment.get_template(template).render(
        page=page,
        style=Markup((ASSETS / "page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        script=Markup((ASSETS / "page.js").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        plotly=plotly_js() if plots else "",
        figures=compress_json(figures),
        nonce=secrets.token_urlsafe(16),  # scripts without it are not run, wherever they came from
    )


def describe_creation() -> str:
    """Return who made a page, and when."""
    return f"Made by Promotune {__version__}, {datetime.now().astimezone():%d %B %Y, %H:%M %Z}."


CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}
"""No page has them: a browser shows nothing, and a terminal would act on them."""


def write_page(html: str, path: Path) -> Path:
    """Write a page whole, and return where it is; raise ExperimentError if that cannot be done."""
    text = html.replace("\r\n", "\n").translate(CONTROLS)
    try:
        with atomic_write(path) as aside:
            aside.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        what = f"the report cannot be written: {error.strerror}"
        raise ExperimentError(display_path(path), what, "Give another file with -o.") from error
    return path

"""How far a search is, while a program or a notebook runs it: a line that is rewritten, or a table and curves."""

import contextlib
import math
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from tune.experiment.proposal_note import SearchPause
from tune.search.controller_api import SearchListener
from tune.trial.messages import EpochReport

if TYPE_CHECKING:
    from tune.search.search_plan import SearchPlan

REWRITE_S = 0.5
"""How long a line of progress stands at least, unless a trial ends."""


class UserOutput:
    """The user's own streams, as they are when this is made: a search redirects those of the process to its log."""

    def __init__(self) -> None:
        self._streams = sys.stdout, sys.stderr
        for stream in self._streams:  # what the user printed before the search would go to its log
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.flush()

    @contextlib.contextmanager
    def restore_streams(self) -> Iterator[TextIO]:
        """Send what is printed to the user meanwhile; give the user's standard output."""
        from tune.trial.process.output import restore_output

        output, errors = self._streams
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors), restore_output():
            yield output


class ProgressView(SearchListener):
    """Draws how far a search is, a few times a second at most; a subclass says how."""

    REDRAW_S = REWRITE_S
    """How long a picture stands at least, unless a trial ends; seconds."""

    def __init__(self, plan: "SearchPlan") -> None:
        from tune.search.progress import Progress, expected_share
        from tune.search.schedulers.trial_length import count_reports
        from tune.search.search_plan import count_trials

        space = plan.space
        self.progress: Progress = Progress(
            space.mode,
            count_trials(space, plan.promoted),
            plan.resources.concurrency,
            n_epochs=count_reports(space, plan.program, None),
            time_budget_s=space.settings.time_budget_s,
            expected_share=expected_share(space),
        )
        """Is called before this one."""
        self.metric = space.metric
        self._drawn_at = -math.inf

    def on_ray_start(self) -> None:
        """Draw anew."""
        self._draw()

    def on_epoch(self, number: int, epoch: EpochReport) -> None:
        """Draw anew, unless that was done a moment ago."""
        if time.monotonic() - self._drawn_at >= self.REDRAW_S:
            self._draw()

    def on_pause(self, pause: SearchPause | None) -> None:
        """Draw anew."""
        self._draw()

    def on_worker_free(self, number: int) -> None:
        """Draw anew: the trial that ended runs no more."""
        self._draw()

    def close(self) -> None:
        """Draw for the last time."""
        self.draw(is_last=True)

    def _draw(self) -> None:
        self.draw()
        self._drawn_at = time.monotonic()

    def draw(self, *, is_last: bool = False) -> None:
        """Show the progress as it is now."""
        raise NotImplementedError


class ProgressLine(ProgressView):
    """Rewrites one line of the user's output while a search runs; a notebook's cell takes it as a terminal does."""

    def __init__(self, plan: "SearchPlan") -> None:
        super().__init__(plan)
        self._output = UserOutput()
        self._shown = ""

    def draw(self, *, is_last: bool = False) -> None:
        """Rewrite the line; end it at last."""
        line = self.progress.current_status().describe_line(self.metric)
        blanks = " " * (len(self._shown) - len(line))
        self._shown = line
        with self._output.restore_streams() as output, contextlib.suppress(OSError, ValueError):  # nobody may read it
            output.write(f"\r{line}{blanks}" + ("\n" if is_last else ""))
            output.flush()

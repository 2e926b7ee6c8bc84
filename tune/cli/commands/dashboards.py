"""``promotune dashboards EXPERIMENT``: TensorBoard and optuna-dashboard on it, until Ctrl-C."""

import argparse
import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from tune.cli.parser import storage_of
from tune.cli.terminal.screen import Screen
from tune.cli.terminal.summary import tool_command
from tune.experiment.lock import dashboard_of
from tune.gc_control import collector_resumed


def run(given: argparse.Namespace) -> int:
    """Start them, print the links, and end them with this process."""
    from tune.experiment.open import open_experiment

    experiment = open_experiment(given.experiment, storage_of(given.storage))
    paths, metrics = experiment.paths, [each.metric for each in experiment.space.objectives]
    screen = Screen()
    with _event_on_signal() as told:
        from tune.results.dashboards import serve_optuna_dashboard, serve_tensorboard

        with serve_tensorboard(paths.folder, metrics) as board, serve_optuna_dashboard(paths) as ledger:
            screen.print_line(f"TensorBoard       {board}")
            screen.print_line(f"optuna-dashboard  {ledger}  (read-only)")
            if (ray := dashboard_of(paths)) is not None:
                screen.print_line(f"Ray dashboard     http://{ray}")
                screen.print_line(f"  its token       {tool_command('ray')} get-auth-token")
            screen.print_line("Ctrl-C ends them")
            with collector_resumed():  # each request leaves a cycle
                told.wait()
    return 0


@contextlib.contextmanager
def _event_on_signal() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set."""
    told = threading.Event()

    def tell(number: int, frame: FrameType | None) -> None:
        told.set()

    before = {each: signal.signal(each, tell) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)

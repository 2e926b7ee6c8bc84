"""``run_search.py dashboards EXPERIMENT``: TensorBoard and optuna-dashboard on it, until Ctrl-C."""

import argparse
import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from tune.cli.parser import Parser, add_storage, described, storage_of
from tune.cli.terminal.summary import Screen, tool
from tune.experiment.lock import dashboard_of
from tune.gc_control import collector_resumed
from tune.paths import ExperimentPaths


def parser() -> Parser:
    """Return what it takes on the command line."""
    parser = Parser(prog="run_search.py dashboards", description=described("dashboards"))
    parser.add_argument("experiment", help="its name, or its folder")
    add_storage(parser)
    return parser


def run(given: argparse.Namespace) -> int:
    """Start them, print the links, and end them with this process."""
    from tune.experiment.open import open_experiment

    paths = ExperimentPaths(open_experiment(given.experiment, storage_of(given.storage)).paths.folder)
    screen = Screen()
    with _until_told() as told:
        from tune.results.dashboards import optuna_dashboard, tensorboard

        with tensorboard(paths.folder) as board, optuna_dashboard(paths) as ledger:
            screen.line(f"TensorBoard       {board}")
            screen.line(f"optuna-dashboard  {ledger}  (read-only)")
            if (ray := dashboard_of(paths)) is not None:
                screen.line(f"Ray dashboard     http://{ray}")
                screen.line(f"  its token       {tool('ray')} get-auth-token")
            screen.line("Ctrl-C ends them")
            with collector_resumed():  # each request leaves a cycle
                told.wait()
    return 0


@contextlib.contextmanager
def _until_told() -> Iterator[threading.Event]:
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

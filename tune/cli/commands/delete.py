"""``promotune delete EXPERIMENT [VERSION...]``."""

import argparse
import contextlib
import sys
from collections.abc import Iterator

from tune.cli.parser import storage_of
from tune.cli.terminal.screen import Screen
from tune.errors import OptionError
from tune.experiment.lock import lock_experiment
from tune.paths import ExperimentPaths, display_path
from tune.results.experiments import delete_stored_folder, experiment_to_delete, versions_to_delete


def run(given: argparse.Namespace) -> int:
    """Say what is to be deleted, ask, and delete it; a search or a retraining that runs is left alone."""
    paths = experiment_to_delete(given.experiment, storage_of(given.storage))
    with _lock_both(paths):
        versions = versions_to_delete(paths, given.versions)
        folders = [each.folder for each in versions] or [paths.folder]
        screen = Screen()
        for folder in folders:
            screen.print_line(f"to be deleted: {display_path(folder)}")
        if not given.yes and not _ask_confirmation():
            screen.print_line("nothing was deleted")
            return 0
        for folder in folders:
            delete_stored_folder(folder)
    screen.print_line("deleted" if not versions else "deleted; the ledger keeps what the trials were worth")
    return 0


@contextlib.contextmanager
def _lock_both(paths: ExperimentPaths) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(lock_experiment(paths))
        if paths.retrain_folder.is_dir() and not paths.retrain_folder.is_symlink():
            stack.enter_context(lock_experiment(ExperimentPaths(paths.retrain_folder)))
        yield


def _ask_confirmation() -> bool:
    """Ask on the terminal; raise OptionError where nobody could answer."""
    if not sys.stdin.isatty():
        raise OptionError(None, "there is no terminal to ask whether to delete", "Write `--yes` if you are sure.")
    sys.stdout.write("Delete? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().casefold() in ("y", "yes")

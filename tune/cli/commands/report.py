"""``promotune report EXPERIMENT``: one HTML file that says what came of it, to look at or to send."""

import argparse

from tune.cli.parser import storage_of
from tune.cli.terminal.screen import Screen
from tune.cli.terminal.summary import warn_of_doubts
from tune.paths import display_path
from tune.storage.driver_sync import upload_if_remote
from tune.storage_url import absolute_path


def run(given: argparse.Namespace) -> int:
    """Write it, and say where it is."""
    from tune.experiment.open import open_experiment
    from tune.results.report.build_report import write_report

    experiment = open_experiment(given.experiment, storage_of(given.storage))
    warn_of_doubts([experiment])
    output = None if given.output is None else absolute_path(given.output, "--output")
    path = write_report(experiment, output)
    upload_if_remote(path)
    Screen().print_line(f"report: {display_path(path)} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0

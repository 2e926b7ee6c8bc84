"""``run_search.py report EXPERIMENT``: one HTML file that says what came of it, to look at or to send."""

import argparse

from tune.cli.commands import described
from tune.cli.findings import warn_of_doubts
from tune.cli.parser import Parser, add_storage
from tune.cli.screen import Screen
from tune.cli.storage import storage_of
from tune.paths import short
from tune.places import absolute_path
from tune.storage.writer import send_file


def parser() -> Parser:
    """Return what it takes on the command line."""
    parser = Parser(prog="run_search.py report", description=described("report"))
    parser.add_argument("experiment", help="its name, or its folder")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: report.html in the experiment's folder")
    add_storage(parser)
    return parser


def run(given: argparse.Namespace) -> int:
    """Write it, and say where it is."""
    from tune.results.experiment import open_experiment
    from tune.results.report.write import write_report

    experiment = open_experiment(given.experiment, storage_of(given.storage))
    warn_of_doubts([experiment])
    output = None if given.output is None else absolute_path(given.output, "--output")
    path = write_report(experiment, output)
    send_file(path)
    Screen().line(f"report: {short(path)} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0

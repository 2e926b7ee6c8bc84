"""Which search finds good values soonest: ours, Ray's and Optuna's, on recorded learning curves.

    python -m benchmarks.simulate TABLES... [--quick] [--results FILE]

TABLES are files or folders of recorded learning curves; ``benchmarks/README.md`` describes their formats and what was
found. Workers train side by side, an epoch takes the time that was recorded, and what a method decides is decided by
its own classes: ours by those of a real search, from its conductor to its sampler, read from a space file that says
nothing of either; Ray's and Optuna's by theirs, called as they are called.

Regret is 0 at the best value known of a table and 100% at the median of random configurations, fully trained; the best
epoch counts. Printed are its mean over tables and seeds at shares of the budget (12, 20 and 40 mean full trainings for
2, 4 and 16 workers), the difference to our default on the same tables and seeds with its 95% bootstrap interval, the
share of runs that end better and worse, and milliseconds of this machine's CPU that a method took for a trial.

``--quick`` runs 3 seeds on 4 workers without the Gaussian process, in some minutes. Each run is written to FILE and is
not computed again; rows of another state of ``tune/search`` are left alone there.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy and torch are imported: the processes share the cores already

import argparse
import signal
import sys
import time
from pathlib import Path

from benchmarks.simulate.methods import DEFAULT, OURS
from benchmarks.simulate.regret import Regrets, print_regrets
from benchmarks.simulate.runs import FULL_TRAININGS, Cell, run_cells
from benchmarks.simulate.tables import find_tables

QUICK_METHODS = tuple(name for name in DEFAULT if "gp" not in name)


def main() -> None:
    """Run what is missing, and print the tables."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes end, too
    options = _options()
    tables = find_tables(options.tables)
    if options.epochs is not None:
        tables = [f"{table}@{options.epochs}+{options.start:g}" for table in tables]
    cells = [
        Cell(table=table, n_workers=n_workers, seed=seed, method=method, trainings=options.trainings)
        for seed in range(options.seeds)  # outermost: a part of the runs is a part of everything
        for n_workers in options.workers
        for table in tables
        for method in options.methods
    ]
    started, rows = time.perf_counter(), []
    for row, was_known in run_cells(cells, options.results, 0 if options.show else options.processes):
        rows.append(row)
        if not was_known and sys.stderr.isatty():
            passed = time.perf_counter() - started
            print(f"\r{len(rows)} of {len(cells)} runs, {passed:.0f} s", end="", file=sys.stderr)
    print("\n".join(f"{name:22} {DEFAULT.get(name, '')}" for name in options.methods))
    for n_workers in options.workers:
        if of_them := [row for row in rows if row.n_workers == n_workers]:
            print_regrets(Regrets(of_them, options.methods), n_workers, options.against)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.simulate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="+", metavar="TABLES", help="files, folders, or FILE:PART")
    parser.add_argument("--quick", action="store_true", help="3 seeds, 4 workers, no Gaussian process")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 16], choices=sorted(FULL_TRAININGS))
    parser.add_argument("--epochs", type=int, help="of a training: the first so many of each recorded curve")
    parser.add_argument("--trainings", type=int, help="that all workers together have time for; else 12, 20 or 40")
    parser.add_argument("--start", type=float, default=0, help="with --epochs: what a trial takes first, in epochs")
    parser.add_argument("--methods", nargs="+", help=f"of {', '.join(DEFAULT)}; and `ours KEY=VALUE ...`")
    parser.add_argument("--against", default=OURS, help="the method that the others are compared with")
    parser.add_argument("--results", type=Path, default=Path("simulated.jsonl"), metavar="FILE")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print what FILE holds, and run nothing")
    options = parser.parse_args()
    if options.start and options.epochs is None:
        parser.error("--start takes --epochs, too")
    if options.quick:
        options.seeds, options.workers = 3, [4]
    options.methods = options.methods or (QUICK_METHODS if options.quick else tuple(DEFAULT))
    return options


if __name__ == "__main__":
    main()

"""Whether one driver keeps many workers busy, and what that costs it.

    python -m benchmarks.many_workers --quick          # 16 workers, 30 s of the steady state
    python -m benchmarks.many_workers                  # 16, 32, and 64 if more than 8 GiB stay free: an hour
    python -m benchmarks.many_workers --minutes 7      # as much as fits into 7 minutes now
    python -m benchmarks.many_workers --show           # what the results file holds so far

Everything is real (Ray, conductor, searcher with TPE, ledger on disk, actors) but for the programs: a trial
sleeps half a second an epoch, ten epochs long, imports no torch and reports after each. Workers are logical: more than
there are cores. Busy is the share of all workers' time in which they slept, in two minutes in which every worker had
trials (5 rounds); what they do not sleep they wait for the driver, or for a core.
"""

import argparse
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil

from benchmarks.many_workers.measure import measure
from benchmarks.results_file import ResultsFile
from benchmarks.spread import spread
from benchmarks.tasks import Task, run_tasks

WORKERS = (16, 32, 64)
STEADY_S, QUICK_STEADY_S = 120.0, 30.0
ROUNDS = 5
QUICK_MINUTES = 9.5
START_S = 1.5
"""Seconds that a worker takes to start, for the guess of the first measurement's length."""
FREE_GB = 8
"""What has to stay free beside the largest number of workers."""
OURS = "ours"
COLUMNS = {
    "busy_percent": "busy, %",
    "workers_seen": "workers with trials",
    "reports_per_s": "reports a second",
    "driver_cpu_percent": "driver's CPU, %",
    "driver_ms_a_report": "CPU ms a report",
    "driver_mb_first": "MB, first quarter",
    "driver_mb_last": "MB, last quarter",
}


def main() -> None:
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="16 workers, one round")
    parser.add_argument("--minutes", type=float, help="begin nothing that would not be through by then")
    parser.add_argument("--workers", nargs="+", type=int, help="these numbers of workers")
    parser.add_argument("--results", type=Path, help="the file; else many_workers.jsonl, or many_workers-quick.jsonl")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    options = parser.parse_args()
    results = ResultsFile(
        options.results or Path("many_workers-quick.jsonl" if options.quick else "many_workers.jsonl")
    )
    numbers = options.workers or (WORKERS[:1] if options.quick else WORKERS)
    minutes = options.minutes or (QUICK_MINUTES if options.quick else None)
    until = time.monotonic() + 60 * minutes if minutes else None
    if not options.show:
        for number in numbers:  # one after the other: what the smaller ones took decides on the largest
            if not _fits(number, results):
                print(f"{number} workers would leave less than {FREE_GB} GiB free")
                continue
            tasks = _tasks(number, options.quick)
            run_tasks(tasks, results, (until - time.monotonic()) / 60 if until else None)
    show(results, numbers)


def _tasks(n_workers: int, quick: bool) -> Iterator[Task]:
    steady_s = QUICK_STEADY_S if quick else STEADY_S
    for number in range(1, 1 + (1 if quick else ROUNDS)):
        yield Task(
            who=OURS,
            round=number,
            key={"workers": n_workers},
            measure=partial(measure, n_workers, steady_s),
            guess_s=steady_s + 30 + START_S * n_workers,
        )


def _fits(n_workers: int, results: ResultsFile) -> bool:
    """Tell by the memory that fewer workers took, if that is known, whether so many leave enough."""
    took = [line["machine_gb"] / line["workers"] for line in results.lines]
    return not took or psutil.virtual_memory().available / 2**30 - max(took) * n_workers > FREE_GB


def show(results: ResultsFile, numbers: tuple[int, ...]) -> None:
    """Print it."""
    print("\nmedian (spread); aims: busy at least 90 %, memory flat")
    for number in numbers:
        lines = [line for line in results.lines if line["workers"] == number]
        print(f"\n{number} workers, rounds: {len(lines)}")
        for name, title in COLUMNS.items():
            print(f"  {title:<20}{spread([line[name] for line in lines], 1)}")
    if results.mixed:
        print(f"\nwarning: {results.path} holds measurements of other code of ours too; --results starts a new file")


if __name__ == "__main__":
    main()

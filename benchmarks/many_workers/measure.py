"""One search with many workers: its driver watched from outside, and ended as by Ctrl-C when it ran long enough."""

import json
import multiprocessing
import os
import signal
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.cost.parts import NAME, search
from benchmarks.many_workers.busy import Stay, busy_share, steady_span

EPOCH_S = 0.5
N_EPOCHS = 10
MOST_TRIALS = 100_000
START_S, START_S_A_WORKER = 60, 3
"""How long workers may take to have their first trials; then the steady state begins without those that have none."""
LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Mark:
    """The driver at one time."""

    at: float
    """Seconds since the epoch."""
    cpu_s: float
    rss: int
    """Bytes that are resident."""
    available: int
    """Bytes of the machine's memory that are free for others."""


def measure(n_workers: int, steady_s: float) -> dict[str, float]:
    """Search until the workers have had trials for so long; return what the steady state was.

    A worker that never came counts as idle.
    """
    before = psutil.virtual_memory().available
    with tempfile.TemporaryDirectory(prefix="benchmark-") as place:
        folder = Path(place)
        driver = multiprocessing.get_context("spawn").Process(target=_drive, args=(folder, n_workers), daemon=True)
        driver.start()
        marks = _watch(driver, folder / NAME, n_workers, steady_s)
        driver.join()
        assert driver.exitcode == 0, f"the driver ended with {driver.exitcode}"
        stays = read_stays(folder / NAME)
    span = steady_span(stays)
    steady = [mark for mark in marks if span.began <= mark.at <= span.ended]
    cpu_s = steady[-1].cpu_s - steady[0].cpu_s
    n_reports = sum(stay.work_s / EPOCH_S for stay in stays if span.began <= stay.ended <= span.ended)
    return {
        "busy_percent": 100 * busy_share(stays, span, n_workers),
        "steady_s": span.length_s,
        "workers_seen": len({stay.worker for stay in stays}),
        "reports_per_s": n_reports / span.length_s,
        "driver_cpu_percent": 100 * cpu_s / (steady[-1].at - steady[0].at),
        "driver_ms_a_report": 1000 * cpu_s / (steady[-1].at - steady[0].at) / (n_reports / span.length_s),
        "driver_mb_first": _mb(steady[: len(steady) // 4]),
        "driver_mb_last": _mb(steady[-(len(steady) // 4) :]),
        "machine_gb": (before - min(mark.available for mark in marks)) / 2**30,
    }


def read_stays(experiment: Path) -> list[Stay]:
    """Return every trial that ended by itself."""
    records = [json.loads(path.read_text()) for path in experiment.glob("*/trial.json")]
    return [
        Stay(record["worker"], record["started"], record["ended"], EPOCH_S * len(record["curve"]))
        for record in records
        if record["ended"] is not None
    ]


def _drive(folder: Path, n_workers: int) -> None:
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    search(folder, MOST_TRIALS, "tpe", n_workers, lambda outcome: None, n_epochs=N_EPOCHS, epoch_s=EPOCH_S)


def _watch(driver: multiprocessing.Process, experiment: Path, n_workers: int, steady_s: float) -> list[Mark]:
    """Note how the driver is until its workers have run for so long, and end it then."""
    process, marks = psutil.Process(driver.pid), []
    seen: dict[Path, str] = {}
    deadline, full = time.time() + START_S + START_S_A_WORKER * n_workers, None
    while driver.is_alive():
        times = process.cpu_times()
        available = psutil.virtual_memory().available
        marks.append(Mark(time.time(), times.user + times.system, process.memory_info().rss, available))
        if full is None:
            there = len(_workers(experiment, seen)) >= n_workers or time.time() > deadline
            full = time.time() if there else None
        elif time.time() - full > steady_s:
            os.kill(driver.pid, signal.SIGINT)
            driver.join()
            break
        time.sleep(LOOK_S)
    return marks


def _workers(experiment: Path, seen: dict[Path, str]) -> set[str]:
    """Return the actors that had a trial; a record is read once."""
    for path in experiment.glob("*/trial.json"):
        if path not in seen:
            seen[path] = json.loads(path.read_text())["worker"]
    return set(seen.values())


def _mb(marks: list[Mark]) -> float:
    return statistics.median(mark.rss for mark in marks) / 2**20

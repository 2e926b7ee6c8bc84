"""Measurements in rounds: what a results file has is not done again, and what does not fit into the time is left."""

import random
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.results_file import ResultsFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One measurement."""

    who: str
    round: int
    """Counts from 1. Ratios are taken within a round, in which all are measured in turn, in an order of its own."""
    measure: Callable[[], Mapping[str, Any]]
    guess_s: float
    """Seconds that it takes, where none of this kind was measured yet."""
    key: Mapping[str, Any] = field(default_factory=dict)
    """What else tells it from others."""

    @property
    def name(self) -> dict[str, Any]:
        """All that tells it from others, but for the round."""
        return {"who": self.who, **self.key}


def run_tasks(tasks: Iterable[Task], results: ResultsFile, minutes: float | None) -> None:
    """Do what is missing, round by round, and write each measurement down at once."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # else a search would stay behind
    began = time.monotonic()
    missing = [task for task in tasks if not results.has(round=task.round, **task.name)]
    random.Random(0).shuffle(missing)
    for task in sorted(missing, key=lambda task: task.round):  # stable: the order within a round stays random
        words = " ".join(map(str, task.name.values()))
        if minutes is not None and time.monotonic() - began + _estimate_s(task, results) > 60 * minutes:
            print(f"round {task.round}: no time for {words}", flush=True)
            continue
        at = time.monotonic()
        measured = task.measure()
        results.add(measured, round=task.round, **task.name, took_s=time.monotonic() - at)
        figures = "  ".join(f"{name} {value:.4g}" for name, value in measured.items() if value is not None)
        print(f"round {task.round}: {words:<24} {figures}", flush=True)


def _estimate_s(task: Task, results: ResultsFile) -> float:
    known = [line["took_s"] for line in results.lines if task.name.items() <= line.items()]
    return 1.1 * max(known) if known else task.guess_s

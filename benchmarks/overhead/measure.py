"""The measurements of one search, by what it left: the slope, the start and the end."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.peers.assignment import Assignment
from benchmarks.peers.contestants import OURS, Contestant
from benchmarks.peers.events import curves, last_write
from benchmarks.peers.launch import launched
from benchmarks.peers.tree_cpu import TreeCpu

EPOCHS = 5
DROPOUTS = [0.0, 0.1, 0.2, 0.3]
LEAST_LR, MOST_LR = 1e-4, 1e-1
HARDCODED_LR = 1e-3
TIMEOUT_S = 1800

FLOOR = {
    "import_s": "import torch, pytorch_lightning",
    "ray_s": "import ray; ray.init(num_cpus=2)",
}
"""What nobody can start without, each part in a fresh process."""


@dataclass(frozen=True, slots=True)
class Window:
    """The trials between whose ends the slope is taken, counted from 1."""

    first: int
    last: int


def fixed_list(n_trials: int) -> Assignment:
    """Return the work: a grid of so many configurations of ``lit/digits.py``, the hardcoded one among them."""
    n_rates, rest = divmod(n_trials, len(DROPOUTS))
    assert not rest, f"{n_trials} is no multiple of {len(DROPOUTS)}"
    rates = [LEAST_LR * (MOST_LR / LEAST_LR) ** ((place + 0.5) / n_rates) for place in range(n_rates - 1)]
    return Assignment(
        program="lit.digits",
        metric="Accuracy/Val",
        mode="max",
        constants={"LR": {"choice": [HARDCODED_LR, *rates]}, "DROPOUT": {"choice": DROPOUTS}},
        n_trials=n_trials,
        epochs=EPOCHS,
        grid=True,
    )


def in_window(ends: Sequence[float], window: Window) -> tuple[float, float]:
    """Return when the window began and ended: the ends of two trials, in the order in which they came."""
    ordered = sorted(ends)
    return ordered[window.first - 1], ordered[window.last - 1]


def slope_ms(ends: Sequence[float], window: Window) -> float:
    """Return milliseconds a trial between the ends of two trials."""
    began, ended = in_window(ends, window)
    return 1000 * (ended - began) / (window.last - window.first)


def measure_search(contestant: Contestant, window: Window) -> dict[str, float]:
    """Run the list once. A trial's end is when its last epoch was logged; seconds count from the command."""
    assignment = fixed_list(window.last)
    cpu = TreeCpu()
    with launched(contestant, assignment, TIMEOUT_S, cpu.look) as launch:
        found = curves(launch.folder, assignment.metric)
        lengths = sorted({len(curve) for curve in found.values()})
        if len(found) < window.last or lengths != [EPOCHS]:
            raise RuntimeError(f"{contestant.name} trained {len(found)} trials of {lengths} epochs")
        ends = [curve[-1][0] for curve in found.values()]
        return {
            "trials": len(found),
            "slope_ms": slope_ms(ends, window),
            "cpu_ms": 1000 * cpu.between_s(*in_window(ends, window)) / (window.last - window.first),
            "start_s": min(curve[0][0] for curve in found.values()) - launch.began,
            "end_s": launch.ended - last_write(launch.folder, list(found)),
            "wall_s": launch.ended - launch.began,
        }


def measure_floor() -> dict[str, float]:
    """Time what nobody can start without."""
    return {name: _process_s(code) for name, code in FLOOR.items()}


def _process_s(code: str) -> float:
    """Return seconds from the command to the end of the code in a fresh process; what follows it is not counted."""
    began = time.time()
    command = [sys.executable, "-c", f"{code}\nimport time\nprint()\nprint(time.time())"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1]) - began


def measure_driver() -> dict[str, float]:
    """Run our search on trials that report about once a second in all, and return the driver's share of a core."""
    assignment = Assignment(
        program="benchmarks.overhead.sleeper",
        metric="value",
        mode="max",
        constants={"LEVEL": {"choice": [float(level) for level in range(6)]}},
        n_trials=6,
        epochs=8,
        grid=True,
    )
    cpu: list[tuple[float, float]] = []  # (seconds since the epoch, seconds of CPU)

    def look(pid: int, folder: Path) -> bool:
        if not cpu or time.time() - cpu[-1][0] > 0.2:
            try:
                times = psutil.Process(pid).cpu_times()
            except psutil.NoSuchProcess:
                return False
            cpu.append((time.time(), times.user + times.system))
        return False

    with launched(OURS, assignment, TIMEOUT_S, look) as launch:
        reports = sorted(at for curve in curves(launch.folder, assignment.metric).values() for at, _ in curve)
    steady = [mark for mark in cpu if reports[2] <= mark[0] <= reports[-1]]  # the first ones still start workers
    span = steady[-1][0] - steady[0][0]
    return {
        "cpu_percent": 100 * (steady[-1][1] - steady[0][1]) / span,
        "reports_per_s": sum(steady[0][0] <= at <= steady[-1][0] for at in reports) / span,
    }

"""What searches leave: processes, files in the place for temporary ones and in shared memory, descriptors, memory."""

import contextlib
import time
from pathlib import Path

import psutil

from benchmarks.attack.searches import Findings, Project, ended_trials, living, projects, wait_for

SOON_S = 10.0
"""After the end of a search nothing of it is left."""
SHARED = Path("/dev/shm")


def count_left(place: Path, seed: int, n: int) -> list[Findings]:
    """Run one search of ``n`` short trials, and three side by side; count what they hold, and what is left."""
    long, beside = Findings(f"{n} short trials"), Findings("three side by side")
    with projects(place, seed + 5) as make:
        _run_long(make(trials=n, epochs=1), n, long)
        _run_beside([make(trials=6, epochs=3) for _ in range(3)], beside)
    return [long, beside]


def _run_long(project: Project, n: int, found: Findings) -> None:
    shared = {path.name for path in SHARED.iterdir()}
    began = time.monotonic()
    process = project.start("--space", "s.yaml", "--name", "s", "--scheduler", "none", "--sampler", "random")
    marks = []
    for number in (n // 10, n // 2, n - 10):
        wait_for(lambda number=number: len(list((project.storage / "s").glob("*/trial.json"))) >= number, process, 600)
        marks.append(_measure(project))
    status = process.wait(600)
    found.n = n
    found.slowest_s = time.monotonic() - began
    found.check(status == 0, f"status {status}: {(project.folder / 'out.txt').read_text()[-1500:]}")
    found.check(len(ended_trials(project.storage / "s")) == n, "not all trials ended")
    _check_left([project], shared, found)
    for key in marks[0]:
        found.note(f"{key}: {' -> '.join(f'{mark[key]:.0f}' for mark in marks)};")
    first, last = marks[1], marks[-1]  # Ray's dashboard starts some time after the first trials
    found.check(last["processes"] <= first["processes"] + 2, f"more processes: {first} -> {last}")
    found.check(last["descriptors"] <= 1.1 * first["descriptors"] + 20, f"more descriptors: {first} -> {last}")
    found.check(last["MB"] <= first["MB"] + 150, f"more memory: {first} -> {last}")


def _run_beside(three: list[Project], found: Findings) -> None:
    shared = {path.name for path in SHARED.iterdir()}
    began = time.monotonic()
    processes = [project.start("--space", "s.yaml", "--name", "s") for project in three]
    for project, process in zip(three, processes, strict=True):
        said = project.end_of(process, began)
        found.n += 1
        found.check_output(said, "the search", (0,))
        found.check(len(ended_trials(project.storage / "s")) == 6, "not all trials ended")
    _check_left(three, shared, found)


def _check_left(ours: list[Project], shared: set[str], found: Findings) -> None:
    began = time.monotonic()
    left = [each for project in ours for each in project.wait_until_gone(SOON_S)]
    found.check(not left, f"left: {left}")
    more = {path.name for path in SHARED.iterdir()} - shared
    found.check(not more, f"left in {SHARED}: {more}")
    found.note(f"all gone {time.monotonic() - began:.1f} s after the end;")


def _measure(project: Project) -> dict[str, float]:
    """Return what all processes of a search hold now."""
    family = living(project.family())
    held = {"processes": float(len(family)), "descriptors": 0.0, "MB": 0.0}
    for each in family:
        with contextlib.suppress(psutil.Error):
            held["descriptors"] += each.num_fds()
            held["MB"] += each.memory_full_info().pss / 2**20
    return held

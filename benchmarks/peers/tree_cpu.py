"""The CPU that a search takes, all its processes together: on a busy machine it says more than the time on the wall."""

import time
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

INTERVAL_S = 1.0
"""Between two looks: each goes through all processes of the machine."""


@dataclass(slots=True)
class TreeCpu:
    """Looks at a process and all below it, from time to time."""

    marks: list[tuple[float, float]] = field(default_factory=list)
    """``(seconds since the epoch, seconds of CPU)``; what a process took stays counted when it has ended."""
    _taken: dict[int, float] = field(default_factory=dict)
    """Seconds of each process that was ever seen. Its parent's own account does not do: Ray's does not wait for it."""

    def look(self, pid: int, folder: Path) -> bool:
        """Note the CPU, if it is time; never ask for an end."""
        now = time.time()
        if not self.marks or now - self.marks[-1][0] >= INTERVAL_S:
            self._taken.update(_tree_s(pid))
            self.marks.append((now, sum(self._taken.values())))
        return False

    def between_s(self, began: float, ended: float) -> float:
        """Return seconds of CPU between two times, between looks in proportion to the time."""
        return self._at(ended) - self._at(began)

    def _at(self, when: float) -> float:
        place = min(max(bisect_left(self.marks, (when, 0.0)), 1), len(self.marks) - 1)
        (before, low), (after, high) = self.marks[place - 1], self.marks[place]
        return low + (high - low) * (when - before) / (after - before)


def _tree_s(pid: int) -> dict[int, float]:
    """Return seconds of CPU of a process and of all below it, by their ids."""
    taken = {}
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                taken[process.pid] = times.user + times.system
    return taken

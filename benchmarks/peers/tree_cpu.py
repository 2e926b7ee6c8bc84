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
    """``(seconds since the epoch, seconds of CPU)``; what a process took that has ended is its parent's."""

    def look(self, pid: int, folder: Path) -> bool:
        """Note the CPU, if it is time; never ask for an end."""
        now = time.time()
        if not self.marks or now - self.marks[-1][0] >= INTERVAL_S:
            self.marks.append((now, _tree_s(pid)))
        return False

    def between_s(self, began: float, ended: float) -> float:
        """Return seconds of CPU between two times, between looks in proportion to the time."""
        return self._at(ended) - self._at(began)

    def _at(self, when: float) -> float:
        place = min(max(bisect_left(self.marks, (when, 0.0)), 1), len(self.marks) - 1)
        (before, low), (after, high) = self.marks[place - 1], self.marks[place]
        return low + (high - low) * (when - before) / (after - before)


def _tree_s(pid: int) -> float:
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:4])  # its own, and that of children that have ended
    return total

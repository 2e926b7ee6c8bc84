"""The CPU that a search takes, all its processes together: on a busy machine it says more than the time on the wall."""

import time
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

INTERVAL_S = 1.0
"""Between two looks: each goes through all processes of the machine."""


@dataclass(frozen=True, slots=True)
class _ProcessCpu:
    """What one process took, at a look."""

    parent: int
    own_s: float
    waited_s: float
    """Of all below it that have ended and were waited for."""

    @property
    def total_s(self) -> float:
        return self.own_s + self.waited_s


@dataclass(slots=True)
class TreeCpu:
    """Looks at a process and all below it, from time to time."""

    marks: list[tuple[float, float]] = field(default_factory=list)
    """``(seconds since the epoch, seconds of CPU)``; what a process took stays counted when it has ended."""
    _alive: dict[int, _ProcessCpu] = field(default_factory=dict)
    _lost_s: float = 0.0
    """Of processes that have ended and that nobody waited for: Ray does not. No other one's account has it."""

    def look(self, pid: int, folder: Path) -> bool:
        """Note the CPU, if it is time; never ask for an end."""
        now = time.time()
        if not self.marks or now - self.marks[-1][0] >= INTERVAL_S:
            found = _look_at_tree(pid)
            self._lost_s += _count_lost_s(self._alive, found)
            self._alive = found
            self.marks.append((now, self._lost_s + sum(each.total_s for each in found.values())))
        return False

    def between_s(self, began: float, ended: float) -> float:
        """Return seconds of CPU between two times, between looks in proportion to the time."""
        return self._at(ended) - self._at(began)

    def _at(self, when: float) -> float:
        place = min(max(bisect_left(self.marks, (when, 0.0)), 1), len(self.marks) - 1)
        (before, low), (after, high) = self.marks[place - 1], self.marks[place]
        return low + (high - low) * (when - before) / (after - before)


def _count_lost_s(before: dict[int, _ProcessCpu], after: dict[int, _ProcessCpu]) -> float:
    """Return seconds of processes that are gone, but for what the account of one above them has gained meanwhile.

    A parent that waits for a child has all of it from then on: also of a child that lived between two looks.
    """
    gone_s: dict[int, float] = {}
    for pid, each in before.items():
        if pid not in after:
            above = each.parent
            while above in before and above not in after:
                above = before[above].parent
            gone_s[above] = gone_s.get(above, 0.0) + each.total_s
    gained_s = {pid: after[pid].waited_s - before[pid].waited_s for pid in gone_s if pid in after and pid in before}
    return sum(max(0.0, seconds - gained_s.get(pid, 0.0)) for pid, seconds in gone_s.items())


def _look_at_tree(pid: int) -> dict[int, _ProcessCpu]:
    """Return what a process and all below it took, by their ids."""
    found = {}
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                waited_s = times.children_user + times.children_system
                found[process.pid] = _ProcessCpu(process.ppid(), times.user + times.system, waited_s)
    return found
